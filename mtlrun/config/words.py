"""Settings as they were typed. An interpolation such as ${oc.env:TOKEN} stays one: its value is read where it is used.

Hydra keeps overrides in a list that resolves what it gives out; read again as a setting, a value with a bracket or a
blank would be another one or none, and a secret would be written down.
"""

from __future__ import annotations

from typing import Any

from omegaconf import Container, OmegaConf


def as_typed(overrides: Any) -> list[str]:
    """The entries of one of Hydra's lists of overrides."""
    plain: Any = OmegaConf.to_container(overrides, resolve=False) if isinstance(overrides, Container) else overrides
    return [str(word) for word in plain]


def without_secrets(config: Container) -> Any:
    """Plain values, all resolved but those of environment variables."""
    return _kept(OmegaConf.to_container(config, resolve=False), OmegaConf.to_container(config, resolve=True))


def _kept(written: Any, resolved: Any) -> Any:
    if isinstance(written, str):
        return written if "${oc.env:" in written.replace(" ", "") else resolved
    if isinstance(written, dict):
        return {key: _kept(value, resolved[key]) for key, value in written.items()}
    if isinstance(written, list):
        return [_kept(*pair) for pair in zip(written, resolved, strict=True)]
    return resolved
