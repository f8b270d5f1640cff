"""The data of task set `animals`: drawn silhouettes, a source of its own for each detector."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from mtlrun.data.array_cache import Arrays
from mtlrun.data.drawn.animals.render import draw
from mtlrun.data.drawn.drawings import DrawingRecipe, counted, draw_splits
from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.split_sizes import split_sizes
from mtlrun.data.statistics import channel_statistics
from mtlrun.options import whole

PACKAGE, FOLDER = "mtlrun.data.drawn.animals", "animals"
DETECTORS = ("dog", "cat", "giraffe")


def load(seed: int, num_rows: Mapping[str, int], size: int, cache: str | None) -> Splits:
    """Sources `dogs`, `cats` and `giraffes` with tasks dog, cat and giraffe: is one there? 0 absent, 1 present.

    Half of a source's pictures show its animal, the others another one (also a horse or a pig), or none.

    Args:
        seed: of the drawings.
        num_rows: pictures per split of each source, by train, val and test.
        size: height and width of a picture, in pixels.
        cache: folder in which drawings are kept; None draws them at each start.

    Raises:
        ConfigError: if an option is out of bounds.
    """
    sizes = split_sizes("num_rows", num_rows)
    made: dict[str, list[Source]] = {split: [] for split in sizes}
    for detector in DETECTORS:
        drawn = draw_splits(silhouette_recipe(seed, detector, size), sizes, cache)
        for split, source in sources(detector, drawn).items():
            made[split].append(source)
    return Splits(
        made["train"],
        made["val"],
        made["test"],
        f"train/val/test: {counted(sizes)} silhouettes for each of {', '.join(DETECTORS)}, drawn from "
        f"disjoint ranges of indices with data.seed={seed}",
    )


def silhouette_recipe(seed: int, detector: str, size: int) -> DrawingRecipe:
    """Pictures of one source: images uint8 [3, size, size], present int64 [].

    Raises:
        ConfigError: if an option is out of bounds.
    """
    options = {"seed": whole("data.seed", seed, 0, 2**31 - 1), "size": whole("data.size", size, 24, 512)}
    row: dict[str, tuple[tuple[int, ...], str]] = {"images": ((3, size, size), "uint8"), "present": ((), "int64")}
    return DrawingRecipe(PACKAGE, FOLDER, f"{detector}s", options, row, lambda index: draw(seed, detector, index, size))


def sources(detector: str, drawn: Mapping[str, Arrays]) -> dict[str, Source]:
    """One source per split, all normalised by the statistics of its training pictures."""
    mean, std = channel_statistics(torch.from_numpy(drawn["train"]["images"]))
    return {
        split: TensorSource(
            f"{detector}s",
            torch.from_numpy(arrays["images"]),
            {detector: torch.from_numpy(arrays["present"])},
            mean=mean,
            std=std,
        )
        for split, arrays in drawn.items()
    }
