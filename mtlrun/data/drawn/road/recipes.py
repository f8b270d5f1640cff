"""What is drawn of roads: scenes for three tasks or four questions, and sign crops; and the sources made of them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.array_cache import Arrays
from mtlrun.data.drawn.drawings import DrawingRecipe
from mtlrun.data.drawn.road.crops import draw_crop
from mtlrun.data.drawn.road.render import ASKED, MAX_BOXES, draw
from mtlrun.data.source import Source, TensorSource
from mtlrun.data.statistics import channel_statistics
from mtlrun.options import whole

PACKAGE = "mtlrun.data.drawn.road"
FOLDER = "driving"
MOST_PIXELS = 1024


def scene_recipe(seed: int, height: int, width: int) -> DrawingRecipe:
    """Road scenes: images uint8 [3, H, W], boxes float32 [M, 5], masks uint8 [H, W], present uint8 [4].

    Raises:
        ConfigError: if an option is out of bounds.
    """
    options = {
        "seed": whole("data.seed", seed, 0, 2**31 - 1),
        "height": whole("data.height", height, 32, MOST_PIXELS),
        "width": whole("data.width", width, 32, MOST_PIXELS),
    }
    row = {
        "images": ((3, height, width), "uint8"),
        "boxes": ((MAX_BOXES, 5), "float32"),
        "masks": ((height, width), "uint8"),
        "present": ((len(ASKED),), "uint8"),
    }
    return DrawingRecipe(
        PACKAGE, FOLDER, "scenes", options, row, lambda index: draw(seed, index, height, width).arrays()
    )


def sign_recipe(seed: int, size: int) -> DrawingRecipe:
    """Sign crops: images uint8 [3, size, size], kinds int64 [].

    Raises:
        ConfigError: if an option is out of bounds.
    """
    options = {
        "seed": whole("data.seed", seed, 0, 2**31 - 1),
        "size": whole("data.sign_size", size, 16, MOST_PIXELS),
    }
    row: dict[str, tuple[tuple[int, ...], str]] = {
        "images": ((3, size, size), "uint8"),
        "kinds": ((), "int64"),
    }
    return DrawingRecipe(PACKAGE, FOLDER, "signs", options, row, lambda index: draw_crop(seed, index, size))


def sources(name: str, drawn: Mapping[str, Arrays], targets: Mapping[str, dict[str, Tensor]]) -> dict[str, Source]:
    """One source per split, all normalised by the statistics of the training images."""
    mean, std = channel_statistics(torch.from_numpy(drawn["train"]["images"]))
    return {
        split: TensorSource(name, torch.from_numpy(arrays["images"]), targets[split], mean=mean, std=std)
        for split, arrays in drawn.items()
    }
