"""Settings of the open groups, which no dataclass types: a change must suit the default it replaces."""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Any

from omegaconf import Container, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun.config.explain import suggest
from mtlrun.errors import ConfigError
from mtlrun.options import check_like_default

OPEN_GROUPS = ("data", "backbone", "sharing", "sampler", "balancer", "optimizer", "scheduler", "logger")
"""Groups that hold a `_target_` and the arguments of whatever it names."""

ENGINE_SETTINGS: dict[str, Any] = {
    "every": 1,
    "gradients": "parameters",
    "memory": "buffer",
    "rescale": "paper",
    "heads": "own",
}
"""What stands beside a balancer's own options and belongs to the gradient engine, with defaults.

A user's own YAML need not state them."""

_CLOSED_TARGETS = ("mtlrun.", "torch.")  # their YAML states every option; a user's own class may take more


def is_open(key: str) -> bool:
    """Whether the key lies inside an open group."""
    return key.partition(".")[0] in OPEN_GROUPS and "." in key


def check_change(key: str, config: DictConfig, defaults: DictConfig) -> None:
    """Compare one changed setting of an open group with its default.

    Args:
        key: dotted, such as 'balancer.alpha'.
        config: with the change.
        defaults: without it.

    Raises:
        ConfigError: if the setting does not exist, or its value has another type than the default.
    """
    parts = key.split(".")
    for depth in range(1, len(parts)):
        parent, word = ".".join(parts[:depth]), parts[depth]
        options = _select(defaults, parent)
        if not isinstance(options, DictConfig) or word in options:
            continue
        if _closed(_select(config, parent)):
            raise ConfigError(f"no setting '{word}' in {parent}{suggest(word, map(str, options))}")
        if parent == "balancer":
            default = ENGINE_SETTINGS.get(word)
            check_like_default(key, _plain(_select(config, key)), default, default)
        return
    if OmegaConf.is_missing(_select(config, ".".join(parts[:-1])), parts[-1]):
        return  # the check of the whole configuration tells
    value, default = _select(config, key), _select(defaults, key)
    if value is None and default is not None and _may_be_null(_select(config, ".".join(parts[:-1])), parts[-1]):
        return
    check_like_default(key, _plain(value), _plain(default), default)
    if isinstance(value, DictConfig) and default and _closed(config[parts[0]]):
        _check_entries(key, value, default)


def _check_entries(key: str, value: DictConfig, default: DictConfig) -> None:
    """Refuse entries beside the default's own; an empty default may take any."""
    extra = next((str(word) for word in value if word not in default), None)
    if extra is not None:
        raise ConfigError(f"no setting '{extra}' in {key}{suggest(extra, map(str, default))}")


def _may_be_null(node: Any, option: str) -> bool:
    """Whether the class of the node takes None, by its signature; a user's own class is asked when it is built."""
    module, _, name = str(node.get("_target_") if isinstance(node, DictConfig) else "").rpartition(".")
    if not _closed(node):
        return bool(module)
    try:  # loads the class, which takes a moment, but for a null in place of something else only
        annotation = str(signature(getattr(import_module(module), name)).parameters[option].annotation)
    except (ImportError, AttributeError, KeyError, ValueError):
        return False
    return "None" in annotation or "Optional" in annotation


def _closed(node: Any) -> bool:
    target = node.get("_target_") if isinstance(node, DictConfig) else None
    return str(target).startswith(_CLOSED_TARGETS)


def _plain(value: Any) -> Any:
    if isinstance(value, Container):
        return [] if isinstance(value, ListConfig) else {}
    return value


def _select(config: DictConfig, key: str) -> Any:
    """The value at a dotted key; None where there is none, or where it cannot be resolved yet."""
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return None
