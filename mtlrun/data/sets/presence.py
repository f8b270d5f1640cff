"""The road scenes of `driving` with four yes/no questions: a pedestrian, car, stop sign, traffic light?

The answer is yes if at least one can be seen: at least 40 % of it lies in the picture and is not hidden
behind something nearer, and it is at least 6 pixels high (5 for cars and stop signs) in a picture of 64 rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.array_cache import Arrays
from mtlrun.data.drawn.drawings import counted, draw_splits
from mtlrun.data.drawn.road.recipes import scene_recipe, sources
from mtlrun.data.drawn.road.render import ASKED
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import split_sizes


def load(seed: int, num_scenes: Mapping[str, int], height: int, width: int, cache: str | None) -> Splits:
    """Source `scenes` with tasks pedestrian, car, stop_sign and traffic_light: 0 absent, 1 present.

    Args:
        seed: of the drawings; with equal settings they are the very scenes of `driving`.
        num_scenes: rows per split, by train, val and test.
        height, width: of a scene, in pixels.
        cache: folder in which drawings are kept; None draws them at each start.

    Raises:
        ConfigError: if an option is out of bounds.
    """
    sizes = split_sizes("num_scenes", num_scenes)
    drawn = draw_splits(scene_recipe(seed, height, width), sizes, cache)
    scenes = sources("scenes", drawn, {split: answers(arrays) for split, arrays in drawn.items()})
    return Splits(
        train=[scenes["train"]],
        val=[scenes["val"]],
        test=[scenes["test"]],
        statement=f"train/val/test: {counted(sizes)} road scenes, drawn from disjoint ranges of indices with "
        f"data.seed={seed}",
    )


def answers(arrays: Arrays) -> dict[str, Tensor]:
    """Per question int64 [N], 0 or 1."""
    present = torch.from_numpy(arrays["present"]).to(torch.int64)
    return {name: present[:, index].contiguous() for index, name in enumerate(ASKED)}
