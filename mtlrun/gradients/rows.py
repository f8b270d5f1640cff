"""Per-task gradients as rows of one preallocated buffer. Shapes: T active tasks, P parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class GradientRows:
    """A [T, P] buffer, reused from step to step, with a view of each parameter's part of each row.

    Args:
        parameters: whose gradients the rows hold, in order.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        self._sizes = [parameter.numel() for parameter in self.parameters]
        self._buffer: Tensor | None = None
        self._views: list[list[Tensor]] = []

    def get(self, count: int) -> Tensor:
        """The first `count` rows, [count, P]; allocated at first use and whenever more are asked for than ever."""
        if self._buffer is None or len(self._buffer) < count:
            first = self.parameters[0]
            self._buffer = torch.zeros(count, sum(self._sizes), dtype=first.dtype, device=first.device)
            self._views = [self.split(row) for row in self._buffer]
        return self._buffer[:count]

    def split(self, flat: Tensor) -> list[Tensor]:
        """Views of a [P] vector in the parameters' shapes."""
        parts = flat.split(self._sizes)
        return [part.view(parameter.shape) for part, parameter in zip(parts, self.parameters)]

    def columns(self, parameters: Sequence[nn.Parameter]) -> list[slice]:
        """Where the given parameters lie in a row."""
        wanted = {id(parameter) for parameter in parameters}
        ends = torch.tensor(self._sizes).cumsum(0).tolist()
        return [
            slice(end - size, end)
            for parameter, size, end in zip(self.parameters, self._sizes, ends)
            if id(parameter) in wanted
        ]

    def write(self, row: int, gradients: Sequence[Tensor | None]) -> None:
        """Store one task's gradients, one per parameter; None is zero."""
        for view, gradient in zip(self._views[row], gradients):
            if gradient is None:
                view.zero_()
        self._apply(torch._foreach_copy_, row, gradients)

    def add(self, row: int, gradients: Sequence[Tensor | None]) -> None:
        """Add one task's gradients to what is there."""
        self._apply(torch._foreach_add_, row, gradients)

    def _apply(self, operation, row: int, gradients: Sequence[Tensor | None]) -> None:  # type: ignore[no-untyped-def]
        pairs = [(view, gradient) for view, gradient in zip(self._views[row], gradients) if gradient is not None]
        if pairs:
            operation([view for view, _ in pairs], [gradient for _, gradient in pairs])
