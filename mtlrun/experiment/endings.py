"""How a run ended, and why, in one line."""

from __future__ import annotations

from mtlrun.blame import failed_part
from mtlrun.config.explain import explain
from mtlrun.errors import FolderLost, NonFiniteError, ProcessLost
from mtlrun.lines import one_line
from mtlrun.runs.folder import Ending
from mtlrun.training.interrupt import signal_name
from mtlrun.troubles import trouble


def failure(error: BaseException) -> str:
    """Why a run failed, in one line: a mistake's own words, or the error's kind and words."""
    known = explain(error)
    refused = trouble(error)
    if known is None and (refused is not None or isinstance(error, FolderLost)):
        known = refused[0] if refused is not None else str(error)
    if known is None and not isinstance(error, NonFiniteError | ProcessLost):
        known = failed_part(error)
    return one_line(known if known is not None else f"{type(error).__name__}: {error}".rstrip(": "))


def ending(error: BaseException) -> tuple[Ending, str]:
    """How a run ends that this stopped: interrupted, or failed, and why."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", "stopped by SIGINT"
    if isinstance(error, SystemExit):
        return "interrupted", f"stopped by {signal_name(error.code)}"
    return "failed", failure(error)
