"""What a run was trained with: its configuration with every later resume applied, as flat settings."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

from mtlrun.runs.reader import OWN_DATA, Run
from mtlrun.runs.yamlfile import parse_yaml, read_yaml

Settings = dict[str, Any]
"""'optimizer.lr' -> 0.01, and the option chosen in each group: 'balancer' -> 'pcgrad'."""

WATCHERS = ("logger", "diagnostics")
"""Groups that look at a run and do not change its numbers."""

_BUNDLES = ("experiment", "hydra", "gradients", "trainer")  # choices that say no more than their settings do


def effective_config(run: Run) -> dict[str, Any]:
    """`.hydra/config.yaml` with every `.hydra/resume-*.yaml` applied in order; interpolations as written."""
    config = deepcopy(run.config)
    for record in sorted((run.path / ".hydra").glob("resume-*.yaml")):
        words = read_yaml(record)
        for key, value in _changes([str(word) for word in words] if isinstance(words, list) else []):
            _set(config, key.split("."), value)
    return config


def effective_overrides(run: Run) -> list[str]:
    """What the command changed and every later resume, the last word on each setting: this trains the run again."""
    records = [read_yaml(record) for record in sorted((run.path / ".hydra").glob("resume-*.yaml"))]
    later = [str(word) for words in records if isinstance(words, list) for word in words]
    return [*{word.lstrip("+").partition("=")[0]: word for word in (*run.overrides, *later)}.values()]


def data_from_python(run: Run) -> bool:
    """Whether the run's data were handed over in Python: a word stands for them that no command can do anything with.

    A file of the same name that a command named is told apart by its path, which stays as it was typed.
    """
    word = f"data.path={OWN_DATA}"
    data = run.config.get("data") if word in effective_overrides(run) else None
    return isinstance(data, dict) and os.path.isabs(str(data.get("path")))


def settings(run: Run) -> Settings:
    """The effective configuration with dotted keys, and the choices of the groups that matter for the numbers."""
    return flat_settings(effective_config(run), _choices(run))


def flat_settings(config: Mapping[str, Any], choices: Mapping[str, Any]) -> Settings:
    """Of a configuration as its YAML has it, and the option chosen in each group."""
    groups = {
        group: choice
        for group, choice in choices.items()
        if group.isidentifier() and group not in (*_BUNDLES, *WATCHERS) and choice is not None
    }
    return {**dict(_flat(config)), **groups}


def _choices(run: Run) -> dict[str, Any]:
    """The option chosen in each group, read from one block of a long file."""
    try:
        text = (run.path / ".hydra" / "hydra.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    _, found, block = text.partition("\n    choices:\n")
    lines = []
    for line in block.splitlines():
        if not line.startswith("      "):
            break
        lines.append(line)
    content = parse_yaml("\n".join(lines)) if found else None
    return content if isinstance(content, dict) else run.choices


def fingerprint(value: Any) -> str:
    """Text that is equal for equal values, nested ones included."""
    return json.dumps(value, sort_keys=True, default=str)


def spelled(value: Any) -> str:
    """A value as the user would type it; '-' where a run has no such setting."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return f"[{','.join(map(spelled, value))}]"
    return value if isinstance(value, str) else json.dumps(value, default=str)


def short_key(key: str) -> str:
    """A key without the parts that say nothing in a heading: 'balancer._target_' is 'balancer'."""
    return key.removesuffix("._target_")


def _changes(words: list[str]) -> Iterator[tuple[str, Any]]:
    if not words:
        return
    from hydra.core.override_parser.overrides_parser import OverridesParser  # here: few runs were ever resumed
    from hydra.errors import HydraException

    try:
        overrides = OverridesParser.create().parse_overrides(words)
    except HydraException:
        return  # such a record was refused when it was made
    for override in overrides:
        value = override.value()
        yield override.key_or_group, str(value) if not isinstance(value, _PLAIN) else value


_PLAIN = (str, int, float, bool, list, dict, type(None))


def _set(config: dict[str, Any], keys: list[str], value: Any) -> None:
    *above, last = keys
    for key in above:
        inner = config.get(key)
        config[key] = inner if isinstance(inner, dict) else {}
        config = config[key]
    both = isinstance(value, dict) and isinstance(config.get(last), dict)
    config[last] = {**config[last], **value} if both else value


def _flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in config.items():
        if not prefix and name in (*WATCHERS, "objective"):  # what a sweeper is told changes no number either
            continue
        key = f"{prefix}{name}"
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{key}.")
        else:
            yield key, value
