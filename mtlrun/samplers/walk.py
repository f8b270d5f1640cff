"""A walk over the rows of one pool in shuffled passes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.errors import ResumeError


class Walk:
    """Hands out every row once a pass; each pass has its own order, a pure function of (seed, pool, pass).

    Args:
        rows: row numbers [n].
        seed, place: of the run, and of the pool among the pools.
    """

    def __init__(self, rows: Tensor, seed: int, place: int) -> None:
        self._all = rows
        self._seed, self._place = seed, place
        self._in_use = rows
        self._pass = 0
        self._position = 0
        self._order: Tensor | None = None

    def take(self, count: int) -> Tensor:
        """The next `count` rows, over as many passes as it takes."""
        assert self._position < len(self._in_use), "a walk without a row ahead never ends"
        parts = []
        while count > 0:
            part = self._current()[self._position : self._position + count]
            parts.append(part)
            count -= len(part)
            self._position += len(part)
            if self._position == len(self._in_use):
                self._start_pass()
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def restrict(self, rows: Tensor) -> None:
        """Walk over these rows [m >= 1] only from now on, in a new pass."""
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
        if self._order is None:
            generator = torch.Generator().manual_seed(_mix(self._seed, self._place, self._pass))
            self._order = self._in_use[torch.randperm(len(self._in_use), generator=generator)]
        return self._order


def _mix(*numbers: int) -> int:
    """One 63-bit seed from several small numbers, so that neighbouring passes and pools have unrelated orders."""
    state = 0x9E3779B97F4A7C15
    for number in numbers:
        state = (state ^ (number + 0x7F4A7C15)) * 0xBF58476D1CE4E5B9 % 2**64
        state ^= state >> 31
    return state % 2**63
