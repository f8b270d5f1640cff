"""Task kinds by plain names: those of their classes."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from inspect import isabstract, isclass
from pkgutil import iter_modules

import mtlrun.tasks
from mtlrun.errors import choose
from mtlrun.tasks.base import Task


def target_of(kind: object) -> str:
    """The path of the class of a kind, as `_target_` takes it.

    Raises:
        ConfigError: if there is no such kind.
    """
    return kinds()[choose(str(kind), kinds(), "kind of task")]


@cache
def kinds() -> dict[str, str]:
    """The path of every kind's class, by its name."""
    found = {}
    for entry in iter_modules(mtlrun.tasks.__path__):
        module = import_module(f"{mtlrun.tasks.__name__}.{entry.name}")
        for name, value in vars(module).items():
            defined_here = isclass(value) and value.__module__ == module.__name__
            if defined_here and issubclass(value, Task) and not isabstract(value):
                found[name] = f"{module.__name__}.{name}"
    return found
