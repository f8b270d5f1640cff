"""YAML files as plain values, as OmegaConf reads them but with the parser in C: a report reads hundreds of them."""

from __future__ import annotations

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

    if unfolds_too_far(text):
        return None
    try:
        return yaml.load(text, _loader())
    except (yaml.YAMLError, ValueError):
        return None


def unfolds_too_far(text: str) -> bool:
    """Whether anchors repeat one another to more than a million entries; lists of lists of lists do so in ten lines.

    An anchor that lies in itself is another mistake. Text that is no YAML unfolds to nothing.
    """
    if "&" not in text or "*" not in text:
        return False
    import yaml

    try:
        root = yaml.compose(text, _loader())
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    return root is not None and _size(root, {}) > LARGEST


def _size(node: Any, known: dict[int, int]) -> int:
    """Entries below a node of YAML's tree, those under anchors once for each place; counted once for each anchor."""
    if id(node) in known or not isinstance(node.value, list):
        return known.get(id(node), 1)
    known[id(node)] = 0  # of one that lies in itself
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
