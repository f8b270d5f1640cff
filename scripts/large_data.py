"""More rows than memory holds: a set four times the memory that a run has for it, and what an epoch on it takes.

    python scripts/large_data.py [--room-mb 300] [--workers 0] [--folder FOLDER] [--shards]
    python scripts/large_data.py --control-group 1200 [--workers 0] [--folder FOLDER] [--shards]

First a run on a hundredth of the rows says what torch and mtlrun take by themselves. The run on all rows may have that
and the room, no byte more: the limit is that of `ulimit -d` (Linux), on memory of a process's own; pages of files that
the system keeps are not in it, and are dropped when others need the room.

With --control-group all of a run's memory is limited, pages of files included, and the set is four times that: torch,
mtlrun, the rows and what the system keeps of them share it. That takes root.

The set is a file of numbers, or with --shards a folder of Parquet files with vectors, words, dates and gaps. Beside the
runs stands plain PyTorch under the same limit: a `DataLoader` over the same files, shuffled, with and without a network
of the same sizes and Adam. Over Parquet files it decodes a row group at a time and shuffles within it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from control_groups import ControlGroup, NoControlGroup
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset

from mtlrun.data.sets.arrays import load

MB = 2**20
TIMES = 4
"""The set is so many times the room."""
COLUMNS = 512
BATCH = 256
TIMED_STEPS, PATIENCE = 400, 30.0
"""Batches that are timed, and seconds after which it is enough."""
CLASSES = 3
COLOURS, TOWNS = ("blue", "green", "red"), ("Bern", "Oslo", "Rome", "Lima")
EPOCH = datetime.date(2000, 1, 1)
SHARD_ROWS = 2**15
TOWN_CODES = {town: code for code, town in enumerate(TOWNS, 1)}


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


def write_shards(folder: Path, rows: int) -> int:
    """The same as Parquet files, whose rows have a word, a date, a truth value and a number with gaps too."""
    import pyarrow
    from pyarrow import parquet

    folder.mkdir()
    draw, size = np.random.default_rng(0), 0
    for start in range(0, rows, SHARD_ROWS):
        count = min(SHARD_ROWS, rows - start)
        values = draw.standard_normal((count, COLUMNS), dtype=np.float32)
        age = draw.integers(18, 80, count).astype(np.float64)
        columns = {
            "reading": pyarrow.FixedSizeListArray.from_arrays(values.ravel(), COLUMNS),
            "town": draw.choice(np.array([*TOWNS, None], dtype=object), count).tolist(),
            "since": [EPOCH + datetime.timedelta(days=day) for day in draw.integers(0, 9_000, count).tolist()],
            "member": draw.random(count) > 0.5,
            "age": pyarrow.array(age, mask=draw.random(count) > 0.9),
            "colour": np.array(COLOURS)[values[:, :CLASSES].argmax(1)],
            "weight": (values[:, 3] - values[:, 4]).astype(np.float64),
        }
        path = folder / f"part-{start // SHARD_ROWS:04}.parquet"
        parquet.write_table(pyarrow.table(columns), path, row_group_size=SHARD_ROWS // 4, compression="none")
        size += path.stat().st_size
    return size


@dataclass
class Training:
    """What a run took: exit code; in MB the most memory of its own that it had in use, with its workers, and that a
    process of it had asked for; rows per second, evaluation included, and seconds with all that comes before."""

    code: int
    peak: float
    asked: float
    rate: float
    seconds: float


Wrap = Callable[[list[str]], list[str]]
"""A command as it is run under a limit."""


def train(data: Path, run: Path, workers: int, wrap: Wrap) -> Training:
    """One epoch of `mtlrun` in a process of its own."""
    words = [f"data.path={data}", f"trainer.workers={workers}", f"trainer.batch_size={BATCH}", f"hydra.run.dir={run}"]
    words += ["trainer.epochs=1", "trainer.device=cpu", "diagnostics=off", "backbone.hidden=[64,64]"]
    table = any(data.glob("*.parquet"))
    kind = ["task=table", "data.targets=[colour,weight]", f"data.cache={data.parent}"] if table else ["task=arrays"]
    began = time.monotonic()
    command = wrap([sys.executable, "-m", "mtlrun", *kind, *words])
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


class PlainShards(IterableDataset[tuple[Tensor, Tensor, Tensor]]):
    """What one writes by hand over Parquet files: batches of a row group at a time, words as numbers."""

    def __init__(self, folder: Path) -> None:
        self._files = sorted(folder.iterdir())

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        from pyarrow import parquet

        worker = torch.utils.data.get_worker_info()
        files = self._files if worker is None else self._files[worker.id :: worker.num_workers]
        for place in torch.randperm(len(files)).tolist():
            with parquet.ParquetFile(files[place], memory_map=True) as file:
                for group in torch.randperm(file.num_row_groups).tolist():
                    yield from self._batches(file.read_row_group(group))

    def _batches(self, part: Any) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        vectors = part.column("reading").combine_chunks().flatten().to_numpy().reshape(-1, COLUMNS)
        others = [part.column("age").fill_null(49).to_numpy(), part.column("member").to_numpy()]
        others += [part.column("since").cast("int32").to_numpy() / 9_000]
        others += [np.array([TOWN_CODES.get(word, 0) for word in part.column("town").to_pylist()])]
        inputs = torch.from_numpy(np.concatenate([vectors, np.stack(others, 1)], 1, dtype=np.float32))
        colour = torch.tensor([COLOURS.index(word) for word in part.column("colour").to_pylist()])
        weight = torch.from_numpy(part.column("weight").to_numpy().astype(np.float32))
        for rows in torch.randperm(len(inputs)).split(BATCH):
            yield inputs[rows], colour[rows], weight[rows]


def plain_batches(folder: Path, workers: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    shards = any(folder.glob("*.parquet"))
    while True:
        if shards:
            yield from DataLoader(PlainShards(folder), batch_size=None, num_workers=workers)
        else:
            yield from DataLoader(PlainRows(folder), BATCH, shuffle=True, num_workers=workers)


def plain_step(columns: int) -> Callable[[tuple[Tensor, Tensor, Tensor]], None]:
    """A step of the loop that one writes by hand, with a network of the sizes of `backbone=mlp`."""
    trunk = nn.Sequential(nn.Linear(columns, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU())
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
    shards = any(folder.glob("*.parquet"))
    targets = ["colour", "weight"] if shards else None
    [source] = load(str(folder), targets=targets, cache=str(folder.parent)).train
    while True:
        for rows in torch.randperm(len(source)).split(BATCH):
            inputs, _ = source.fetch(rows)
            yield source.prepare(inputs)


def rate(steps: Iterator[object]) -> float:
    """Rows per second, after some batches of warming up; over fewer batches if they take too long."""
    for _ in range(5):
        next(steps)
    began, count = time.monotonic(), 0
    while count < TIMED_STEPS and time.monotonic() - began < PATIENCE:
        next(steps)
        count += 1
    return count * BATCH / (time.monotonic() - began)


def compare(folder: Path, workers: int) -> None:
    """Print the rates of plain PyTorch, and of our reading."""
    print(f"plain DataLoader, reading: {rate(plain_batches(folder, workers)):,.0f} rows/s")
    first = next(plain_batches(folder, 0))
    step = plain_step(first[0].shape[1])
    trained = rate(step(batch) for batch in plain_batches(folder, workers))
    print(f"plain DataLoader and loop: {trained:,.0f} rows/s")
    print(f"mtlrun, reading without workers: {rate(own_batches(folder)):,.0f} rows/s")


def limited(limit: float, words: list[str]) -> list[str]:
    """The command with at most so many MB of its own, by a program of util-linux."""
    return words if limit == math.inf else ["prlimit", f"--data={int(limit * MB)}", *words]


def by_data_limit(args: argparse.Namespace, place: Path, table: Table) -> None:
    """A small run, then a large one with no more memory of its own than that took, and the room."""
    rows, limit = TIMES * args.room_mb * MB // (4 * COLUMNS), math.inf
    for name, count in (("small", rows // 100), ("large", rows)):
        size = (write_shards if args.shards else write_set)(place / name, count)
        took = train(place / name, place / f"run-{name}", args.workers, partial(limited, limit))
        table.add_row(*row(size, count, limit, took))
        limit = took.asked + args.room_mb
    Console(width=120).print(table)
    compare(place / "large", args.workers)


def forget(folder: Path) -> None:
    """Have the system drop what it keeps of files that were written outside of the group, which counts against nobody
    in it."""
    os.sync()
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def by_control_group(args: argparse.Namespace, place: Path, table: Table) -> None:
    """A run on a set four times all the memory that it may have."""
    limit = args.control_group
    rows = TIMES * limit * MB // (4 * COLUMNS)
    with ControlGroup(limit) as group:
        size = (write_shards if args.shards else write_set)(place / "large", rows)
        forget(place / "large")
        took = train(place / "large", place / "run", args.workers, group.command)
        table.add_row(*row(size, rows, limit, took))
        Console(width=120).print(table)
        print(
            f"the group's memory at its most, files that the system kept included: {group.peak():,.0f} MB", flush=True
        )
        words = [sys.executable, __file__, "--compare", str(place / "large"), "--workers", str(args.workers)]
        subprocess.run(group.command(words), check=True)


def row(size: int, rows: int, limit: float, took: Training) -> list[str]:
    told = "none" if limit == math.inf else f"{limit:.0f} MB"
    figures = (f"{took.peak:.0f} MB", f"{took.seconds:.0f}", f"{took.rate:,.0f}")
    return [f"{size / MB:.0f} MB", f"{rows:,}", told, str(took.code), *figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--room-mb", type=int, default=300, help="beside what a small run takes; a quarter of the set")
    parser.add_argument(
        "--control-group", type=int, default=0, metavar="MB", help="of all memory; a quarter of the set"
    )
    parser.add_argument("--shards", action="store_true", help="Parquet files, with words, dates and gaps")
    parser.add_argument("--workers", type=int, default=0, help="processes that read")
    parser.add_argument("--folder", default=None, help="where the set is written for a while; default: the temporary")
    parser.add_argument("--compare", default=None, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.compare:
        compare(Path(args.compare), args.workers)
        return
    table = Table(title=f"one epoch, {COLUMNS} columns, batches of {BATCH}, {args.workers} workers")
    for name in ("set", "rows", "limit", "exit code", "peak anonymous", "seconds in all", "rows/s"):
        table.add_column(name, justify="right")
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        try:
            (by_control_group if args.control_group else by_data_limit)(args, Path(place), table)
        except NoControlGroup as reason:
            sys.exit(f"{reason}; leave out --control-group for a limit on a process's own memory")


if __name__ == "__main__":
    main()
