"""The contract of a backbone: an ordered list of named stages that say what they put out."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from mtlrun.types import Feature


class Backbone(nn.Module):
    """Stages in order; each takes the output of the one before, the first takes the input.

    Args:
        stages: name -> module, in order.
        features: what each stage puts out, in the same order and with the same names.
        fixed_size: whether the network only takes inputs of the shape it was built for.
    """

    def __init__(self, stages: Mapping[str, nn.Module], features: list[Feature], fixed_size: bool = False) -> None:
        super().__init__()
        assert [*stages] == [feature.name for feature in features], "stages and features must match"
        self.stages = nn.ModuleDict(stages)
        self.features = features
        self.fixed_size = fixed_size

    def forward(self, inputs: Tensor) -> list[Tensor]:
        """The output of every stage, in order."""
        outputs = []
        for stage in self.stages.values():
            inputs = stage(inputs)
            outputs.append(inputs)
        return outputs
