"""A published table as plain values: what was printed, how it was measured, and what is known to be wrong in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from mtlrun.errors import choose

By = Literal["best", "last", "mean_of_last"]


@dataclass(frozen=True)
class PrintedNumber:
    """A number with the digits that it was printed with."""

    text: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.text)

    @property
    def digits(self) -> int:
        """Digits behind the point: 2 of 0.05 and of 5e-2; below 0 where digits before it are rounded, as of 1e3."""
        return -int(Decimal(self.text).as_tuple().exponent)

    @property
    def half_unit(self) -> float:
        """Half a unit of the last digit: how far rounding may have moved it."""
        return 0.5 * 10.0**-self.digits


@dataclass(frozen=True)
class PublishedMetric:
    """A column. task: 'mean' stands for the mean over all tasks. scale, offset: a score of ours in its unit is
    offset + scale * score, such as 100 * accuracy for percent."""

    task: str
    metric: str
    higher: bool
    unit: str = ""
    scale: float = 1.0
    offset: float = 0.0

    @property
    def name(self) -> str:
        """Such as 'depth abs_err'."""
        return f"{self.task} {self.metric}"

    def printed(self, score: float) -> float:
        """A score of ours in the unit of the column."""
        return self.offset + self.scale * score


@dataclass(frozen=True)
class PublishedMethod:
    """A row.

    values, spreads: one per metric, None where nothing is printed; empty where the row has none at all.
    delta, delta_spread: the relative change against single-task training, as printed.
    row_gives: what the printed row gives instead of `delta`, where rounding does not explain the difference.
    words: settings that train the method here, on top of the table's experiment; None where it is not offered.
    reaches, recomputed: of each case, whether the front is reached, by the paper and by an independent program.
    """

    name: str
    values: tuple[PrintedNumber | None, ...] = ()
    spreads: tuple[PrintedNumber | None, ...] = ()
    delta: PrintedNumber | None = None
    delta_spread: PrintedNumber | None = None
    row_gives: PrintedNumber | None = None
    words: tuple[str, ...] | None = None
    source: str = ""
    note: str = ""
    reaches: tuple[bool | None, ...] = ()
    recomputed: tuple[bool | None, ...] = ()

    def chosen(self, group: str) -> str | None:
        """The option that its words choose in a group such as 'balancer'."""
        found = [word.partition("=")[2] for word in self.words or () if word.partition("=")[0] == group]
        return found[-1] if found else None


@dataclass(frozen=True)
class ProtocolPoint:
    """One thing that the protocol fixes. settings: what a run has if it follows it; ours: how every run here differs.

    source: paper, code, an issue of the code, or by reading of the code.
    """

    point: str
    says: str
    source: str
    settings: Mapping[str, Any]
    ours: str = ""


@dataclass(frozen=True)
class PublishedDelta:
    """The relative change: its name, whether a task's metrics are averaged first, and its direction."""

    name: str
    by_task: bool
    higher: bool


@dataclass(frozen=True)
class Reduction:
    """What `--quick` trains: a statement, settings, the methods (none named: all), and the scores that are quoted."""

    says: str
    words: tuple[str, ...]
    methods: tuple[str, ...] = ()
    by: By | None = None


@dataclass(frozen=True)
class Cases:
    """Values of one setting that each method is run with, beside its seeds, such as starts of a point."""

    setting: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class PublishedTable:
    """A table with its protocol.

    seeds: runs behind each number, None where the paper does not say. spread: what its ± is: 'deviation' or 'error'
    (standard error) over the seeds, or 'none'. by: the scores that the protocol quotes. chooses_by_test: whether it
    chooses epochs by test rows. single_task: the vector that `delta` is taken against. front: bounds of each coordinate
    of a point on the front.
    """

    name: str
    title: str
    paper: str
    table: str
    verified: str
    experiment: str
    metrics: tuple[PublishedMetric, ...]
    methods: tuple[PublishedMethod, ...]
    protocol: tuple[ProtocolPoint, ...]
    quick: Reduction
    by: By
    seeds: int | None = None
    spread: str = "none"
    arxiv: str = ""
    code: str = ""
    claim: str = ""
    chooses_by: str = ""
    chooses_by_test: bool = False
    misprints: tuple[str, ...] = ()
    delta: PublishedDelta | None = None
    single_task: tuple[PrintedNumber, ...] = ()
    cases: Cases | None = None
    front: Mapping[str, tuple[float, float]] | None = None

    @property
    def source(self) -> str:
        """Paper and table in one line."""
        where = f"arXiv:{self.arxiv}" if self.arxiv else ""
        return ", ".join(filter(None, (self.paper, where, self.table)))

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names, in the order of the columns."""
        return tuple(dict.fromkeys(metric.task for metric in self.metrics))

    @property
    def trained(self) -> tuple[PublishedMethod, ...]:
        """Methods that can be trained here."""
        return tuple(method for method in self.methods if method.words is not None)

    def method(self, name: str) -> PublishedMethod:
        """The row of that name; raises ConfigError if there is none."""
        return {row.name: row for row in self.methods}[
            choose(name, [row.name for row in self.methods], f"method of {self.name}")
        ]
