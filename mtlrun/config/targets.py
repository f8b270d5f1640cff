"""Whether a `_target_` can lead anywhere, from the files alone: nothing is imported, no user's code runs. No torch."""

from __future__ import annotations

import ast
from functools import cache
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from mtlrun.errors import ConfigError, near_miss


def check_target(key: str, target: object) -> None:
    """Refuse a target whose module does not exist or cannot be read, or has no such name.

    Names that a module gets only when it runs are beyond a look at its file: then the target passes, and is judged when
    it is imported.

    Raises:
        ConfigError: naming `key`.
    """
    if not isinstance(target, str) or "." not in target:
        raise ConfigError(f"{key}={target}: must be module.Class")
    file = _file(target.partition(".")[0])
    if file is None:
        module = target.rpartition(".")[0]
        raise ConfigError(f"{key}={target}: no module '{module}' is installed or in this folder")
    parts = target.split(".")
    for depth in range(1, len(parts)):
        below = _below(file, parts[depth])
        if below is None:
            _check_name(f"{key}={target}", file, ".".join(parts[:depth]), parts[depth])
            return
        file = below
    raise ConfigError(f"{key}={target}: is a module, name a class in it")


def _file(package: str) -> Path | None:
    """The file of a top-level module or package; an empty path for one that is not written in Python."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else Path()


def _below(file: Path, name: str) -> Path | None:
    """The file of a module in the package whose `__init__.py` is given."""
    if file.name != "__init__.py":
        return None
    spec = PathFinder.find_spec(name, [str(file.parent)])
    if spec is None:
        return None
    return Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else Path()


def _check_name(setting: str, file: Path, module: str, name: str) -> None:
    if not file.name:
        return
    try:
        names = _names(file, file.stat().st_mtime_ns)
    except (SyntaxError, ValueError, OSError) as error:
        place = f"{file.name}, line {error.lineno}" if isinstance(error, SyntaxError) else file.name
        raise ConfigError(f"{setting}: {place} cannot be read: {getattr(error, 'msg', error)}") from error
    if names is not None and name not in names:
        shown = [known for known in names if not known.startswith("_")]
        raise ConfigError(f"{setting}: '{module}' has no '{name}'{near_miss(name, shown)}")


@cache  # jobs of a sweep name the same few classes, and a long file takes as long as composing a configuration
def _names(file: Path, changed: int) -> frozenset[str] | None:
    """All names that the module's code could bind, as of when it was changed; None where only running it would tell."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name="*"):
                return None
            case ast.alias(name=name, asname=other):
                names.add(other or name.partition(".")[0])
            case ast.Call(func=ast.Name(id="globals" | "setattr" | "exec" | "vars")):
                return None
    return None if "__getattr__" in names else frozenset(names)
