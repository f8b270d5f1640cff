"""A report as plain values. Renderers draw it and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mtlrun.reporting.gains import Measure
from mtlrun.reporting.many_tasks import ManyTasks
from mtlrun.reporting.paired import Estimate

Verdict = Literal["better", "worse", "undecided"]


@dataclass(frozen=True)
class TaskColumn:
    """A task with the metric that judges it.

    test_error: standard error of the metric by the number of test rows, at the mean of the rows; None where unknown.
    """

    task: str
    metric: str
    higher: bool
    test_error: float | None = None


@dataclass(frozen=True)
class Cell:
    """A row's result in one task.

    gain: the paired difference to the baseline in the metric's own unit, positive is better; None without a baseline.
    """

    values: Mapping[int, float]
    mean: float | None
    deviation: float | None
    bold: bool = False
    gain: Estimate | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Row:
    """One configuration over its seeds.

    settings: of the columns of the section; a key that the configuration lacks is absent.
    baseline: index of the single-task row in the section; None where there is none, and for a baseline itself.
    delta: Delta-m or Delta-p; see `Report.measure`.
    edges: tuned keys whose value lies at the edge of their grid.
    """

    label: str
    settings: Mapping[str, Any]
    seeds: tuple[int | None, ...]
    folders: tuple[str, ...]
    cells: tuple[Cell, ...]
    is_baseline: bool = False
    baseline: int | None = None
    delta: Estimate | None = None
    delta_bold: bool = False
    verdict: Verdict | None = None
    rank: float | None = None
    seconds: float | None = None
    memory: float | None = None
    validation: float | None = None
    many: ManyTasks | None = None
    edges: tuple[str, ...] = ()

    @property
    def known_seeds(self) -> int:
        """Number of runs whose seed is known: only these are paired with others."""
        return sum(seed is not None for seed in self.seeds)


@dataclass(frozen=True)
class Standing:
    """Where a method, a row, stands to the front of fixed weights.

    rival: the row with fixed weights that beats it, or that it beats; None on the front.
    """

    row: int
    place: Literal["behind", "on", "beyond"]
    rival: int | None


@dataclass(frozen=True)
class ScalarisationFront:
    """Plain weighted sums: the rows with fixed weights, those that no other of them beats, and how methods compare."""

    rows: tuple[int, ...]
    front: tuple[int, ...]
    methods: tuple[Standing, ...]


@dataclass(frozen=True)
class PublishedCell:
    """A number as printed, in the unit of our scores, with its spread if one is printed."""

    text: str
    spread: str = ""

    @property
    def number(self) -> float:
        """The value, to sort by."""
        return float(self.text)


@dataclass(frozen=True)
class PublishedRow:
    """A row of a paper's table. It stands beside ours: it is never pooled with them, and nothing is tested against it.

    seeds: runs behind each number, None where the paper does not say. cells: one for each task of the section.
    """

    table: str
    method: str
    seeds: int | None
    cells: tuple[PublishedCell | None, ...]
    delta: PublishedCell | None = None

    @property
    def label(self) -> str:
        """What the row is called wherever it stands."""
        return f"{self.method} (published, {self.table})"


@dataclass(frozen=True)
class Section:
    """A table: all configurations of one task set.

    columns: settings that tell the rows apart. common: overrides that all runs share.
    verdicts: a line per row. conclusion: one sentence on the whole.
    notes: how to read the numbers. commands: what to run next. front: of fixed weights, where they were swept.
    published: rows of papers. beside: where these are from, how far ours are from them, in what the protocol differs.
    """

    tasks: tuple[TaskColumn, ...]
    columns: tuple[str, ...]
    common: tuple[str, ...]
    rows: tuple[Row, ...]
    conclusion: str
    verdicts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    front: ScalarisationFront | None = None
    published: tuple[PublishedRow, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The tasks in one line; their number where there are many."""
        names = [column.task for column in self.tasks]
        return ", ".join(names) if len(names) <= 6 else f"{len(names)} tasks"


@dataclass(frozen=True)
class Unfinished:
    """A run that counts nowhere, and why."""

    folder: str
    label: str
    status: str
    reason: str = ""


@dataclass(frozen=True)
class TidyValue:
    """A line of the tidy table: one value of one run."""

    run: str
    seed: int | None
    settings: Mapping[str, Any]
    task: str
    metric: str
    split: str
    value: float
    higher: bool | None


@dataclass(frozen=True)
class PublishedValue:
    """A line of the tidy table that is a paper's: in the unit of our scores."""

    table: str
    method: str
    task: str
    metric: str
    value: float
    higher: bool


@dataclass(frozen=True)
class Report:
    """Everything that a report says. to_finish: commands for the runs that were stopped or killed."""

    by: str
    measure: Measure
    sections: tuple[Section, ...]
    unfinished: tuple[Unfinished, ...] = ()
    tidy: tuple[TidyValue, ...] = ()
    published: tuple[PublishedValue, ...] = ()
    to_finish: tuple[str, ...] = ()
