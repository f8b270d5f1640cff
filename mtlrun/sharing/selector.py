"""The gate of DSelect-k: k selectors that each settle on one expert, found by a binary code."""

from __future__ import annotations

from math import ceil, log2

import torch
from torch import Tensor, nn

SMALLEST = 1e-6
"""Weights are raised to this where a logarithm or a quotient is taken of them."""
SPREAD = 0.05
"""alpha starts uniformly within this of 0, so that the selectors start almost equally weighted."""


class SelectorGate(nn.Module):
    """Weights sum_i softmax(alpha)_i r(z_i) of the experts, over k single-expert selectors r.

    Expert e has the digits of e as its code, m = ceil(log2 E) of them. r(z)_e is the product over the digits j of
    S(z_j) where the digit is 1 and of 1 - S(z_j) where it is 0, with the smooth step S. Initialisation as in the
    authors' code: z uniform within gamma / 100 of 0, so that all experts start almost equal; alpha within 0.05 of 0.

    Args:
        experts: number of experts E.
        k: number of selectors.
        gamma: width of the smooth step.
    """

    codes: Tensor

    def __init__(self, experts: int, k: int, gamma: float) -> None:
        super().__init__()
        digits = ceil(log2(experts))
        self.gamma = gamma
        self.all_codes_used = experts == 2**digits
        codes = (torch.arange(experts)[:, None] >> torch.arange(digits)) % 2 == 1
        self.register_buffer("codes", codes, persistent=False)
        self.z = nn.Parameter(torch.empty(k, 1, digits).uniform_(-gamma / 100, gamma / 100))
        shares = torch.empty(k).uniform_(-SPREAD, SPREAD)
        self.alpha = nn.Parameter(shares, requires_grad=k > 1)  # the share of a single selector is 1 anyway

    def forward(self, values: Tensor) -> Tensor:
        """The same weights [n, E] for all n rows of `values`."""
        return (self.alpha.softmax(0)[:, None] * self.selectors()).sum(0).expand(values.shape[0], -1)

    def selectors(self) -> Tensor:
        """r [k, E]."""
        step = smooth_step(self.z, self.gamma)
        return torch.where(self.codes, step, 1 - step).prod(2)

    def penalty(self, entropy: float) -> Tensor | None:
        """`entropy` times the entropy of every selector, and 1 / sum_e r_e where E is no power of 2.

        The second term keeps a selector from settling on a code that stands for no expert.
        """
        if self.all_codes_used and entropy == 0:
            return None
        selectors = self.selectors()
        total = entropy * torch.special.entr(selectors.clamp_min(SMALLEST)).sum()
        if not self.all_codes_used:
            total = total + (1 / selectors.sum(1).clamp_min(SMALLEST)).sum()
        return total


def smooth_step(values: Tensor, gamma: float) -> Tensor:
    """0 up to -gamma / 2, 1 from gamma / 2 on, and -2 t^3 / gamma^3 + 3 t / (2 gamma) + 1/2 in between.

    Hazimeh et al., "The Tree Ensemble Layer", ICML 2020, arXiv:2002.07772.
    """
    part = (values / gamma).clamp(-0.5, 0.5)
    return 0.5 + part * (1.5 - 2 * part.square())
