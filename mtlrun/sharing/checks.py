"""Where a scheme parts from the common trunk."""

from __future__ import annotations

from collections.abc import Sequence

from mtlrun.errors import choose


def depth_of(split: str, names: Sequence[str], where: str = "sharing.split") -> int:
    """Number of stages up to and including the one called `split`."""
    return list(names).index(choose(split, names, f"stage for {where}")) + 1
