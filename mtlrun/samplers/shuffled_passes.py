"""The rows of one pool, pass after pass, each in an order of its own."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ResumeError
from mtlrun.seeds import row_order_seed


class ShuffledPasses:
    """Hands out every row once a pass; each pass has its own order, a pure function of (seed, pool, pass).

    Args:
        rows: row numbers [n].
        seed: of the run.
        pool: index of the pool among the pools.
    """

    def __init__(self, rows: Tensor, seed: int, pool: int) -> None:
        self._all = rows
        self._seed, self._pool = seed, pool
        self._in_use = rows
        self._pass = 0
        self._position = 0
        self._order: Tensor | None = None

    def take(self, count: int) -> Tensor:
        """The next `count` rows, over as many passes as it takes."""
        rows = len(self._in_use)
        assert self._position < rows, "without a row ahead this would never end"
        parts = []
        while count > 0:
            stop = min(self._position + count, rows)
            parts.append(self._current()[self._position : stop])
            count -= stop - self._position
            self._position = stop
            if stop == rows:
                self._start_pass()
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def begin(self) -> None:
        """Begin a new pass, unless this one has just begun: the rows that are left of it are left out."""
        if self._position:
            self._start_pass()

    def restrict(self, rows: Tensor) -> None:
        """Hand out these rows [m >= 1] only from now on, in a new pass."""
        self._in_use = rows
        self._start_pass()

    def state_dict(self) -> dict[str, Any]:
        restricted = None if self._in_use is self._all else self._in_use
        return {"pass": self._pass, "position": self._position, "in_use": restricted}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken.

        Raises:
            ResumeError: if there is no such place among these rows.
        """
        in_use = self._all if state["in_use"] is None else state["in_use"]
        position = state["position"]
        if not 0 <= position < len(in_use) or not torch.isin(in_use, self._all).all():
            raise ResumeError(
                f"the checkpoint stands at row {position} of a pass over {len(in_use)}, and the data have "
                f"{len(self._all)} now: give them back as they were, or start a new run with init_from"
            )
        self._pass, self._position, self._in_use = state["pass"], position, in_use
        self._order = None

    def _start_pass(self) -> None:
        self._pass += 1
        self._position = 0
        self._order = None

    def _current(self) -> Tensor:
        """This pass's order. Made anew from the seed after a resume, so a checkpoint need not hold it."""
        if self._order is None:
            generator = torch.Generator().manual_seed(row_order_seed(self._seed, self._pool, self._pass))
            self._order = self._in_use[torch.randperm(len(self._in_use), generator=generator)]
        return self._order
