"""More rows than memory holds: a set four times the room that a run has for it, and what an epoch on it takes.

    python scripts/large_data.py [--room-mb 300] [--workers 0] [--folder FOLDER]

First a run on a hundredth of the rows says what torch and mtlrun take by themselves. The run on all rows may have that
and the room, no byte more: the limit is that of `ulimit -d` (Linux), on memory of a process's own; pages of files that
the system keeps are not in it, and are dropped when others need the room. Beside them stands plain PyTorch: a
`DataLoader` over the same file, shuffled, with and without a network of the same sizes and Adam.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mtlrun.data.sets.arrays import load

MB = 2**20
TIMES = 4
"""The set is so many times the room."""
COLUMNS = 512
BATCH = 256
TIMED_STEPS = 400
CLASSES = 3


def write_set(folder: Path, rows: int) -> int:
    """Vectors, classes and numbers that follow from them; returns the bytes of the inputs."""
    folder.mkdir()
    draw = np.random.default_rng(0)
    inputs = np.lib.format.open_memmap(folder / "inputs.npy", "w+", np.float32, (rows, COLUMNS))
    colour, weight = np.zeros(rows, np.int64), np.zeros(rows)
    for start in range(0, rows, 4096):
        part = draw.standard_normal((min(4096, rows - start), COLUMNS), dtype=np.float32)
        inputs[start : start + 4096] = part
        colour[start : start + 4096] = part[:, :CLASSES].argmax(1)
        weight[start : start + 4096] = part[:, 3] - part[:, 4]
    inputs.flush()
    np.save(folder / "colour.npy", colour)
    np.save(folder / "weight.npy", weight)
    return inputs.nbytes


@dataclass
class Training:
    """What a run took: exit code; in MB the most memory of its own that it had in use, with its workers, and that a
    process of it had asked for; rows per second, evaluation included, and seconds with all that comes before."""

    code: int
    peak: float
    asked: float
    rate: float
    seconds: float


def train(data: Path, run: Path, workers: int, limit: float) -> Training:
    """One epoch of `mtlrun` in a process of its own, whose memory is limited, in MB."""
    words = [f"data.path={data}", f"trainer.workers={workers}", f"trainer.batch_size={BATCH}", f"hydra.run.dir={run}"]
    words += ["task=arrays", "trainer.epochs=1", "trainer.device=cpu", "diagnostics=off", "backbone.hidden=[64,64]"]
    began = time.monotonic()
    limited = ["prlimit", f"--data={int(limit * MB)}"] if limit < math.inf else []  # of util-linux
    command = [*limited, sys.executable, "-m", "mtlrun", *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak = asked = 0.0
    while process.poll() is None:
        processes = [process.pid, *children(process.pid)]
        peak = max(peak, sum(memory(one, "RssAnon") for one in processes))
        asked = max(asked, *(memory(one, "VmData") for one in processes))
        time.sleep(0.1)
    if process.returncode and process.stderr:
        print(process.stderr.read().decode(errors="replace"), file=sys.stderr)
    path = run / "summary.json"
    rate = json.loads(path.read_text())["rows_per_second"] if path.is_file() else float("nan")
    return Training(process.returncode, peak, asked, rate, time.monotonic() - began)


def memory(process: int, kind: str) -> float:
    """MB of a kind, as the system counts them; 0 for a process that has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(kind)), 0.0)


def children(process: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


class PlainRows(Dataset[tuple[Tensor, int, float]]):
    """What one writes by hand: a row of the map, and its labels."""

    def __init__(self, folder: Path) -> None:
        self._inputs = np.load(folder / "inputs.npy", mmap_mode="r")
        self._colour, self._weight = np.load(folder / "colour.npy"), np.load(folder / "weight.npy").astype(np.float32)

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, row: int) -> tuple[Tensor, int, float]:
        return torch.from_numpy(self._inputs[row].copy()), self._colour[row], self._weight[row]


def plain_batches(folder: Path, workers: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    while True:
        yield from DataLoader(PlainRows(folder), BATCH, shuffle=True, num_workers=workers)


def plain_step() -> Callable[[tuple[Tensor, Tensor, Tensor]], None]:
    """A step of the loop that one writes by hand, with a network of the sizes of `backbone=mlp`."""
    trunk = nn.Sequential(nn.Linear(COLUMNS, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
    heads = nn.ModuleList([nn.Linear(64, CLASSES), nn.Linear(64, 1)])
    optimizer = torch.optim.Adam([*trunk.parameters(), *heads.parameters()], lr=1e-3)

    def step(batch: tuple[Tensor, Tensor, Tensor]) -> None:
        inputs, colour, weight = batch
        features = trunk(inputs)
        loss = nn.functional.cross_entropy(heads[0](features), colour)
        loss = loss + nn.functional.mse_loss(heads[1](features).squeeze(1), weight.float())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def own_batches(folder: Path) -> Iterator[Tensor]:
    """Batches as training fetches them, in this process."""
    [source] = load(str(folder)).train
    while True:
        for rows in torch.randperm(len(source)).split(BATCH):
            inputs, _ = source.fetch(rows)
            yield source.prepare(inputs)


def rate(steps: Iterator[object]) -> float:
    """Rows per second, after some batches of warming up."""
    for _ in range(20):
        next(steps)
    began = time.monotonic()
    for _ in range(TIMED_STEPS):
        next(steps)
    return TIMED_STEPS * BATCH / (time.monotonic() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room-mb", type=int, default=300, help="beside what a small run takes; a quarter of the set")
    parser.add_argument("--workers", type=int, default=0, help="processes that read")
    parser.add_argument("--folder", default=None, help="where the set is written for a while; default: the temporary")
    args = parser.parse_args()
    rows = TIMES * args.room_mb * MB // (4 * COLUMNS)
    table = Table(title=f"one epoch, {COLUMNS} columns, batches of {BATCH}, {args.workers} workers")
    for name in ("set", "rows", "limit", "exit code", "peak anonymous", "seconds in all", "rows/s"):
        table.add_column(name, justify="right")
    console, limit = Console(width=120), math.inf
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        for name, count in (("small", rows // 100), ("large", rows)):
            size = write_set(Path(place) / name, count)
            took = train(Path(place) / name, Path(place) / f"run-{name}", args.workers, limit)
            told = "none" if limit == math.inf else f"{limit:.0f} MB"
            figures = (f"{took.peak:.0f} MB", f"{took.seconds:.0f}", f"{took.rate:,.0f}")
            table.add_row(f"{size / MB:.0f} MB", f"{count:,}", told, str(took.code), *figures)
            limit = took.asked + args.room_mb
        console.print(table)
        large = Path(place) / "large"
        step = plain_step()
        console.print(f"plain DataLoader, reading: {rate(plain_batches(large, args.workers)):,.0f} rows/s")
        trained = rate(step(batch) for batch in plain_batches(large, args.workers))
        console.print(f"plain DataLoader and loop: {trained:,.0f} rows/s")
        console.print(f"mtlrun, reading without workers: {rate(own_batches(large)):,.0f} rows/s")


if __name__ == "__main__":
    main()
