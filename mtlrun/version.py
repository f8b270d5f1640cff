"""The version of the package that is installed. Imports nothing of ours."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Such as '0.1.0'; 'unknown' in a checkout that was never installed."""
    try:
        return version("mtlrun")
    except PackageNotFoundError:
        return "unknown"
