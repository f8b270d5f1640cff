"""The smallest working example of each kind of part, as three files. No torch, no Hydra."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mtlrun.cli.groups import groups
from mtlrun.errors import ConfigError, choose
from mtlrun.paths import TEMPLATES

FOLDER = "my_conf"
"""Of the user's own groups."""

_TRY = {
    "balancer": "task=multidigits balancer={name}",
    "sampler": "task=multidigits sampler={name}",
    "sharing": "task=multidigits sharing={name}",
    "backbone": "task=multidigits backbone={name}",
    "task": "task={name}",
    "data": "task=arrays data={name}",
}
"""Kind of part -> settings that try it."""

KINDS = tuple(_TRY)


@dataclass(frozen=True)
class ExampleFiles:
    """An example of one kind, under a name of the user's.

    files: path, below the user's folder, -> text.
    settings: that try it.
    """

    kind: str
    name: str
    files: dict[Path, str]
    settings: str


def example(kind: str, name: str) -> ExampleFiles:
    """The files of a part of this kind and name.

    Raises:
        ConfigError: for an unknown kind, or a name that no module, class or option can have.
    """
    choose(kind, KINDS, "kind of part")
    _check_name(kind, name)
    files = {
        Path(f"{name}.py"): "part.py.txt",
        Path(FOLDER, kind, f"{name}.yaml"): "part.yaml",
        Path(f"test_{name}.py"): "test.py.txt",
    }
    filled = {path: _filled(kind, file, name) for path, file in files.items()}
    return ExampleFiles(kind, name, filled, _TRY[kind].format(name=name))


def class_name(name: str) -> str:
    """'largest_first' -> 'LargestFirst'."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _filled(kind: str, file: str, name: str) -> str:
    text = (TEMPLATES / kind / file).read_text(encoding="utf-8")
    return text.replace("{{name}}", name).replace("{{Class}}", class_name(name))


def _check_name(kind: str, name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ConfigError(f"'{name}' cannot name a module: take small letters, digits and _, such as my_{kind}")
    if name in groups().get(kind, {}):
        raise ConfigError(f"there is a {kind} '{name}' already, and it would win: choose another name")
    if find_spec(name) is not None and not Path(f"{name}.py").exists():
        raise ConfigError(f"there is a Python module '{name}' already: choose another name, such as my_{name}")
    source = (TEMPLATES / kind / "part.py.txt").read_text(encoding="utf-8")
    if re.search(rf"\b{class_name(name)}\b", source):
        taken = class_name(name)
        raise ConfigError(f"the class of '{name}' would be called {taken}, which it builds on: choose my_{name}")
