"""Per-task gradients as rows of one preallocated buffer. Shapes: R rows, P parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mtlrun.gradients.ranks import Ranks


class GradientRows:
    """A [R, P] buffer, reused from step to step, whose rows are added up over the processes.

    With several processes P is rounded up to a multiple of their number, and each process works on its own range of
    columns: 1 / size of the Gram matrix and of the combination.

    Args:
        parameters: whose gradients the rows hold, in order.
        ranks: the processes that hold parts of each row.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], ranks: Ranks) -> None:
        self.parameters, self._ranks = list(parameters), ranks
        self._sizes = [parameter.numel() for parameter in self.parameters]
        self._columns = sum(self._sizes)
        self._width = -(-self._columns // ranks.size)  # columns of one process
        self._buffer: Tensor | None = None
        self._shards: Tensor | None = None
        self._views: list[list[Tensor]] = []

    def begin(self, count: int, whole: bool = False) -> None:
        """Start a step of `count` rows; `whole` if every process will need all columns."""
        if self._buffer is None or len(self._buffer) < count:
            first = self.parameters[0] if self.parameters else torch.empty(0)  # every parameter may be a task's own
            self._buffer = torch.zeros(count, self._width * self._ranks.size, dtype=first.dtype, device=first.device)
            self._views = [self.split(row) for row in self._buffer]
            self._shards = self._buffer.new_zeros(count, self._width) if self._ranks.scatters else None
        self._count, self._whole = count, whole
        self._written: set[int] = set()
        self.reached = [False] * len(self.parameters)
        """Which parameters some row of this process has a gradient of."""
        self._pending: list[Callable[[], object]] = []

    def add(self, row: int, gradients: Sequence[Tensor | None]) -> None:
        """Add gradients, one per parameter, to a row; None is zero."""
        self.reached = [known or gradient is not None for known, gradient in zip(self.reached, gradients)]
        if row in self._written:
            self._apply(torch._foreach_add_, row, gradients)
            return
        self._written.add(row)
        for view, gradient in zip(self._views[row], gradients):
            if gradient is None:
                view.zero_()
        self._apply(torch._foreach_copy_, row, gradients)

    def complete(self, row: int) -> None:
        """Nothing more comes in this process: begin to add the row up over the processes, while others are made.

        Every process must complete every row, in the same order.
        """
        assert self._buffer is not None
        if row not in self._written:
            self._buffer[row].zero_()
        if self._ranks.size == 1 or not self.parameters:
            return
        if self._shards is not None and not self._whole:
            self._pending.append(self._ranks.start_scatter(self._buffer[row], self._shards[row]))
        else:
            self._pending.append(self._ranks.start_sum(self._buffer[row]))

    def total(self) -> Tensor:
        """The rows summed over all processes: [R, P] if whole, else this process's columns of them."""
        assert self._buffer is not None
        for wait in self._pending:
            wait()
        if self._whole:
            return self._buffer[: self._count, : self._columns]
        if self._shards is not None:
            return self._shards[: self._count]
        return self._buffer[: self._count, self._start : self._start + self._width]

    def join(self, update: Tensor) -> list[Tensor]:
        """An update in the columns of `total`, put together from all processes, in the parameters' shapes.

        One that lies in the buffer, such as a row, is copied: the next step writes there.
        """
        joined = update if self._whole or not self.parameters else self._ranks.join(update)
        assert self._buffer is not None
        inside = joined.untyped_storage().data_ptr() == self._buffer.untyped_storage().data_ptr()
        return self.split(joined.clone() if inside else joined)

    def split(self, flat: Tensor) -> list[Tensor]:
        """Views of a vector [P] (or longer) in the parameters' shapes."""
        exact = flat if len(flat) == self._columns else flat[: self._columns]
        parts = exact.split_with_sizes(self._sizes)
        return [part.view(parameter.shape) for part, parameter in zip(parts, self.parameters)]

    def columns(self, parameters: Sequence[nn.Parameter]) -> list[slice]:
        """Where the given parameters lie in the columns of `total`, as far as this process has them.

        A process holds the columns start to stop of every row, and the border between two processes falls anywhere,
        mostly inside a parameter. So each parameter's range is cut to [start, stop) and counted from start; one that
        lies with other processes alone comes out empty. Together the processes' slices cover each parameter once,
        which is why products over them may be added up.
        """
        wanted = {id(parameter) for parameter in parameters}
        start, stop = (0, self._columns) if self._whole else (self._start, self._start + self._width)
        ends = torch.tensor(self._sizes).cumsum(0).tolist()
        found = [
            slice(max(end - size, start) - start, min(end, stop) - start)
            for parameter, size, end in zip(self.parameters, self._sizes, ends)
            if id(parameter) in wanted
        ]
        return [columns for columns in found if columns.start < columns.stop]

    @property
    def _start(self) -> int:
        return self._ranks.rank * self._width

    def _apply(self, operation, row: int, gradients: Sequence[Tensor | None]) -> None:  # type: ignore[no-untyped-def]
        pairs = [(view, gradient) for view, gradient in zip(self._views[row], gradients) if gradient is not None]
        if pairs:
            operation([view for view, _ in pairs], [gradient for _, gradient in pairs])
