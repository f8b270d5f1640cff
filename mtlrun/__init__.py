"""mtlrun: one command trains, measures and compares multi-task networks. Importing it costs nothing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtlrun.cli.api import Result, SweepResult, run
    from mtlrun.gradients.balance import balance
    from mtlrun.inference.loaded import load
    from mtlrun.reporting.make import report

__all__ = ["Result", "SweepResult", "__version__", "balance", "load", "report", "run"]


def __getattr__(name: str) -> Any:
    """The Python interface, each part loaded when it is asked for; `load` and `report` need no torch."""
    if name == "__version__":
        from mtlrun.version import installed_version

        return installed_version()
    if name == "load":
        from mtlrun.inference.loaded import load

        return load
    if name == "report":
        from mtlrun.reporting.make import report

        return report
    if name == "balance":
        from mtlrun.gradients.balance import balance

        return balance
    if name in __all__:
        from mtlrun.cli import api

        return getattr(api, name)
    raise AttributeError(f"module 'mtlrun' has no attribute '{name}'")
