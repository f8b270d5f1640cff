"""mtlrun: one command trains, measures and compares multi-task networks. Importing it costs nothing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtlrun.cli.api import Result, run

__all__ = ["Result", "__version__", "run"]


def __getattr__(name: str) -> Any:
    """`run` and `Result` of the Python interface and `__version__`, loaded when they are asked for."""
    if name == "__version__":
        from mtlrun.version import installed_version

        return installed_version()
    if name in __all__:
        from mtlrun.cli import api

        return getattr(api, name)
    raise AttributeError(f"module 'mtlrun' has no attribute '{name}'")
