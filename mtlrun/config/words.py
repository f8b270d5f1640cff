"""Settings as they were typed. An interpolation such as ${oc.env:TOKEN} stays one: its value is read where it is used.

Hydra keeps overrides in a list that resolves what it gives out; read again as a setting, a value with a bracket or a
blank would be another one or none, and a secret would be written down.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import Container, OmegaConf


def as_typed(overrides: Any) -> list[str]:
    """The entries of one of Hydra's lists of overrides."""
    plain: Any = OmegaConf.to_container(overrides, resolve=False) if isinstance(overrides, Container) else overrides
    return [str(word) for word in plain]


def quoted_text(text: str) -> str:
    """A text as Hydra's grammar of settings takes any text: between quotes."""
    return QuotedString(text, Quote.single).with_quotes()


def without_secrets(config: Container) -> Any:
    """Plain values, all resolved but those of environment variables, and what refers to one of them."""
    written, resolved = OmegaConf.to_container(config, resolve=False), OmegaConf.to_container(config, resolve=True)
    secrets = {str(value) for text, value in _texts(written, resolved) if _reads_environment(text)} - {"", "None"}

    def keep(text: str, value: Any) -> bool:
        return _reads_environment(text) or ("${" in text and any(secret in str(value) for secret in secrets))

    return _kept(written, resolved, keep)


def portable(config: Container) -> Any:
    """Plain values that another process of ours can resolve: interpolations stay, but for those of resolvers that only
    this process knows."""
    written, resolved = OmegaConf.to_container(config, resolve=False), OmegaConf.to_container(config, resolve=True)
    return _kept(written, resolved, lambda text, value: all(map(_OF_OMEGACONF, _RESOLVERS.findall(text))))


_RESOLVERS = re.compile(r"\$\{\s*([\w.]+)\s*:")
_OF_OMEGACONF = re.compile(r"oc\.").match


def _reads_environment(text: str) -> bool:
    return "${oc.env:" in text.replace(" ", "")


def _texts(written: Any, resolved: Any) -> list[tuple[str, Any]]:
    """Each text as it was written, with what it stands for."""
    if isinstance(written, str):
        return [(written, resolved)]
    if not isinstance(written, dict | list):
        return []
    places = written if isinstance(written, dict) else range(len(written))
    return [pair for place in places for pair in _texts(written[place], resolved[place])]


def _kept(written: Any, resolved: Any, keep: Callable[[str, Any], bool]) -> Any:
    """The written texts where `keep(text, value)` says so, and the resolved values elsewhere."""
    if isinstance(written, str):
        return written if keep(written, resolved) else resolved
    if isinstance(written, dict):
        return {key: _kept(value, resolved[key], keep) for key, value in written.items()}
    if isinstance(written, list):
        return [_kept(*pair, keep) for pair in zip(written, resolved, strict=True)]
    return resolved
