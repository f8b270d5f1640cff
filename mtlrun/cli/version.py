"""`mtlrun --version`."""

from __future__ import annotations

import mtlrun


def main(arguments: list[str]) -> int:
    """Print the version."""
    print(f"mtlrun {mtlrun.__version__}")
    return 0
