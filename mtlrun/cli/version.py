"""`mtlrun --version`."""

from __future__ import annotations

from mtlrun.version import installed_version


def main(arguments: list[str]) -> int:
    """Print the version."""
    print(f"mtlrun {installed_version()}")
    return 0
