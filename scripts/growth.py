"""Long and wide runs, and many: memory, file sizes, open files and time, in one table.

    python scripts/growth.py [--jobs 200] [--starts 64] [--steps 20000] [--tasks 200] [--rows 1000000]

Nothing may grow with the length of a run but its tables, which `trainer.log_every` and `diagnostics.every` thin out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from forked_commands import Command
from rich.console import Console
from rich.table import Table

MB = 2**20
# Without plots: drawing takes memory once, at the end.
QUIET = (
    "trainer.device=cpu",
    "diagnostics.pictures=0",
    "diagnostics.plots=false",
)


def write_table(path: Path, rows: int, tasks: int) -> None:
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(rows, 6)).astype(np.float32)
    labels = {f"task{index}": (inputs[:, index % 6] > 0.02 * (index // 6)).astype(np.int8) for index in range(tasks)}
    np.savez(path, inputs=inputs, **labels)  # type: ignore[arg-type]


class Watched:
    """A command with what it had at its worst: resident memory in MB and open files, and memory at half its time."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        began = time.monotonic()
        self.memory: list[float] = []
        self.files = 0
        command = Command(words, folder)
        while command.running():
            self._look(command.pid)
            time.sleep(0.1)
        self.code, self.err = command.wait()
        self.seconds = time.monotonic() - began
        self.cpu = command.usage.ru_utime + command.usage.ru_stime if command.usage else 0.0

    def _look(self, pid: int) -> None:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            self.files = max(self.files, len([*Path(f"/proc/{pid}/fd").iterdir()]))
        except (OSError, ValueError):
            return
        self.memory.append(pages * 4096 / MB)

    @property
    def growth(self) -> float:
        """MB between a half and nine tenths of its time."""
        count = len(self.memory)
        return self.memory[count * 9 // 10] - self.memory[count // 2] if count > 10 else 0.0


def sizes(folder: Path) -> str:
    """The largest files of a run in KB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    largest = sorted(files, key=lambda path: path.stat().st_size)[-3:]
    return ", ".join(f"{path.name} {path.stat().st_size / 1024:,.0f}" for path in reversed(largest))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("jobs", 200), ("starts", 64), ("steps", 20_000), ("tasks", 200), ("rows", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args(arguments)
    table = Table("what", "exit", "seconds", "CPU s", "peak MB", "growth MB", "open files", "largest files, KB")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "small.npz", 300, 2)
        write_table(folder / "wide.npz", 400, options.tasks)
        write_table(folder / "long.npz", options.rows, 2)
        small, tiny = ["task=arrays", "data.path=small.npz", *QUIET], ["trainer.max_steps=2"]
        many = ["trainer.batch_size=1", f"trainer.max_steps={options.steps}", "trainer.epochs=1000", "balancer=pcgrad"]
        runs = {
            f"{options.steps} steps": [*small, *many, "trainer.eval_every=20"],
            f"{options.tasks} tasks": ["task=arrays", "data.path=wide.npz", *QUIET, "trainer.max_steps=30"],
            f"{options.rows} rows": [
                "task=arrays",
                "data.path=long.npz",
                *QUIET,
                "trainer.epochs=1",
                "trainer.batch_size=4096",
            ],
            f"a sweep of {options.jobs}": [*small, *tiny, "-m", f"seed=range({options.jobs})", "hydra.sweep.dir=sweep"],
        }
        failed = 0
        for index, (what, words) in enumerate(runs.items()):
            one = [] if "-m" in words else [f"hydra.run.dir=run{index}"]
            done = Watched([*words, *one], folder)
            found = sizes(folder / (one[0].partition("=")[2] if one else "sweep"))
            failed += done.code != 0
            row = (done.code, f"{done.seconds:.0f}", f"{done.cpu:.0f}", f"{max(done.memory):.0f}", f"{done.growth:.1f}")
            table.add_row(what, *map(str, row), str(done.files), found)
            print(what, *row, done.files, found, done.err[-300:], flush=True)
        began = time.monotonic()
        commands = [Command([*small, *tiny], folder) for _ in range(options.starts)]
        codes = [command.wait()[0] for command in commands]
        made = len([*folder.glob("outputs/*/*/run.json")])
        failed += made != options.starts or any(codes)
        seconds = f"{time.monotonic() - began:.0f}"
        table.add_row(f"{options.starts} starts at once", str(max(codes)), seconds, "", "", "", "", f"{made} folders")
    Console(width=160).print(table)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
