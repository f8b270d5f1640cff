"""The data of task set `driving`: road scenes for three tasks, sign crops for the fourth."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.array_cache import Arrays
from mtlrun.data.drawings import Recipe, counted, draw_splits
from mtlrun.data.driving.crops import draw_crop
from mtlrun.data.driving.render import ASKED, MAX_BOXES, draw
from mtlrun.data.options import split_sizes, whole
from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.statistics import channel_statistics

PACKAGE = "mtlrun.data.driving"
MOST_PIXELS = 1024


def load(
    seed: int,
    num_scenes: Mapping[str, int],
    num_signs: Mapping[str, int],
    height: int,
    width: int,
    sign_size: int,
    cache: str | None,
) -> Splits:
    """Sources `scenes` (tasks detection, lane, drivable) and `signs` (task sign).

    Args:
        seed: of the drawings.
        num_scenes, num_signs: rows per split, by train, val and test.
        height, width: of a scene, in pixels.
        sign_size: height and width of a sign crop, in pixels.
        cache: folder in which drawings are kept; None draws them at each start.

    Raises:
        ConfigError: if an option is out of bounds.
    """
    scenes, signs = split_sizes("num_scenes", num_scenes), split_sizes("num_signs", num_signs)
    recipes = scene_recipe(seed, height, width), sign_recipe(seed, sign_size)
    drawn = draw_splits(recipes[0], scenes, cache)
    crops = draw_splits(recipes[1], signs, cache)
    road = sources("scenes", drawn, {split: road_targets(arrays) for split, arrays in drawn.items()})
    sign = sources("signs", crops, {s: {"sign": torch.from_numpy(arrays["kinds"])} for s, arrays in crops.items()})
    return Splits(
        train=[road["train"], sign["train"]],
        val=[road["val"], sign["val"]],
        test=[road["test"], sign["test"]],
        statement=f"train/val/test: {counted(scenes)} road scenes and {counted(signs)} sign crops, drawn "
        f"from disjoint ranges of indices with data.seed={seed}",
    )


def scene_recipe(seed: int, height: int, width: int) -> Recipe:
    """Road scenes: images uint8 [3, H, W], boxes float32 [M, 5], masks uint8 [H, W], present uint8 [4].

    Raises:
        ConfigError: if an option is out of bounds.
    """
    options = {
        "seed": whole("seed", seed, 0, 2**31 - 1),
        "height": whole("height", height, 32, MOST_PIXELS),
        "width": whole("width", width, 32, MOST_PIXELS),
    }
    row = {
        "images": ((3, height, width), "uint8"),
        "boxes": ((MAX_BOXES, 5), "float32"),
        "masks": ((height, width), "uint8"),
        "present": ((len(ASKED),), "uint8"),
    }
    return Recipe(PACKAGE, "scenes", options, row, lambda index: draw(seed, index, height, width).arrays())


def sign_recipe(seed: int, size: int) -> Recipe:
    """Sign crops: images uint8 [3, size, size], kinds int64 [].

    Raises:
        ConfigError: if an option is out of bounds.
    """
    options = {
        "seed": whole("seed", seed, 0, 2**31 - 1),
        "size": whole("sign_size", size, 16, MOST_PIXELS),
    }
    row: dict[str, tuple[tuple[int, ...], str]] = {
        "images": ((3, size, size), "uint8"),
        "kinds": ((), "int64"),
    }
    return Recipe(PACKAGE, "signs", options, row, lambda index: draw_crop(seed, index, size))


def road_targets(arrays: Arrays) -> dict[str, Tensor]:
    """Labels of the three tasks on road scenes."""
    return {
        "detection": torch.from_numpy(arrays["boxes"]),
        "lane": torch.from_numpy(arrays["masks"] >> 1 & 1),
        "drivable": torch.from_numpy(2 * (arrays["masks"] & 1) - (arrays["masks"] >> 2)),  # 1 own lane, 2 other lanes
    }


def sources(name: str, drawn: Mapping[str, Arrays], targets: Mapping[str, dict[str, Tensor]]) -> dict[str, Source]:
    """One source per split, all normalised by the statistics of the training images."""
    mean, std = channel_statistics(torch.from_numpy(drawn["train"]["images"]))
    return {
        split: TensorSource(name, torch.from_numpy(arrays["images"]), targets[split], mean=mean, std=std)
        for split, arrays in drawn.items()
    }
