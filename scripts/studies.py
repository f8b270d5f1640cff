"""The outcomes of the studies over several seeds, beside what theory says: a table in Markdown.

    python scripts/studies.py [--seeds 5] [--only scarce,scales]

Every run is one that `mtlrun` trains with the settings in the table; seeds change network and data alike. Numbers are
mean and deviation over the seeds, of test values at the last epoch. Folders go to a temporary place and are removed.
"""

from __future__ import annotations

import argparse
import csv
import logging
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from math import erf, sqrt
from pathlib import Path
from typing import cast

import torch

from mtlrun import Result, run
from mtlrun.data.sets import study_scarce
from mtlrun.data.source import Source
from mtlrun.reporting.doubts import doubts

QUIET = ["diagnostics.plots=false", "trainer.device=cpu"]
SETTLED = "balancer=uncertainty balancer.initial=25 balancer.lr=0.1"
STARTS = ["[-8.5,7.5]", "[0,0]", "[9,9]", "[-7.5,-0.5]", "[9,-1]"]

Measure = Callable[[Result], float]


@dataclass(frozen=True)
class Line:
    """One line of the table: a command, what is measured on its run, and what theory expects of it."""

    study: str
    settings: str
    what: str
    measure: Measure
    theory: str


def test(task: str, metric: str) -> Measure:
    return lambda result: result.summary["tasks"][task]["last"]["test"][metric]


def gap(task: str) -> Measure:
    return lambda result: result.summary["tasks"][task]["gap"]


def mean_excess(result: Result) -> float:
    """Test risk above that of the true vectors, over the tasks."""
    tasks = result.summary["tasks"].values()
    return statistics.fmean(task["last"]["test"]["loss"] for task in tasks) - 0.25


def share(task: str) -> Measure:
    return lambda result: result.summary["tasks"][task]["update_share"]


def late_cosine(result: Result) -> float:
    """Mean over the second half of the measured steps."""
    with (result.folder / "cosines.csv").open() as file:
        values = [float(line["cosine"]) for line in csv.DictReader(file)]
    return statistics.fmean(values[len(values) // 2 :])


def late_part(task: str) -> Measure:
    """Weight times gradient norm: the length of a task's part of the shared update, at the last measured quarter."""

    def measure(result: Result) -> float:
        with (result.folder / "tasks.csv").open() as file:
            lines = [line for line in csv.DictReader(file) if line["task"] == task and line["grad_norm"]]
        late = lines[-len(lines) // 4 :]
        return statistics.geometric_mean(float(line["weight"]) * float(line["grad_norm"]) for line in late)

    return measure


def named(task: str) -> Measure:
    """1 if the report names this task and no other."""
    return lambda result: float([line.split("'")[1] for line in doubts(result.summary)] == [task])


def probability(value: float) -> str:
    return f"{(1 + erf(value / sqrt(2))) / 2:.3f}"


def closed_form(relatedness: float, seeds: int) -> str:
    """Gap of `scarce` for the one vector that minimises the sum of both tasks' mean squared errors."""
    gaps = []
    for seed in range(seeds):
        splits = study_scarce.load(seed=seed, relatedness=relatedness)
        pair = [rows(splits.train[0], task) for task in ("scarce", "ample")]
        moments = sum(inputs.T @ inputs / len(inputs) for inputs, _ in pair)
        vector = torch.linalg.solve(moments, sum(inputs.T @ targets / len(inputs) for inputs, targets in pair))
        train, val = (
            float((inputs @ vector - targets).square().mean())
            for inputs, targets in (pair[0], rows(splits.val[0], "scarce"))
        )
        gaps.append(val - train)
    return shown(gaps)


def rows(source: Source, task: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets of a task's rows."""
    inputs, targets = source.fetch(source.labelled(task).nonzero().squeeze(1))
    return inputs, targets[task]


def lines(seeds: int) -> list[Line]:
    found: list[Line] = []

    def add(study: str, settings: str, what: str, measure: Measure, theory: str) -> None:
        found.append(Line(study, settings, what, measure, theory))

    least = f"least squares: {0.25 * 50 / 49:.2f}"
    add("subspace", "sharing=hard", "excess risk", mean_excess, f"about {0.25 * 2 * 58 / 800:.2f}: sharing wins")
    add("subspace", "sharing=independent", "excess risk", mean_excess, least)
    add("subspace", "data.vectors=orthogonal sharing=hard", "excess risk", mean_excess, "above 1 - 2/8: sharing loses")
    add("subspace", "data.vectors=orthogonal sharing=independent", "excess risk", mean_excess, least)
    add("scarce", "sharing=independent", "gap of scarce", gap("scarce"), "large: 20 rows can be fitted exactly")
    for relatedness in (1.0, 0.9, 0.7, 0.5, 0.0):
        settings, theory = f"data.relatedness={relatedness}", closed_form(relatedness, seeds)
        add("scarce", settings, "gap of scarce", gap("scarce"), f"closed form: {theory}")
    for settings in ("sharing=independent", "data.relatedness=1.0", "data.relatedness=0.0"):
        theory = "lower if related, higher if not" if settings.startswith("data") else ""
        add("scarce", settings, "test loss of scarce", test("scarce", "loss"), theory)
    for unit in ("m", "mm"):
        add("scales", f"data.unit={unit}", "accuracy of kind", test("kind", "accuracy"), "starved")
        add("scales", f"data.unit={unit}", "its share of the update", share("kind"), "0, the less the smaller the unit")
    for unit in ("m", "mm"):
        add("scales", f"data.unit={unit} {SETTLED}", "accuracy of kind", test("kind", "accuracy"), "the same in both")
        part = late_part("distance")
        add("scales", f"data.unit={unit} {SETTLED}", "distance's part of the update", part, "the same in both")
    for unit in ("m", "mm"):
        settings = f"data.unit={unit} task.tasks.distance.standardise=true"
        add("scales", settings, "accuracy of kind", test("kind", "accuracy"), "not starved, the same in both")
    for settings, cosine, score in (
        ("sharing=hard", "near -1", "0"),
        ("balancer=pcgrad", "near -1", "0: no update serves both"),
        ("sharing=film", "above 0", "1"),
    ):
        add("conflict", settings, "cosine, second half", late_cosine, cosine)
        add("conflict", settings, "R2 of plus", test("plus", "r2"), score)
        add("conflict", settings, "R2 of minus", test("minus", "r2"), score)
    validation: Measure = lambda result: result.summary["tasks"]["b"]["last"]["val"]["accuracy"]  # noqa: E731
    add("shortcut", "", "validation accuracy of b", validation, probability(sqrt(5)))
    add("shortcut", "", "accuracy of b", test("b", "accuracy"), probability(-3 / sqrt(5)))
    add("shortcut", "", "accuracy of a", test("a", "accuracy"), probability(3 / sqrt(5)))
    add("shortcut", "", "the report names b alone", named("b"), "1")
    add("shortcut", "data.agreement=0.5", "accuracy of b", test("b", "accuracy"), probability(1))
    add("shortcut", "data.agreement=0.5", "the report names b alone", named("b"), "0")
    for balancer, theory in {
        "equal": "stuck in the valley from (9, 9)",
        "nash_mtl": "the Pareto set, -8.36, from everywhere",
        "famo balancer.gamma=0": "the Pareto set, with more steps",
    }.items():
        for start in STARTS:
            settings = f"balancer={balancer} backbone.start={start}"
            add("toy", settings, "x2 in the end", test("first", "x2"), theory)
    return found


class Runs:
    """Runs by study and settings, each trained once per seed."""

    def __init__(self, folder: Path, seeds: int) -> None:
        self._folder, self._seeds = folder, seeds
        self._known: dict[tuple[str, str], list[Result]] = {}

    def of(self, line: Line) -> list[Result]:
        key = (line.study, line.settings)
        if key not in self._known:
            print(f"{line.study} {line.settings}", file=sys.stderr, flush=True)
            toy = line.study == "toy"  # nothing in it is drawn
            self._known[key] = [self._train(line, seed) for seed in range(1 if toy else self._seeds)]
        return self._known[key]

    def _train(self, line: Line, seed: int) -> Result:
        task = "toy" if line.study == "toy" else f"study_{line.study}"
        seeds = [f"seed={seed}"] + ([] if line.study == "toy" else [f"data.seed={seed}"])
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        with redirect_stdout(StringIO()):  # which takes the progress
            return cast(Result, run([f"task={task}", *line.settings.split(), *seeds, *QUIET], folder=folder))


def shown(values: Sequence[float]) -> str:
    mean = f"{statistics.fmean(values):.3g}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", help="studies, separated by commas")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    if options.seeds < 1:
        parser.error("--seeds takes a whole number of at least 1")
    known = {line.study for line in lines(options.seeds)}
    wanted = options.only.split(",") if options.only else known
    if not known.issuperset(wanted):
        parser.error(f"--only takes some of {', '.join(sorted(known))}")
    print("| study | settings | measured | theory | found |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        runs = Runs(Path(folder), options.seeds)
        for line in (line for line in lines(options.seeds) if line.study in wanted):
            found = shown([line.measure(result) for result in runs.of(line)])
            settings = f"`{line.settings}`" if line.settings else "as it is"
            print(f"| {line.study} | {settings} | {line.what} | {line.theory} | {found} |", flush=True)


if __name__ == "__main__":
    main()
