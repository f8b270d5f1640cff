"""Cityscapes as preprocessed for multi-task learning: classes and inverse depth of 3,475 street scenes.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016; the arrays are those of Liu
et al., "End-to-End Multi-Task Learning with Attention", CVPR 2019, https://arxiv.org/abs/1803.10704: 2,975 rows to
train on and 500 to test on, 128 x 256 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlrun.data.pixel_augment import Kind
from mtlrun.data.readers.pixel_arrays import load_splits
from mtlrun.data.source import Splits

DEFAULT_ROOT = "~/.cache/mtlrun"
REMEDY = "get cityscapes2.zip from the README of https://github.com/lorenmt/mtan and set data.root to its folder"


def load(
    root: str | None = None,
    labels: str = "label_7",
    val: float = 0.0,
    seed: int = 0,
    augment: bool = True,
    tasks: Sequence[str] | None = None,
) -> Splits:
    """Source `cityscapes` with segmentation uint8 [H, W] (255 ignored) and depth [H, W], an inverse depth.

    Args:
        root: folder with `train` and `val`, or that has such a folder called cityscapes; ~/.cache/mtlrun by default.
        labels: folder of the classes: label_2, label_7 or label_19.
        val: share of the training rows that validation has to itself; with 0, as in the papers, validation scores are
            those of the training rows.
        seed: of the rows that are held out.
        augment: scale, crop and mirror training rows at random.
        tasks: whose files are read; None for all of them.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the files are absent or malformed.
    """
    layers = {"segmentation": (labels, Kind.CLASSES), "depth": ("depth", Kind.DEPTH)}
    folder = Path(root or DEFAULT_ROOT).expanduser()
    return load_splits("cityscapes", folder, layers, val, seed, augment, REMEDY, tasks)
