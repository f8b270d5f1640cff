"""Balancers, one file each. `load` builds one by the name of its YAML, for notebooks and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtlrun.balancers.base import Balancer


def load(name: str, **options: Any) -> Balancer:
    """The balancer of `conf/balancer/<name>.yaml` with its defaults, changed by `options`.

    >>> weights, update = load("pcgrad").combine(losses, jacobian)

    Raises:
        ConfigError: for an unknown name or option.
    """
    from mtlrun.balancers.from_yaml import load_balancer  # keeps `import mtlrun.balancers` free of torch

    return load_balancer(name, options)
