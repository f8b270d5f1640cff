"""Pictures in a folder per domain and class: the same things in several kinds of pictures, one task per kind.

As Office-31 (Saenko et al., "Adapting Visual Category Models to New Domains", ECCV 2010; 31 classes) and Office-Home
(Venkateswara et al., "Deep Hashing Network for Unsupervised Domain Adaptation", CVPR 2017, arXiv:1706.07522; 65
classes) lie on disk. As tasks in parallel in LibMTL (Lin & Zhang, JMLR 2023) and the papers that use it: about 60/20/20
% of each domain for train/val/test, 224 x 224 pixels, ImageNet's normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from mtlrun.data.readers.folders import above, class_folders, is_picture, step_down
from mtlrun.data.readers.image_files import LazySource, Pictures, kept
from mtlrun.data.readers.plain_files import read_text
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import SPLITS, held_out_counts, val_and_test
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import whole

DEFAULT_ROOT = "~/.cache/mtlrun"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Paths = dict[str, list[Path]]
"""Picture files by split."""


def load(
    root: str | None = None,
    name: str = "office31",
    domains: Mapping[str, str] | None = None,
    home: str = "",
    splits: str | None = None,
    val: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    size: int = 224,
    memory_mb: float = 500,
    tasks: Sequence[str] | None = None,
) -> Splits:
    """Per domain a source and a task of the same name, targets int64 [N]; pictures uint8 [3, size, size].

    Classes are the names of the innermost folders, over all domains, in alphabetical order.

    Args:
        root: folder of the domains' folders, or up to two levels above; ~/.cache/mtlrun by default.
        name: of the folder that is looked for under `root`.
        domains: task -> folder, such as amazon -> amazon; the pictures are FOLDER/CLASS/* or FOLDER/images/CLASS/*.
        home: where to get the files, for messages.
        splits: folder with the lists FOLDER_train.txt, FOLDER_val.txt and FOLDER_test.txt of LibMTL, whose lines are
            `FOLDER/.../CLASS/FILE NUMBER`; None to draw the splits.
        val, test: shares of each class of each domain, if they are drawn.
        seed: of the draw.
        size: height and width that the pictures are stretched to.
        memory_mb: a split that takes at most so many megabytes is kept in memory.
        tasks: whose folders must be there; None for all of them.

    Raises:
        ConfigError: if an option is out of range.
        DataError: if files are absent or malformed.
    """
    whole("data.size", size, 16, 4096)
    if not domains:
        raise ConfigError("data.domains names no folder: give task names and folders, e.g. data.domains={dslr: dslr}")
    val_and_test(val, test)
    needed = [task for task in domains if tasks is None or task in tasks]
    folders = find_folders(Path(root or DEFAULT_ROOT).expanduser(), name, domains, needed, home)
    classes = sorted({path.name for folder in folders.values() for path in class_folders(folder)})
    generator = torch.Generator().manual_seed(seed)
    parts = {
        task: drawn(folder, val, test, generator)
        if splits is None
        else listed(folder, Path(splits).expanduser(), domains[task])
        for task, folder in folders.items()
    }
    made = {
        split: kept([source(task, paths[split], classes, size) for task, paths in parts.items()], memory_mb)
        for split in SPLITS
    }
    counts = ", ".join(
        f"{task} {'/'.join(str(len(paths[split])) for split in SPLITS)}" for task, paths in parts.items()
    )
    how = f"drawn by class with data.seed={seed}" if splits is None else f"as listed in {splits}"
    statement = f"{len(classes)} classes; train/val/test: {counts}; {how}"
    return Splits(made["train"], made["val"], made["test"], statement)


def source(task: str, paths: list[Path], classes: list[str], size: int) -> LazySource:
    """The pictures of one domain and split."""
    numbers = {name: number for number, name in enumerate(classes)}
    targets = torch.tensor([numbers[path.parent.name] for path in paths])
    return LazySource(task, Pictures(paths, (size, size)), {task: targets}, mean=MEAN, std=STD)


def find_folders(
    root: Path, name: str, domains: Mapping[str, str], needed: Sequence[str], home: str
) -> dict[str, Path]:
    """Per task the folder of its classes' folders, of those that are there.

    Raises:
        DataError: if one that is needed is absent; the line says what was looked for, and where to get it.
    """

    def fits(folder: Path) -> bool:
        return any(_domain(folder, domain) for domain in domains.values())

    base = next((folder for folder in (root, root / name) if fits(folder)), None) or step_down(root, fits)
    found = {task: _domain(base, domain) for task, domain in domains.items()} if base else {}
    absent = next((domains[task] for task in needed if found.get(task) is None), None)
    if absent is not None:
        wanted = ", ".join(domains[task] for task in needed)
        searched = base or f"{root} or {root / name}"
        raise DataError(
            f"no folder {absent} with pictures in {searched}{above(root, fits)}: expected the folders {wanted} with "
            f"CLASS/*.jpg or images/CLASS/*.jpg in each, from {home}"
        )
    return {task: folder for task, folder in found.items() if folder is not None}


def _domain(folder: Path, domain: str) -> Path | None:
    """The folder of a domain's classes, however its name is written."""
    spellings = dict.fromkeys((domain, domain.replace("_", " "), domain.replace("_", "")))
    inner = [folder / spelling / images for spelling in spellings for images in ("images", ".")]
    return next((path for path in inner if path.is_dir() and class_folders(path)), None)


def drawn(folder: Path, val: float, test: float, generator: torch.Generator) -> Paths:
    """The pictures of a domain, each class split at random; of two pictures or fewer all are trained on."""
    parts: Paths = {split: [] for split in SPLITS}
    for kind in class_folders(folder):
        paths = sorted(filter(is_picture, kind.iterdir()))
        order = torch.randperm(len(paths), generator=generator).tolist()
        few = len(paths) < len(SPLITS)
        counts = (0, 0) if few else held_out_counts(len(paths), val, test)
        parts["val"] += [paths[index] for index in order[: counts[0]]]
        parts["test"] += [paths[index] for index in order[counts[0] : sum(counts)]]
        parts["train"] += [paths[index] for index in order[sum(counts) :]]
    empty = next((split for split, paths in parts.items() if not paths), None)
    if empty is not None:
        raise DataError(
            f"too few pictures in {folder} for a {empty} split: expected CLASS/*.jpg with three or more each"
        )
    return parts


def listed(folder: Path, lists: Path, domain: str) -> Paths:
    """The pictures of a domain by LibMTL's lists; classes go by the names of their folders, not by the numbers."""
    parts: Paths = {}
    for split in SPLITS:
        path = lists / f"{domain}_{split}.txt"
        if not path.is_file():
            names = ", ".join(f"{domain}_{split}.txt" for split in SPLITS)
            raise DataError(f"no file {path}: data.splits needs {names} (examples/office/data_txt of LibMTL)")
        lines = [line.rpartition(" ")[0] for line in read_text(path).splitlines() if line.strip()]
        parts[split] = [folder.joinpath(*Path(line).parts[-2:]) for line in lines]
        lacking = next((picture for picture in parts[split] if not picture.is_file()), None)
        if lacking is not None or not lines:
            raise DataError(f"{path} lists {lacking or 'no picture'}: no such file, set data.root to the matching data")
    return parts
