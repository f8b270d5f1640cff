"""A trunk, and experts: copies of the stages after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mtlrun.errors import ConfigError
from mtlrun.sharing.base import BackboneFactory, depth_of
from mtlrun.types import Feature


@dataclass
class TrunkAndExperts:
    """features: of all stages; trunk: the stages up to the split; experts: each the stages after it, in order."""

    features: list[Feature]
    trunk: nn.ModuleDict
    experts: list[nn.ModuleDict]

    @property
    def gate_channels(self) -> int:
        """Channels of the trunk's output, which the gates read."""
        return self.features[len(self.trunk) - 1].channels


def trunk_and_experts(backbone: BackboneFactory, split: str | None, count: int) -> TrunkAndExperts:
    """The trunk from one backbone and `count` experts, each from a fresh one.

    Args:
        backbone: builds one backbone.
        split: the last stage of the trunk; None for the first of all.
        count: number of experts.

    Raises:
        ConfigError: for an unknown stage, or one that leaves none for the experts.
    """
    network = backbone()
    names = [*network.stages]
    if len(names) == 1:
        raise ConfigError(f"experts need a backbone of two stages or more, and this one has only {names[0]}")
    depth = 1 if split is None else depth_of(split, names)
    if depth == len(names):
        earlier = ", ".join(names[:-1])
        raise ConfigError(f"sharing.split={split} leaves no stage for the experts: choose an earlier one ({earlier})")
    trunk, features = _part(network.stages, names[:depth]), network.features
    experts = [_part(network.stages, names[depth:])]
    for _ in range(count - 1):
        experts.append(_part(backbone().stages, names[depth:]))
    return TrunkAndExperts(features, trunk, experts)


def run_stages(stages: nn.ModuleDict, inputs: Tensor) -> list[Tensor]:
    """The output of every stage, in order."""
    outputs = []
    for stage in stages.values():
        inputs = stage(inputs)
        outputs.append(inputs)
    return outputs


def _part(stages: nn.ModuleDict, names: Sequence[str]) -> nn.ModuleDict:
    return nn.ModuleDict({name: stages[name] for name in names})
