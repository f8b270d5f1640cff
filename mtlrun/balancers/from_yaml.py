"""Build a balancer from its YAML alone, without composing a whole configuration."""

from __future__ import annotations

from typing import Any

from omegaconf import OmegaConf

from mtlrun.balancers.base import Balancer
from mtlrun.errors import choose
from mtlrun.instantiate import instantiate
from mtlrun.paths import CONF

RUN_SETTINGS = ("defaults", "every", "gradients", "memory", "rescale", "heads")
"""Keys that belong to the gradient engine of a run, not to the method."""


def load_balancer(name: str, options: dict[str, Any]) -> Balancer:
    """See `mtlrun.balancers.load`."""
    choose(name, sorted(path.stem for path in (CONF / "balancer").glob("*.yaml")), "balancer")
    settings = OmegaConf.to_container(OmegaConf.load(CONF / "balancer" / f"{name}.yaml"))
    assert isinstance(settings, dict)
    method = {str(key): value for key, value in settings.items() if key not in RUN_SETTINGS}
    for option in options:
        choose(option, [key for key in method if key != "_target_"], f"option of balancer '{name}'")
    root = OmegaConf.create({"seed": 0, "balancer": {**method, **options}})
    return instantiate(root.balancer, "balancer", Balancer)
