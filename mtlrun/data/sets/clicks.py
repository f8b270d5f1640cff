"""The embedded data of task set `clicks`: who clicks on an offer, and who of them buys. Drawn, with many categories.

Clicks are known of every row and purchases of clicked rows alone, as in Ma et al., "Entire Space Multi-Task Model"
(2018), arXiv:1804.07931, and in the papers of MMoE, CGC and PLE.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torchmetrics.functional.classification import binary_auroc

from mtlrun.data.drawn.shop_visits import Visits, draw_visits
from mtlrun.data.source import Splits, TensorSource
from mtlrun.data.split_sizes import SPLITS, split_sizes
from mtlrun.data.tables.encode import EncodingOptions, encoded, fitted
from mtlrun.data.tables.raw import NUMBER, RawColumn, RawTable
from mtlrun.options import number, whole

FIELDS = ("user", "item", "shop", "hour", "device")
MOST = 10_000_000


def load(
    num_rows: Mapping[str, int],
    seed: int = 0,
    users: int = 30_000,
    items: int = 100_000,
    shops: int = 1000,
    relatedness: float = 0.5,
    rare: int = 3,
) -> Splits:
    """Source `visits` with the tasks click and purchase, targets float32 [N, 1]; five categories and two numbers a row.

    Args:
        num_rows: by train, val and test.
        seed: of all draws.
        users, items, shops: values that the fields can have.
        relatedness: correlation of a value's effects on clicks and on purchases.
        rare: values that occur in fewer training rows share one code.

    Raises:
        ConfigError: if an option is out of range.
    """
    whole("data.seed", seed, 0, 2**31 - 1)
    sizes = split_sizes("num_rows", num_rows)
    fields = {"user": users, "item": items, "shop": shops}
    for name, count in fields.items():
        whole(f"data.{name}s", count, 2, MOST)
    number("data.relatedness", relatedness, -1, 1)
    generator = torch.Generator().manual_seed(seed)
    visits = draw_visits(sum(sizes.values()), fields, relatedness, generator)
    rows = dict(zip(SPLITS, torch.arange(sum(sizes.values())).split([sizes[split] for split in SPLITS])))
    table = _table(visits)
    options = EncodingOptions(standardise=True, rare=whole("data.rare", rare), categories=FIELDS)
    columns = fitted(table, [*table.columns], rows["train"].numpy(), options).columns
    values = torch.from_numpy(encoded(table, columns))
    targets = {task: answers.unsqueeze(1) for task, answers in visits.answers.items()}
    clicked = visits.answers["click"] == 1

    def source(chosen: Tensor) -> TensorSource:
        made = {task: answers[chosen] for task, answers in targets.items()}
        return TensorSource("visits", values[chosen], made, {"purchase": clicked[chosen]}, columns=columns)

    train, val, test = ([source(rows[split])] for split in SPLITS)
    known = ", ".join(f"{len(column.values):,} {column.name}s" for column in columns if column.values)
    best = ", ".join(f"{task} {auroc:.3f}" for task, auroc in _ceilings(visits, clicked, rows["test"]).items())
    sizes_ = "/".join(str(len(rows[split])) for split in SPLITS)
    return Splits(
        [*train],
        [*val],
        [*test],
        f"{sizes_} visits for train/val/test, drawn with data.seed={seed}; {known} occur in {rare} training rows or "
        f"more; purchases are known of the {int(clicked[rows['train']].sum())} clicks in training; AUROC of the drawn "
        f"probabilities in the test: {best}",
    )


def _table(visits: Visits) -> RawTable:
    columns = {name: RawColumn(name, NUMBER, visits.fields[name].numpy()) for name in FIELDS}
    for name, values in (("price", visits.price), ("age", visits.age)):
        columns[name] = RawColumn(name, NUMBER, values.numpy().astype(np.float64))
    return RawTable(columns)


def _ceilings(visits: Visits, clicked: Tensor, test: Tensor) -> dict[str, float]:
    """What nobody can expect to surpass: the AUROC of the probabilities that the answers were drawn from."""
    found = {}
    for task, rows in (("click", test), ("purchase", test[clicked[test]])):
        chances, answers = visits.logits[task][rows].double().sigmoid(), visits.answers[task][rows].long()
        varied = 0 < int(answers.sum()) < len(answers)
        found[task] = float(binary_auroc(chances, answers)) if varied else float("nan")
    return found
