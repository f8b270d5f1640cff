"""Mixture of experts whose gates learn to use k of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mtlrun.errors import ConfigError
from mtlrun.options import number, whole
from mtlrun.sharing.base import BackboneFactory
from mtlrun.sharing.mmoe import MMoE
from mtlrun.sharing.selector import SelectorGate

NARROWEST, WIDEST = 1e-6, 1e6
"""Limits of gamma, well within the range of single precision."""


class DSelectK(MMoE):
    """MMoE with a gate per task that is smooth and still ends at no more than k experts of nonzero weight.

    Hazimeh et al., "DSelect-k: Differentiable Selection in the Mixture of Experts with Applications to Multi-Task
    Learning", NeurIPS 2021, arXiv:2106.03760, with their static gate: the weights are the same for every row. Their
    gate per example is left out, since its regularisation depends on the data. All experts are computed, used or not.

    Args:
        backbone: builds one backbone; called once per expert.
        tasks: names of the tasks.
        split: the last stage before the experts; None for the first of all.
        experts: number of experts, at least 2; powers of 2 suit the binary encoding.
        k: most experts that a gate may select.
        gamma: width of the smooth step, within which a selector is undecided.
        entropy: weight of the selectors' entropy in the objective, which drives them to a decision.

    Raises:
        ConfigError: for an option out of range, an unknown stage, or one that leaves none for the experts.
    """

    def __init__(
        self,
        backbone: BackboneFactory,
        tasks: Sequence[str],
        split: str | None = None,
        experts: int = 4,
        k: int = 2,
        gamma: float = 1.0,
        entropy: float = 0.001,
    ) -> None:
        if whole("sharing.k", k) > whole("sharing.experts", experts, 2):
            raise ConfigError(f"sharing.k={k} must be at most sharing.experts={experts}")
        number("sharing.gamma", gamma, NARROWEST, WIDEST)
        # set before the base class, which makes the gates
        self._k, self._gamma, self._entropy = k, gamma, number("sharing.entropy", entropy, 0)
        super().__init__(backbone, tasks, split, experts)

    def make_gate(self, channels: int, experts: int) -> nn.Module:
        return SelectorGate(experts, self._k, self._gamma)

    def penalty(self) -> Tensor | None:
        """Summed over tasks; see SelectorGate.penalty."""
        found = [cast(SelectorGate, gate).penalty(self._entropy) for gate in self.gating.values()]
        terms = [term for term in found if term is not None and term.requires_grad]
        return torch.stack(terms).sum() if terms else None
