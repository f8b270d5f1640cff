"""Kills, signals, malformed commands, crafted checkpoints and a full output against mtlrun, with counts of what held.

    python scripts/attack.py [--kills 3] [--seed 0]

Everything happens in one temporary folder, on a table of 300 rows. A killed or signalled run must resume to the tables
that an undisturbed run writes; a mistake must be one line and exit code 2, and leave no running process.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from mtlrun.training.interrupt import STOPS

TABLES = ("metrics.csv", "tasks.csv", "cosines.csv")
WAIT_SECONDS = 300
MISTAKES = (
    ("balancer=gradnrom",),
    ("trainer.epohcs=3",),
    ("trainer.epochs=0",),
    ("trainer.batch_size=10000000000000",),
    ("sharing=mmoe", "sharing.experts=1000000"),
    ("optimizer.lr=nan",),
    ("optimizer._target_=torch.optim.Admaw",),
    ("balancer._target_=nowhere.Mine",),
    ("data=null",),
    ("-m", "seed=range(0,0)"),
    ("hydra.run.dir=table.npz",),
    ("hydra.run.dir=/proc/mtlrun",),
    ("tasks=[lane",),
    ("resume", "nowhere"),
    ("eval", "nowhere"),
    ("report", "nowhere"),
    ("list", "balancr"),
)
CRAFTED: dict[str, Callable[[dict[str, object]], object]] = {
    "a list": lambda good: [good],
    "a tensor": lambda good: torch.ones(3),
    "no network": lambda good: {key: value for key, value in good.items() if key != "model"},
    "no step": lambda good: {key: value for key, value in good.items() if key != "step"},
    "a negative step": lambda good: good | {"step": -1},
    "a huge step": lambda good: good | {"step": 10**12},
    "a network of text": lambda good: good | {"model": "weights"},
    "weights that are NaN": lambda good: good | {"model": {"weight": torch.full((3,), torch.nan)}},
    "no balancer": lambda good: {key: value for key, value in good.items() if key != "balancer"},
    "another balancer's state": lambda good: good | {"balancer": {"log_variances": torch.ones(2)}},
    "sizes of no file": lambda good: good | {"recorder": {"sizes": [-1, "x"]}},
}


class Attack:
    """Commands in one folder, and counts of (kind, held or not)."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.counts, self.failures = folder, Counter[tuple[str, bool]](), list[str]()
        self._draw = random.Random(seed)
        draw = np.random.default_rng(seed)
        inputs = draw.normal(size=(300, 6)).astype(np.float32)
        left, right = ((inputs[:, column] > 0).astype(np.int64) for column in range(2))
        np.savez(folder / "table.npz", inputs=inputs, left=left, right=right)

    def note(self, kind: str, held: bool, what: str) -> None:
        self.counts[kind, held] += 1
        if not held:
            self.failures.append(f"{kind}: {what}")
            print(self.failures[-1], flush=True)

    def start(self, *words: str, **streams: object) -> subprocess.Popen[str]:
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE} | streams
        return subprocess.Popen([sys.executable, "-m", "mtlrun", *words], cwd=self.folder, text=True, **options)  # type: ignore[call-overload]

    def finish(self, *words: str) -> tuple[int, str]:
        """Exit code and what was written to standard error."""
        process = self.start(*words)
        _, err = process.communicate(timeout=WAIT_SECONDS)
        return process.returncode, err

    def training(self, name: str) -> list[str]:
        lengths = ["trainer.epochs=8", "trainer.batch_size=8", "trainer.checkpoint_every=5"]
        quiet = ["trainer.device=cpu", "diagnostics.plots=false", f"hydra.run.dir={name}"]
        return ["task=arrays", "data.path=table.npz", "balancer=pcgrad", *lengths, *quiet]

    def stopped(self, name: str, number: int) -> int:
        """Start a run, send the signal somewhere in its training, and return the exit code."""
        process = self.start(*self.training(name))
        lines = self._draw.randrange(2, 150)
        deadline = time.monotonic() + WAIT_SECONDS
        while process.poll() is None and self.lines(name) < lines and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        process.communicate(timeout=WAIT_SECONDS)
        return process.returncode

    def lines(self, name: str) -> int:
        path = self.folder / name / "tasks.csv"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def same(self, name: str) -> bool:
        """Whether the run wrote what the undisturbed one did."""
        pairs = [(self.folder / name / table, self.folder / "undisturbed" / table) for table in TABLES]
        return all(one.exists() and one.read_bytes() == other.read_bytes() for one, other in pairs)


def stops(attack: Attack, kills: int) -> None:
    """Each polite signal once, and SIGKILL so many times."""
    for index, number in enumerate([*STOPS, *[signal.SIGKILL] * kills]):
        name, kind = f"stopped-{index}", "kills" if number == signal.SIGKILL else "signals"
        code = attack.stopped(name, number)
        expected = (-number, 0) if number == signal.SIGKILL else (128 + number, 0)
        again, err = attack.finish("resume", name) if code else (0, "")
        what = f"{signal.Signals(number).name}: exit code {code}, resumed {again} {err.strip()}"
        attack.note(kind, code in expected and again == 0 and attack.same(name), what)


def mistakes(attack: Attack) -> None:
    """Malformed commands."""
    for words in MISTAKES:
        before = set(attack.folder.rglob("run.json"))
        code, err = attack.finish(*words)
        nothing = set(attack.folder.rglob("run.json")) == before
        attack.note("mistakes", code == 2 and err.count("\n") == 1 and nothing, f"{' '.join(words)}: {code} {err}")


def crafted(attack: Attack) -> None:
    """Checkpoints that are not the run's, each to `resume`; and damaged bytes."""
    path = attack.folder / "undisturbed" / "checkpoints" / "last.pt"
    original = path.read_bytes()
    for name, content in _crafted_files(path, original):
        path.write_bytes(content)
        code, err = attack.finish("resume", "undisturbed", "trainer.epochs=9")
        attack.note("crafted checkpoints", code == 2 and err.count("\n") == 1, f"{name}: {code} {err}")
    path.write_bytes(original)


def _crafted_files(path: Path, original: bytes) -> Iterator[tuple[str, bytes]]:
    good = torch.load(path, weights_only=True)
    other = path.with_name("crafted.pt")
    for name, make in CRAFTED.items():
        torch.save(make(good), other)
        yield name, other.read_bytes()
    other.unlink()
    tensor = max(good["model"].values(), key=lambda each: each.numel())
    place = original.index(tensor.numpy().tobytes())
    yield "a flipped bit", original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :]
    yield "half of it", original[: len(original) // 2]
    yield "nothing", b""


def outputs(attack: Attack) -> None:
    """A training whose reader leaves, and one that writes to a full disk: both go on to the end."""
    piped = attack.start(*attack.training("piped"), stdout=subprocess.PIPE)
    assert piped.stdout is not None
    piped.stdout.close()
    piped.wait(timeout=WAIT_SECONDS)
    attack.note("ended outputs", piped.returncode == 0 and attack.same("piped"), f"a pipe: {piped.returncode}")
    if Path("/dev/full").exists():
        with open("/dev/full", "w") as full:
            process = attack.start(*attack.training("full"), stdout=full)
            process.communicate(timeout=WAIT_SECONDS)
        attack.note("ended outputs", process.returncode == 0 and attack.same("full"), f"full: {process.returncode}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        attack = Attack(Path(folder), options.seed)
        code, err = attack.finish(*attack.training("undisturbed"))
        if code:
            raise SystemExit(f"the undisturbed run failed: {err}")
        stops(attack, options.kills)
        mistakes(attack)
        outputs(attack)
        crafted(attack)
    table = Table("attack", "held", "of")
    for kind in dict.fromkeys(kind for kind, _ in attack.counts):
        held = attack.counts[kind, True]
        table.add_row(kind, str(held), str(held + attack.counts[kind, False]))
    Console().print(table)
    return int(bool(attack.failures))


if __name__ == "__main__":
    sys.exit(main())
