"""The data of task set `driving`: road scenes for three tasks, sign crops for the fourth."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.array_cache import Arrays
from mtlrun.data.drawn.drawings import counted, draw_splits
from mtlrun.data.drawn.road.recipes import scene_recipe, sign_recipe, sources
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import split_sizes


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
    recipes[1].check_room(signs)  # before the scenes are drawn, which takes a while
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


def road_targets(arrays: Arrays) -> dict[str, Tensor]:
    """Labels of the three tasks on road scenes."""
    return {
        "detection": torch.from_numpy(arrays["boxes"]),
        "lane": torch.from_numpy(arrays["masks"] >> 1 & 1),
        "drivable": torch.from_numpy(2 * (arrays["masks"] & 1) - (arrays["masks"] >> 2)),  # 1 own lane, 2 other lanes
    }
