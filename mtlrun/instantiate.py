"""Hydra's instantiate with errors that fit on one line. Imports no torch."""

from __future__ import annotations

from functools import partial
from inspect import Parameter, Signature, signature
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate as hydra_instantiate

from mtlrun.errors import ConfigError, MtlrunError, near_miss


def instantiate(settings: Any, where: str, **arguments: Any) -> Any:
    """Build what `_target_` names from `settings` and further arguments, which Hydra does not touch.

    Args:
        settings: a config node or dict with `_target_`.
        where: its key in the configuration, for messages.

    Raises:
        ConfigError: the class's own, or one that says that the target is missing, broken or given wrong arguments.
    """
    try:
        factory = hydra_instantiate(settings, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _one_line(error, where) from error
    return call(factory, where, **arguments)


def call(factory: Any, where: str, **arguments: Any) -> Any:
    """Call a factory; arguments that it does not take become a ConfigError at `where`."""
    _check_arguments(factory, where, arguments)
    return factory(**arguments)  # a TypeError from here on is a defect of the class


def _check_arguments(factory: Any, where: str, arguments: dict[str, Any]) -> None:
    function, positional, given = factory, (), arguments
    if isinstance(factory, partial):  # the signature of a partial with wrong arguments cannot be asked for
        function, positional, given = factory.func, factory.args, {**factory.keywords, **arguments}
    try:
        wanted = signature(function)
    except ValueError:
        return  # some built-in classes tell none
    try:
        wanted.bind(*positional, **given)
    except TypeError as error:
        name = getattr(function, "__qualname__", function)
        raise ConfigError(f"{where}: {name}() {_refusal(error, wanted, given, where)}") from error


def _refusal(error: TypeError, wanted: Signature, given: dict[str, Any], where: str) -> str:
    takes_any = any(parameter.kind is Parameter.VAR_KEYWORD for parameter in wanted.parameters.values())
    extra = next((word for word in given if word not in wanted.parameters), None)
    if extra is None or takes_any:
        return str(error)
    hint = near_miss(extra, wanted.parameters) or ":"
    takes = ", ".join(wanted.parameters)
    return f"got an unexpected keyword argument '{extra}'{hint} leave it out with ~{where}.{extra} (it takes: {takes})"


def _one_line(error: InstantiationException, where: str) -> MtlrunError:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, MtlrunError):
        cause = cause.__cause__ or cause.__context__
    if isinstance(cause, MtlrunError):
        return cause
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("full_key")]
    return ConfigError(f"{where}: {' '.join(lines)}")
