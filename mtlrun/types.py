"""Words that every part shares.

Shapes: B rows of a batch, n labelled rows of one task, T tasks, P shared parameters, C channels, H x W pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from torch import Tensor

Rows = Mapping[str, Tensor | None]
"""Per task the positions [n] of its labelled rows in the batch; None stands for every row."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What one backbone stage puts out.

    `stride` is the number of input pixels per feature pixel for maps [B, C, H, W], None for vectors [B, C].
    `carried` further channels after these hold what later stages need to know of a row, such as where its atoms
    are. Sharing schemes neither read nor change them.
    """

    name: str
    channels: int
    stride: int | None
    carried: int = 0


@dataclass(slots=True)
class Batch:
    """The rows of one source in one step.

    inputs: [B, ...], ready for the network.
    targets: per task the labels of its labelled rows, [n, ...].
    rows: per task the positions of those rows among the B; a task that is absent here has no labelled row.
    """

    source: str
    inputs: Tensor
    targets: dict[str, Tensor]
    rows: dict[str, Tensor | None]


class AnswerTexts(Protocol):
    """A question's gold answers as they were written, and how its row's tokens read."""

    @property
    def gold(self) -> Sequence[str]:
        """The gold answers; none if there is no answer."""

    def written(self, first: int, last: int) -> str:
        """The stretch of the text from one token to another; '' from the first token, which stands for no answer."""


def select(values: Tensor, rows: Tensor | None) -> Tensor:
    """The given rows of `values` [B, ...] as [n, ...]; all of them, uncopied, for None."""
    return values if rows is None else values.index_select(0, rows)


NO_BOX = -1
"""Class of rows of boxes that are there to fill up."""

ClassIndex = TypeVar("ClassIndex", int, Tensor)


def region_of(index: ClassIndex) -> ClassIndex:
    """What stands in place of a box's class for a region where detections of class `index` are ignored; and back."""
    return -2 - index


NUMBER, MISSING_FLAG, CATEGORY = "number", "missing", "category"


@dataclass(frozen=True)
class InputColumn:
    """What one entry is of the vectors that a source makes of a table, and so how to make them of another row of it
    (`mtlrun.data.tables.encode`). All statistics are those of the training rows.

    name: of the table's column.
    kind: 'number': (value - mean) / deviation; 'missing': 1 where the table's column has no value, else 0; 'category':
        the place of the text in `values`, from 1 on, and 0 for any other text.
    mean, deviation: of a number.
    fill: what a number without a value is taken for, their median.
    date: whether the number is the days since 1970 of an ISO date.
    values: the texts of a category that have a place of their own; '' is the one that stands for no value.
    numeric: whether they are numbers that the data names as categories; others are compared as they are written.
    """

    name: str
    kind: str = NUMBER
    mean: float = 0.0
    deviation: float = 1.0
    fill: float = 0.0
    date: bool = False
    values: tuple[str, ...] = ()
    numeric: bool = False

    @property
    def codes(self) -> int:
        """How many whole numbers a category can be."""
        return len(self.values) + 1


def categories(columns: Sequence[InputColumn]) -> list[InputColumn]:
    """Those that are categories."""
    return [column for column in columns if column.kind == CATEGORY]
