"""Scores of named entities, counted as a whole: by conlleval's rules, without a loop over tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric

UNLABELLED = -1
"""Label of tokens that count neither in the loss nor in the metrics."""

OUTSIDE = "O"
PREFIXES = ("B-", "I-")


def entity_types(classes: Sequence[str]) -> list[str] | None:
    """The types behind the tags O, B-TYPE and I-TYPE, in the order of their first tag; None for other classes."""
    tags = [name for name in classes if name != OUTSIDE]
    if OUTSIDE not in classes or not tags or not all(name.startswith(PREFIXES) for name in tags):
        return None
    return list(dict.fromkeys(name[2:] for name in tags))


class EntityScores(Metric):
    """f1, precision, recall and f1_<type>: an entity counts if its first token, last token and type are right.

    Tjong Kim Sang & De Meulder, "Introduction to the CoNLL-2003 Shared Task", 2003, arXiv:cs/0306050, with the rules
    of its script conlleval: summed over the split; an I- tag after another type, or after O, begins an entity.
    Unlabelled tokens are skipped, so that an entity goes on behind them. A score of which neither labels nor
    predictions have an entity is NaN, where the script says 0.

    Args:
        classes: names of the tags; O, B-TYPE and I-TYPE.
    """

    full_state_update = False
    higher_is_better = True
    counts: Tensor
    kind_of: Tensor
    begins: Tensor

    def __init__(self, classes: Sequence[str]) -> None:
        super().__init__()
        self.types = entity_types(classes) or []
        self.parts = tuple(f"f1_{name}" for name in self.types)
        self.names = ("f1", "precision", "recall", *self.parts)
        kinds = [self.types.index(name[2:]) if name != OUTSIDE else -1 for name in classes]
        self.register_buffer("kind_of", torch.tensor(kinds), persistent=False)
        self.register_buffer("begins", torch.tensor([name.startswith("B-") for name in classes]), persistent=False)
        self.add_state("counts", torch.zeros(3, len(self.types), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        """Tags int64 [n, L] twice; the target is -1 where a token does not count."""
        known = target != UNLABELLED
        rows = known.nonzero()[:, 0]
        found, wanted = (self._entities(tags[known], rows) for tags in (prediction, target))
        right = (found >= 0) & (found == wanted)
        entities = (right, found >= 0, wanted >= 0)
        kinds = (wanted, found, wanted)
        amount = len(self.types)
        self.counts += torch.stack(
            [torch.bincount(kind[there] % amount, minlength=amount) for kind, there in zip(kinds, entities)]
        )

    def _entities(self, tags: Tensor, rows: Tensor) -> Tensor:
        """Where an entity begins, a number that tells its last token and type; -1 elsewhere.

        Args:
            tags: [M], of the tokens that count, row after row.
            rows: [M], ascending.
        """
        kinds, begins = self.kind_of[tags], self.begins[tags]
        joined = torch.zeros_like(begins)  # whether a token belongs to the entity of the one before it
        joined[1:] = (rows[1:] == rows[:-1]) & (kinds[1:] == kinds[:-1]) & ~begins[1:]
        first = ((kinds >= 0) & ~joined).nonzero().squeeze(1)
        last = ((kinds >= 0) & ~torch.cat([joined[1:], joined.new_zeros(min(1, len(joined)))])).nonzero().squeeze(1)
        spans = torch.full_like(kinds, -1)
        spans[first] = last * len(self.types) + kinds[first]
        return spans

    def compute(self) -> dict[str, Tensor]:
        counts = self.counts.double() if self.counts.device.type != "mps" else self.counts.float()
        right, found, wanted = counts.sum(1)
        some = found + wanted > 0
        shares = [torch.where(some, right / amount.clamp_min(1), torch.nan) for amount in (found, wanted)]
        per_type = 2 * counts[0] / (counts[1] + counts[2])
        return dict(zip(self.names, (2 * right / (found + wanted), *shares, *per_type)))
