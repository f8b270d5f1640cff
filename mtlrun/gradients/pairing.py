"""What a balancer and the engine's settings ask of each other and of the parameters; refused before the first step."""

from __future__ import annotations

from mtlrun.balancers.base import Balancer, GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.errors import ConfigError
from mtlrun.gradients.base import EngineSettings, ParameterGroups, no_weights


def check_pairing(balancer: Balancer, settings: EngineSettings, method: str) -> None:
    """Refuse settings that the kind of balancer cannot use.

    Args:
        balancer: of any kind.
        settings: what the user has chosen beside it.
        method: what the balancer is called in messages.

    Raises:
        ConfigError: for the first of them.
    """
    if not isinstance(balancer, GramBalancer):
        for key in ("gradients", "memory"):
            chosen, default = getattr(settings, key), getattr(EngineSettings, key)
            if chosen != default:
                needed = f"{method} does not read a Gram matrix, choose {default}"
                raise ConfigError(f"balancer.{key}={chosen}: {needed}")
        if settings.every != 1:
            raise ConfigError(f"balancer.every={settings.every}: {method} gives no weights to hold, choose 1")
    if isinstance(balancer, LossBalancer) and balancer.batches != 1:
        found = f"{method} reads losses and takes {balancer.batches} batches a step"
        raise ConfigError(f"{found}: only methods that compare gradients can, choose batches=1")
    if settings.heads == "weighted":
        _check_weighted_heads(balancer)
    if isinstance(balancer, LossBalancer) and settings.rescale == "norm":
        raise ConfigError(f"balancer.rescale=norm: {method} sees no gradients whose norm it could match, choose sum")
    if balancer.batches > 1 and settings.gradients == "features":
        raise ConfigError(
            f"balancer.gradients=features: {method} compares gradients of different batches, which have no features in "
            "common; choose parameters"
        )


def _check_weighted_heads(balancer: Balancer) -> None:
    if isinstance(balancer, LossBalancer):
        method = type(balancer).__name__
        raise ConfigError(f"balancer.heads=weighted: {method} weighs the heads in any case, leave it out")
    if isinstance(balancer, JacobianBalancer) and not balancer.gives_weights:
        raise no_weights(balancer)


def check_last_stage(balancer: Balancer, settings: EngineSettings, groups: ParameterGroups) -> None:
    """Refuse to look at a last shared stage that does not learn.

    Args:
        groups: without frozen parameters.
    """
    if isinstance(balancer, LossBalancer) or settings.gradients != "last_stage":
        return
    if groups.shared and not groups.last_stage:
        raise ConfigError("balancer.gradients=last_stage: the last shared stage is frozen, choose parameters")
