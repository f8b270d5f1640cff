"""Hydra's instantiate with errors that fit on one line. Imports no torch."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from inspect import Parameter, Signature, signature
from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate as hydra_instantiate
from omegaconf import OmegaConf

from mtlrun.blame import cause
from mtlrun.errors import ConfigError, MtlrunError, near_miss
from mtlrun.troubles import out_of_memory

_SELF = "mtlrun."
"""Classes of ours check their options; what else breaks inside them is a defect, and no mistake of the user's."""


def instantiate(settings: Any, where: str, kind: type, /, **arguments: Any) -> Any:
    """Build what `_target_` names from `settings` and further arguments, which Hydra does not touch.

    Args:
        settings: a config node or dict with `_target_`.
        where: its key in the configuration, for messages.
        kind: what must come of it.

    Raises:
        ConfigError: the class's own, or one that says that the target is missing or broken, was given wrong arguments,
            or makes something else.
    """
    target = str(settings.get("_target_"))
    try:
        factory = hydra_instantiate(settings, _partial_=True, _convert_="all")
    except InstantiationException as error:
        raise _mistake(error, settings, where) from error
    except Exception as error:  # Hydra asks what it calls for a signature, which may be anything
        raise ConfigError(f"{where}._target_={target}: {cause(error)}") from error
    _check_arguments(factory, where, arguments)
    try:
        made = factory(**arguments)
    except (MtlrunError, MemoryError):
        raise
    except Exception as error:
        if target.startswith(_SELF) or out_of_memory(error):
            raise
        raise ConfigError(f"{where}: {target}() failed: {cause(error)}") from error
    if not isinstance(made, kind):
        wanted = f"{kind.__module__}.{kind.__qualname__}"
        raise ConfigError(f"{where}._target_={target}: must give a {wanted}, and gives {_article(made)}")
    return made


def call(factory: Any, where: str, **arguments: Any) -> Any:
    """Call a factory; arguments that it does not take become a ConfigError at `where`."""
    _check_arguments(factory, where, arguments)
    return factory(**arguments)  # a TypeError from here on is a defect of the class


def _article(made: object) -> str:
    return "None" if made is None else f"a {type(made).__qualname__}"


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


def _mistake(error: InstantiationException, settings: Any, where: str) -> MtlrunError:
    """One line for a target that Hydra could not find or call; it may lie inside of the settings."""
    chain = [error, *_causes(error)]
    ours = next((link for link in chain if isinstance(link, MtlrunError)), None)
    if ours is not None:
        return ours
    plain = OmegaConf.to_container(settings, resolve=True) if OmegaConf.is_config(settings) else settings
    for key, target in _targets(plain, where):
        found = absence(target)
        if found is not None:
            return ConfigError(f"{key}._target_={target}: {found}")
    lines = [line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith("full_key")]
    text = " ".join(lines).replace(", set env var HYDRA_FULL_ERROR=1 to see chained exception.", "")
    last = chain[-1]
    return ConfigError(f"{where}: {text}" + (f": {cause(last)}" if last is not error and str(last) not in text else ""))


def _causes(error: BaseException) -> list[BaseException]:
    link = error.__cause__ or error.__context__
    return [] if link is None else [link, *_causes(link)]


def _targets(node: Any, key: str) -> list[tuple[str, str]]:
    """Dotted key and target of a node and of all below it."""
    if isinstance(node, list):
        return [found for index, entry in enumerate(node) for found in _targets(entry, f"{key}.{index}")]
    if not isinstance(node, dict):
        return []
    own = [(key, node["_target_"])] if isinstance(node.get("_target_"), str) else []
    return own + [found for word, entry in node.items() for found in _targets(entry, f"{key}.{word}")]


def absence(target: str) -> str | None:
    """Why a dotted path leads to nothing that can be called: a module that is absent or broken, or has no such name."""
    parts = target.split(".")
    found: Any = None
    for depth, part in enumerate(parts):
        if found is not None and hasattr(found, part):
            found = getattr(found, part)
            continue
        name = ".".join(parts[: depth + 1])
        try:
            found = import_module(name)
        except ModuleNotFoundError as error:
            if error.name and name != error.name and not name.startswith(f"{error.name}."):
                return f"importing {name} failed: {cause(error)}"
            return _no_name(found, ".".join(parts[:depth]), part)
        except Exception as error:
            return f"importing {name} failed: {cause(error)}"
    return None if callable(found) else f"is no class or function, but {_article(found)}"


def _no_name(found: Any, module: str, part: str) -> str:
    if found is None:
        return f"no module '{part}' is installed or in this folder"
    return f"'{module}' has no '{part}'{near_miss(part, [name for name in dir(found) if not name.startswith('_')])}"
