"""What a set of masks holds: each file is decoded once, and of many files it is kept what was found."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mtlrun.data.array_cache import Arrays, cache_folder, code_version, file_name, kept
from mtlrun.data.readers.class_masks import pixels_of

log = logging.getLogger(__name__)

MANY = 1000
"""Files from which on it is kept what they hold."""
AT_ONCE = 64
"""Files that are decoded before anything is told of them."""
PATIENCE = 10.0
"""Seconds between two lines that say how far the reading is."""


@dataclass(frozen=True)
class MaskCodes:
    """codes: int64, in order, of all pixels of all files. sizes: int64 [N, 2], height and width of each."""

    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]


def codes_of_masks(paths: Sequence[str], in_colours: bool) -> MaskCodes:
    """What the files hold, read by several threads.

    Args:
        paths: of the masks.
        in_colours: whether codes are colours.

    Raises:
        DamagedFile: naming the first file that is no mask.
    """
    place = None
    if len(paths) >= MANY:
        stats = [(path, (state := os.stat(path)).st_size, state.st_mtime_ns) for path in paths]
        key = {"files": stats, "colours": in_colours, "code": code_version("mtlrun.data.readers")}
        place = cache_folder(None, "masks") / file_name("codes", key)
    found = kept(
        place, partial(_read_all, paths, in_colours), lambda arrays: len(arrays.get("sizes", ())) == len(paths)
    )
    return MaskCodes(found["codes"], found["sizes"])


def _read_all(paths: Sequence[str], in_colours: bool) -> Arrays:
    codes: set[int] = set()
    sizes: list[tuple[int, ...]] = []
    told = time.monotonic()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for start in range(0, len(paths), AT_ONCE):
            some = paths[start : start + AT_ONCE]
            for size, own in threads.map(partial(_read, in_colours=in_colours), some):
                sizes.append(size)
                codes.update(own)
            if time.monotonic() - told > PATIENCE:
                log.info("read %d of %d masks", len(sizes), len(paths))
                told = time.monotonic()
    return {"codes": np.array(sorted(codes), np.int64), "sizes": np.array(sizes, np.int64).reshape(-1, 2)}


def _read(path: str, in_colours: bool) -> tuple[tuple[int, ...], list[int]]:
    """Size and codes of a file. Masks are made of stretches of one class, so that where one begins says it all."""
    pixels = pixels_of(path, in_colours)
    flat = pixels.ravel()
    begins = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    return pixels.shape, np.unique(flat[np.append(begins, 0)]).tolist()
