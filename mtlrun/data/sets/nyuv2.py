"""NYUv2 as preprocessed for multi-task learning: 13 classes, depth and surface normals of 1,449 indoor pictures.

Silberman et al., "Indoor Segmentation and Support Inference from RGBD Images", ECCV 2012; the arrays are those of Liu
et al., "End-to-End Multi-Task Learning with Attention", CVPR 2019, https://arxiv.org/abs/1803.10704: 795 rows to train
on and 654 to test on, 288 x 384 pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mtlrun.data.pixel_augment import Kind
from mtlrun.data.readers.pixel_arrays import load_splits
from mtlrun.data.source import Splits

DEFAULT_ROOT = "~/.cache/mtlrun"
LAYERS = {
    "segmentation": ("label", Kind.CLASSES),
    "depth": ("depth", Kind.DEPTH),
    "normals": ("normal", Kind.NORMALS),
}
REMEDY = "get nyuv2.zip from the README of https://github.com/lorenmt/mtan and set data.root to the unpacked folder"


def load(
    root: str | None = None, val: float = 0.0, seed: int = 0, augment: bool = True, tasks: Sequence[str] | None = None
) -> Splits:
    """Source `nyuv2` with segmentation uint8 [H, W] (255 ignored), depth [H, W] in metres and normals [3, H, W].

    Args:
        root: folder with `train` and `val`, or that has such a folder called nyuv2; ~/.cache/mtlrun by default.
        val: share of the training rows that validation has to itself; with 0, as in the papers, validation scores are
            those of the training rows.
        seed: of the rows that are held out.
        augment: scale, crop and mirror training rows at random.
        tasks: whose files are read; None for all of them.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the files are absent or malformed.
    """
    folder = Path(root or DEFAULT_ROOT).expanduser()
    return load_splits("nyuv2", folder, LAYERS, val, seed, augment, REMEDY, tasks)
