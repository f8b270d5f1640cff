"""YAML files as plain values, as OmegaConf reads them but with the parser in C: a report reads hundreds of them."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import Any

_FLOAT = re.compile(
    r"""^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?(?:[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)
    |\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$""",
    re.VERBOSE,
)
"""YAML 1.1 takes 1e-3 for text; Hydra's configurations mean a number."""

LARGEST = 1_000_000
"""Entries of a file once its anchors are unfolded."""


def read_yaml(path: Path) -> Any:
    """The content of the file, interpolations as written; None if it is absent or cannot be read."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def parse_yaml(text: str) -> Any:
    """The content of the text; None if it is no YAML."""
    import yaml  # here, since listing runs must not wait for it

    if unfolded_size(text) > LARGEST:
        return None
    try:
        return yaml.load(text, _loader())
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def unfolded_size(text: str) -> float:
    """Entries once each anchor stands at all its places: lists of lists of lists come to a billion in ten lines.

    Infinite for an anchor that lies in itself; 0 for text without anchors, and for what is no YAML.
    """
    if "&" not in text or "*" not in text:
        return 0
    import yaml

    try:
        root = yaml.compose(text, _loader())
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0
    return 0 if root is None else _size(root, {})


def _size(node: Any, known: dict[int, float]) -> float:
    """Entries below a node of YAML's tree, those under anchors once for each place; counted once for each anchor."""
    if id(node) in known or not isinstance(node.value, list):
        return known.get(id(node), 1)
    known[id(node)] = math.inf  # until its end is known: for a place inside of itself
    below = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
    known[id(node)] = 1 + sum(_size(part, known) for part in below)
    return known[id(node)]


@cache
def _loader() -> Any:
    """A safe loader that knows 1e-3, and takes dates for text."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        pass

    dates = "tag:yaml.org,2002:timestamp"
    Loader.yaml_implicit_resolvers = {
        first: [entry for entry in entries if entry[0] != dates]
        for first, entries in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
    return Loader
