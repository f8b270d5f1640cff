"""The data of task set `medical`: procedural chest radiographs with four findings, not all of them labelled."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Arrays
from mtlrun.data.drawn.chest.render import draw
from mtlrun.data.drawn.drawings import DrawingRecipe, draw_splits
from mtlrun.data.drawn.drawings import counted as sizes_of
from mtlrun.data.readers.radiograph_labels import BLANK, FINDINGS, UNCERTAIN, Reading, counted
from mtlrun.data.source import Splits, TensorSource
from mtlrun.data.split_sizes import split_sizes
from mtlrun.data.statistics import channel_statistics
from mtlrun.errors import ConfigError
from mtlrun.options import share, whole

PACKAGE, FOLDER = "mtlrun.data.drawn.chest", "medical"


def load(
    seed: int,
    num_rows: Mapping[str, int],
    size: int,
    blank_share: float,
    uncertain_share: float,
    uncertain: str,
    blank: str,
    cache: str | None,
) -> Splits:
    """Source `radiographs` with one task for each of FINDINGS; targets float32 [N, 1], 0 absent, 1 present.

    Training rows lack a part of their labels, as those of CheXpert do; validation and test rows have all four.

    Args:
        seed: of the drawings, and of which labels are missing.
        num_rows: radiographs per split, by train, val and test.
        size: height and width of a radiograph, in pixels.
        blank_share: share of a finding's training labels that are not mentioned.
        uncertain_share: share of them that are uncertain.
        uncertain, blank: how such entries are taken, see `Reading`.
        cache: folder in which drawings are kept; None draws them at each start.

    Raises:
        ConfigError: if an option is out of bounds.
    """
    sizes, reading = split_sizes("num_rows", num_rows), Reading(uncertain, blank)
    shares = share("data.blank_share", blank_share), share("data.uncertain_share", uncertain_share)
    if sum(shares) >= 1:
        raise ConfigError(f"data.blank_share={blank_share} and data.uncertain_share={uncertain_share} leave no label")
    drawn = draw_splits(radiograph_recipe(seed, size), sizes, cache)
    mean, std = channel_statistics(torch.from_numpy(drawn["train"]["images"]))
    made = {}
    for split, arrays in drawn.items():
        known = entries(arrays, seed, *(shares if split == "train" else (0.0, 0.0)))
        targets, labelled = reading.all_answers(known, training=split == "train")
        images = torch.from_numpy(arrays["images"])
        made[split] = TensorSource("radiographs", images, targets, labelled, mean, std)
    known_rows = counted({task: made["train"].labelled(task) for task in FINDINGS})
    return Splits(
        train=[made["train"]],
        val=[made["val"]],
        test=[made["test"]],
        statement=f"train/val/test: {sizes_of(sizes)} chest radiographs, drawn from disjoint ranges of indices with "
        f"data.seed={seed}; training labels of {known_rows}",
    )


def radiograph_recipe(seed: int, size: int) -> DrawingRecipe:
    """Radiographs: images uint8 [1, size, size], findings uint8 [4].

    Raises:
        ConfigError: if an option is out of bounds.
    """
    options = {"seed": whole("data.seed", seed, 0, 2**31 - 1), "size": whole("data.size", size, 32, 512)}
    row = {"images": ((1, size, size), "uint8"), "findings": ((len(FINDINGS),), "uint8")}
    return DrawingRecipe(PACKAGE, FOLDER, "radiographs", options, row, lambda index: draw(seed, index, size))


def entries(arrays: Arrays, seed: int, blank_share: float, uncertain_share: float) -> dict[str, Tensor]:
    """Per finding the labels float32 [N] as a report would give them: 0, 1, -1 for uncertain, NaN for blank."""
    labels = arrays["findings"].astype(np.float32)
    fate = np.random.default_rng((seed, 2)).random(labels.shape)
    labels[fate < blank_share + uncertain_share] = UNCERTAIN
    labels[fate < blank_share] = BLANK
    return {task: torch.from_numpy(labels[:, index].copy()) for index, task in enumerate(FINDINGS)}
