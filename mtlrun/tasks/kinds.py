"""Task kinds by plain names: 'classification' is the kind that mtlrun/tasks/classification.py holds."""

from __future__ import annotations

from importlib import import_module
from inspect import isabstract, isclass
from pkgutil import iter_modules
from types import ModuleType

import mtlrun.tasks
from mtlrun.errors import ConfigError, near_miss
from mtlrun.tasks.base import Task


def target_of(kind: object) -> str:
    """The path of the class of a kind, as `_target_` takes it.

    Raises:
        ConfigError: if there is no such kind.
    """
    files = [entry.name for entry in iter_modules(mtlrun.tasks.__path__)]
    target = _kind_in(_module(str(kind))) if kind in files else None
    if target is None:
        known = [name for name in files if _kind_in(_module(name))]
        raise ConfigError(f"no kind of task '{kind}'{near_miss(str(kind), known)} (there are: {', '.join(known)})")
    return target


def _module(name: str) -> ModuleType:
    return import_module(f"{mtlrun.tasks.__name__}.{name}")


def _kind_in(module: ModuleType) -> str | None:
    """The path of the one kind that is defined in a module."""
    kinds = [
        name
        for name, value in vars(module).items()
        if isclass(value) and issubclass(value, Task) and not isabstract(value) and value.__module__ == module.__name__
    ]
    return f"{module.__name__}.{kinds[0]}" if len(kinds) == 1 else None
