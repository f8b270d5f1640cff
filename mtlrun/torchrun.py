"""What torchrun, or another launcher of its kind, has put into the environment. Imports no torch."""

from __future__ import annotations

import os

from mtlrun.errors import ConfigError

_NEEDED = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def size() -> int:
    """Number of processes that were started together; 1 without torchrun."""
    return _number("WORLD_SIZE", 1)


def rank() -> int:
    """Number of this process among all, from 0."""
    return _number("RANK", 0) if size() > 1 else 0


def local_rank() -> int:
    """Number of this process among those of its machine."""
    return _number("LOCAL_RANK", 0)


def local_size() -> int:
    """Number of processes on this machine."""
    return _number("LOCAL_WORLD_SIZE", 1)


def check() -> None:
    """Raise ConfigError if several processes are announced, but not all of what they need to find each other."""
    missing = [name for name in _NEEDED if name not in os.environ]
    if size() > 1 and missing:
        raise ConfigError(
            f"WORLD_SIZE={size()} is set, but {missing[0]} is not: start with torchrun, or unset WORLD_SIZE"
        )


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdigit() else default
