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


def read_yaml(path: Path) -> Any:
    """The content of the file, interpolations as written; None if it is absent or cannot be read."""
    try:
        return parse_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def parse_yaml(text: str) -> Any:
    """The content of the text; None if it is no YAML."""
    import yaml  # here, since listing runs must not wait for it

    try:
        return yaml.load(text, _loader())
    except (yaml.YAMLError, ValueError):
        return None


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
