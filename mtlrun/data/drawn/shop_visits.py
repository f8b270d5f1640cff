"""Offers that people are shown: who clicks, and who then buys. Fields have many values with long tails.

The logit of a click is a sum of effects of the user, the item, its shop, the hour and the device, and of how well a
user's taste suits the shop; that of a purchase likewise, with effects of its own that correlate with those of the
click, and less for dear items. Every effect is normal; values of a field are drawn by Zipf's law.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

EFFECTS = {"user": 0.7, "item": 0.8, "shop": 0.7, "hour": 0.3, "device": 0.3}
"""Deviation of the effects of each field on the logits."""
TASTES = 3
"""Numbers that a user's taste and a shop's character consist of."""
TASTE = 0.5
"""Factor on their inner product."""
PRICE = -0.6
"""What a deviation more of the price's logarithm adds to the logit of a purchase."""
SKEW = 1.05
"""Exponent of Zipf's law: the k-th most frequent value is drawn in proportion to k^-SKEW."""
BASE = {"click": -1.3, "purchase": -1.2}
"""Logits without any effect."""
HOURS, DEVICES = 24, 4


@dataclass(frozen=True)
class Visits:
    """fields: whole numbers [N] by name; price, age: [N]; logits, answers: [N] by task, answers 0 or 1."""

    fields: Mapping[str, Tensor]
    price: Tensor
    age: Tensor
    logits: Mapping[str, Tensor]
    answers: Mapping[str, Tensor]


def draw_visits(count: int, sizes: Mapping[str, int], relatedness: float, generator: torch.Generator) -> Visits:
    """Rows of a world that is drawn first, so that more rows of the same seed show the same one.

    Args:
        count: of rows.
        sizes: values of the fields user, item and shop; each item is of one shop.
        relatedness: correlation of a value's effects on clicks and on purchases, -1 to 1.
        generator: of all draws.
    """
    sizes = {**sizes, "hour": HOURS, "device": DEVICES}
    effects = {name: _effects(sizes[name], scale, relatedness, generator) for name, scale in EFFECTS.items()}
    shop_of = _zipf(sizes["shop"], sizes["item"], generator)
    prices = torch.randn(sizes["item"], generator=generator)
    taste = torch.randn(sizes["user"], TASTES, generator=generator)
    character = torch.randn(sizes["shop"], TASTES, generator=generator)
    ages = 20 + 50 * torch.rand(sizes["user"], generator=generator)

    fields = {name: _zipf(sizes[name], count, generator) for name in ("user", "item", "hour", "device")}
    fields["shop"] = shop_of[fields["item"]]
    match = TASTE * (taste[fields["user"]] * character[fields["shop"]]).sum(1)
    price = prices[fields["item"]] + 0.3 * torch.randn(count, generator=generator)
    sums = torch.stack([effects[name][fields[name]] for name in EFFECTS]).sum(0)
    logits = {
        "click": BASE["click"] + sums[:, 0] + match,
        "purchase": BASE["purchase"] + sums[:, 1] + match + PRICE * price,
    }
    chances = {task: logit.sigmoid() for task, logit in logits.items()}
    answers = {task: (torch.rand(count, generator=generator) < chance).float() for task, chance in chances.items()}
    return Visits(fields, (3 + price).exp(), ages[fields["user"]], logits, answers)


def _effects(count: int, scale: float, relatedness: float, generator: torch.Generator) -> Tensor:
    """Of each value on clicks and on purchases, [count, 2]."""
    first, across = torch.randn(2, count, generator=generator)
    return scale * torch.stack([first, relatedness * first + (1 - relatedness**2) ** 0.5 * across], 1)


def _zipf(values: int, count: int, generator: torch.Generator) -> Tensor:
    """Whole numbers [count] below `values`, the lower the more frequent."""
    shares = torch.arange(1, values + 1, dtype=torch.float64) ** -SKEW
    ends = shares.cumsum(0) / shares.sum()
    drawn = torch.rand(count, generator=generator, dtype=torch.float64)
    return torch.searchsorted(ends, drawn).clamp_max(values - 1)
