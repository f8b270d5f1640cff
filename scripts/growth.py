"""Long and wide runs, and many: memory, file sizes, open files and time, in one table.

    python scripts/growth.py [--steps 20000] [--tasks 200] [--rows 1000000] [--jobs 200] [--starts 64] [--only jobs]

Nothing may grow with the length of a run but its tables, which `trainer.log_every` and `diagnostics.every` thin out;
nothing from job to job of a sweep; and of starts at once none may be lost, or written into by another.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
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
    """A command with its resident memory in MB and its open files, over time."""

    def __init__(self, words: Sequence[str], folder: Path) -> None:
        began = time.monotonic()
        self.memory: list[float] = []
        self.open: list[int] = []
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
            files = len([*Path(f"/proc/{pid}/fd").iterdir()])
        except (OSError, ValueError):
            return
        self.memory.append(pages * 4096 / MB)
        self.open.append(files)

    def figures(self) -> list[str]:
        """Exit code, seconds, CPU seconds, peak of the memory and its growth, most open files and their growth."""
        times = [str(self.code), f"{self.seconds:.0f}", f"{self.cpu:.0f}"]
        memory = [f"{max(self.memory):.0f}", f"{_growth(self.memory):+.1f}"]
        return [*times, *memory, str(max(self.open)), f"{_growth(self.open):+.0f}"]


def _growth(values: Sequence[float]) -> float:
    """Between the fifths before a half of the time and before nine tenths of it: medians, as much comes and goes."""
    count = len(values)
    if count < 20:
        return 0.0
    early, late = values[count * 3 // 10 : count // 2], values[count * 7 // 10 : count * 9 // 10]
    return statistics.median(late) - statistics.median(early)


def sizes(folder: Path) -> str:
    """The largest files below a folder in KB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    largest = sorted(files, key=lambda path: path.stat().st_size)[-3:]
    return ", ".join(f"{path.name} {path.stat().st_size / 1024:,.0f}" for path in reversed(largest))


def per_job(sweep: Path) -> str:
    """Milliseconds that jobs have taken at the beginning of a sweep and at its end, and KB that a job leaves."""
    jobs = sorted(sweep.glob("*/run.json"), key=lambda path: path.stat().st_mtime_ns)
    ends = [path.stat().st_mtime_ns / 1e6 for path in jobs]
    each = [later - earlier for earlier, later in pairwise(ends)]
    part = max(1, len(each) // 5)
    left = sum(path.stat().st_size for path in jobs[-1].parent.rglob("*") if path.is_file()) / 1024
    first, last = (f"{statistics.median(some):.0f}" for some in (each[:part], each[-part:]))
    return f"{len(jobs)} jobs, ms a job {first}, at the end {last}; KB a job {left:.0f}"


def start_at_once(words: Sequence[str], count: int, folder: Path) -> tuple[int, str]:
    """How many of so many starts at the same moment went wrong, and what was found; each start has a seed of its own.

    Wrong is a start that failed, has no folder of its own, or whose folder has another's lines.
    """
    commands = [Command([*words, f"seed={seed}"], folder) for seed in range(count)]
    ends = [command.wait() for command in commands]
    for code, err in [end for end in ends if end[0]][:3]:
        print(f"exit code {code}: {err[-300:]}", flush=True)
    records = {path.parent: json.loads(path.read_text()) for path in folder.glob("outputs/*/*/run.json")}
    of_its_own = {record["seed"] for run, record in records.items() if _is_whole(run, record)}
    wrong = count - len(of_its_own) + sum(code != 0 for code, _ in ends) + abs(len(records) - count)
    return wrong, f"{len(records)} folders, {len(of_its_own)} of one start each"


def _is_whole(run: Path, record: dict[str, object]) -> bool:
    """Whether a folder has one start's configuration, log and lines, and nothing twice."""
    with (run / "tasks.csv").open() as file:
        steps = [(row["step"], row["task"]) for row in csv.DictReader(file)]
    seeded = f"seed: {record['seed']}\n" in (run / ".hydra/config.yaml").read_text()
    log = (run / "run.log").read_text()
    own = len(steps) == len(set(steps)) and log.count("epoch 0, step") == 1
    return record["status"] == "finished" and seeded and own and (run / "summary.json").exists()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("jobs", 200), ("starts", 64), ("steps", 20_000), ("tasks", 200), ("rows", 1_000_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--only", default="steps,tasks,rows,jobs,starts", help="some of these, separated by commas")
    options = parser.parse_args(arguments)
    only = options.only.split(",")
    columns = ("what", "exit", "seconds", "CPU s", "peak MB", "growth MB", "open files", "growth", "largest files, KB")
    table = Table(*columns)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "small.npz", 300, 2)
        if "tasks" in only:
            write_table(folder / "wide.npz", 400, options.tasks)
        if "rows" in only:
            write_table(folder / "long.npz", options.rows, 2)
        small, tiny = ["task=arrays", "data.path=small.npz", *QUIET], ["trainer.max_steps=2"]
        many = ["trainer.batch_size=1", f"trainer.max_steps={options.steps}", "trainer.epochs=1000", "balancer=pcgrad"]
        wide = ["task=arrays", "data.path=wide.npz", *QUIET, "trainer.max_steps=30"]
        long = ["task=arrays", "data.path=long.npz", *QUIET, "trainer.epochs=1", "trainer.batch_size=4096"]
        runs = {
            "steps": [*small, *many, "trainer.eval_every=20", "hydra.run.dir=steps"],
            "tasks": [*wide, "hydra.run.dir=tasks"],
            "rows": [*long, "hydra.run.dir=rows"],
            "jobs": [*small, *tiny, "-m", f"seed=range({options.jobs})", "hydra.sweep.dir=jobs"],
        }
        failed = 0
        for what, words in runs.items():
            if what in only:
                done = Watched(words, folder)
                found = sizes(folder / what) + (f"; {per_job(folder / what)}" if what == "jobs" else "")
                failed += done.code != 0
                table.add_row(f"{getattr(options, what)} {what}", *done.figures(), found)
                print(what, *done.figures(), found, done.err[-300:], flush=True)
        if "starts" in only:
            os.nice(10)  # others may use this machine
            began = time.monotonic()
            wrong, found = start_at_once([*small, *tiny], options.starts, folder)
            failed += wrong
            seconds = f"{time.monotonic() - began:.0f}"
            table.add_row(f"{options.starts} starts at once", str(int(wrong > 0)), seconds, *[""] * 5, found)
    Console(width=200).print(table)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
