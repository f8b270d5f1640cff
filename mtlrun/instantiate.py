"""Hydra's instantiate with errors that fit on one line. Imports no torch."""

from __future__ import annotations

import re
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate as hydra_instantiate

from mtlrun.errors import ConfigError, MtlrunError

_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


def instantiate(settings: Any, where: str, **arguments: Any) -> Any:
    """Build what `_target_` names from `settings` and further arguments, which Hydra does not touch.

    Args:
        settings: a config node or dict with `_target_`.
        where: its place in the configuration, for messages.

    Raises:
        ConfigError: the class's own, or one that says that the target is missing, broken or given wrong arguments.
    """
    try:
        factory = hydra_instantiate(settings, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _one_line(error, where) from error
    return call(factory, where, **arguments)


def call(factory: Any, where: str, **arguments: Any) -> Any:
    """Call a factory; a TypeError about its arguments becomes a ConfigError at `where`."""
    try:
        return factory(**arguments)
    except TypeError as error:
        if not _raised_by_the_call(error):
            raise  # from inside the class: a defect, not a wrong argument
        word = _UNEXPECTED.search(str(error))
        remedy = f": leave it out with ~{where}.{word[1]}" if word else ""
        raise ConfigError(f"{where}: {error}{remedy}") from error


def _raised_by_the_call(error: TypeError) -> bool:
    """Whether no code of the class has run: the last frame is ours, or Hydra's, which calls it for us."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    module = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return module == __name__ or module.partition(".")[0] == "hydra"


def _one_line(error: InstantiationException, where: str) -> MtlrunError:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, MtlrunError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, MtlrunError):
        return cause
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("full_key")]
    return ConfigError(f"{where}: {' '.join(lines)}")
