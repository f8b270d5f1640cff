"""Users' own data: inputs and one array of labels per task in .npz files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mtlrun.data.array_cache import Array
from mtlrun.data.array_inputs import Inputs, check_finite, with_channels
from mtlrun.data.fingerprint import ids_of_rows
from mtlrun.data.infer import infer_labels
from mtlrun.data.label_kinds import Labels
from mtlrun.data.readers.npz import read_table
from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.variety import check_variety
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.options import distinct
from mtlrun.runs.task_names import check_task_name

SPLITS = ("train", "val", "test")
FEWEST_ROWS = 2  # of a split: some metrics are not defined on one

ArraysByName = dict[str, Array]


def load(
    path: str | None = None,
    val_path: str | None = None,
    test_path: str | None = None,
    inputs: str = "inputs",
    targets: Sequence[str] | None = None,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    standardise: bool = True,
    channels: str = "auto",
    max_classes: int = 100,
    kinds: Mapping[str, str] | None = None,
) -> Splits:
    """One source with the tasks that the file holds; `Splits.inferred` says their kinds.

    Args:
        path: .npz file of the training rows, and of the other splits' rows that have no file of their own.
        val_path, test_path: .npz files with the same arrays.
        inputs: name of the array of inputs: [N, D], or images [N, H, W], [N, C, H, W] or [N, H, W, C].
        targets: names of the arrays of labels, one per task; None for every other array in `path`.
        val, test: shares of the rows of `path`, where there is no file.
        seed: of the random split.
        standardise: whether columns, or channels, get mean 0 and deviation 1 over the training rows.
        channels: of 4-dimensional inputs: first, last or auto.
        max_classes: the most classes that an array of integers is taken for; with more it is Regression.
        kinds: per task the kind that its labels are made into, one of label_kinds.KINDS; the others are read off.

    Raises:
        ConfigError: if an option is missing or out of range, or names an array that is not there.
        DataError: if the files are missing, malformed, or not enough to train each task.
    """
    if path is None:
        raise ConfigError("data.path is not set: say which file to train on with data.path=FILE.npz")
    inputs = str(inputs)
    named = None if targets is None else distinct("data.targets", targets)
    tables = read_tables(path, val_path, test_path, inputs, named)
    rows = split_rows([len(table[inputs]) for table in tables], shares_of(val_path, test_path, val, test), seed)
    whole = join(tables)
    values = with_channels(inputs, whole.pop(inputs), channels)
    check_finite(inputs, values)
    image_shape = values.shape[2:] if values.ndim == 4 else None
    asked = kinds_of(whole, kinds)
    labels = {task: infer_labels(task, whole[task], image_shape, max_classes, asked.get(task)) for task in whole}
    check_labels(labels, rows)
    check_variety(labels, rows)
    scaled = Inputs(values, rows["train"], standardise)
    ids = ids_of_rows(scaled.values if values.ndim > 2 else torch.from_numpy(values.astype(np.float64)))
    train, validation, testing = (sources(scaled, rows[split], labels, ids) for split in SPLITS)
    inferred = {task: found.kind for task, found in labels.items()}
    return Splits(train, validation, testing, statement(rows, labels, len(tables), seed), inferred)


def kinds_of(tasks: Collection[str], kinds: Mapping[str, str] | None) -> dict[str, str]:
    """The kinds that are named, by task."""
    named = {str(task): kind for task, kind in (kinds or {}).items()}
    for task in named:
        choose(task, tasks, "array of labels in data.kinds")
    return named


def read_tables(
    path: str, val_path: str | None, test_path: str | None, inputs: str, targets: Sequence[str] | None
) -> list[ArraysByName]:
    """The arrays of each file that is given; the first one says which, and of what shape and type."""
    paths = [Path(file).expanduser() for file in (path, val_path, test_path) if file]
    first = read_table(paths[0], inputs, targets)
    tasks = [name for name in first if name != inputs]
    for task in tasks:
        check_task_name(task, "an array of labels")
    others = [read_table(other, inputs, tasks) for other in paths[1:]]
    for other, table in zip(paths[1:], others):
        check_alike(paths[0], first, other, table)
    return [first, *others]


def check_alike(path: Path, first: ArraysByName, other: Path, table: ArraysByName) -> None:
    """Raise DataError where arrays of two files differ in the shape of a row, or only one is of floats."""
    for name, values in first.items():
        one, two = (f"{array.dtype} {list(array.shape[1:])}" for array in (values, table[name]))
        floats = {array.dtype.kind == "f" for array in (values, table[name])}
        if values.shape[1:] != table[name].shape[1:] or len(floats) > 1:
            raise DataError(f"rows of '{name}' are {one} in {path} but {two} in {other}: make them alike")


def join(tables: list[ArraysByName]) -> ArraysByName:
    """One table with the rows of all."""
    if len(tables) == 1:
        return dict(tables[0])
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def shares_of(val_path: str | None, test_path: str | None, val: float, test: float) -> dict[str, float | None]:
    """Per held-out split its share of the first file's rows; None if it has a file of its own.

    Raises:
        ConfigError: if the shares leave nothing for a split.
    """
    shares = {"val": None if val_path else val, "test": None if test_path else test}
    taken = [share for share in shares.values() if share is not None]
    if any(share <= 0 for share in taken) or sum(taken) >= 1:
        raise ConfigError(
            f"data.val={val} and data.test={test} must each be above 0, and below 1 in sum: "
            "they are shares of the rows of data.path"
        )
    return shares


def split_rows(counts: list[int], shares: dict[str, float | None], seed: int) -> dict[str, Tensor]:
    """Rows of each split, in the table of all files' rows.

    Args:
        counts: rows of each file, in the order train, val, test.
        shares: as `shares_of` gives them.
        seed: of the random split of the first file.

    Raises:
        DataError: if a split has too few rows.
    """
    held_out = {split: round(share * counts[0]) for split, share in shares.items() if share is not None}
    sizes = {"train": counts[0] - sum(held_out.values()), **held_out}
    order = torch.randperm(counts[0], generator=torch.Generator().manual_seed(seed))
    rows = dict(zip(sizes, order.split(list(sizes.values()))))
    own_files = [split for split, share in shares.items() if share is None]
    starts = np.cumsum(counts)
    for split, start, count in zip(own_files, starts, counts[1:]):
        rows[split] = torch.arange(count) + int(start)
    for split in SPLITS:
        if len(rows[split]) < FEWEST_ROWS:
            raise DataError(
                f"{len(rows[split])} of {sum(counts)} rows are left for {split}, which needs {FEWEST_ROWS}: "
                "add rows, or change data.val and data.test"
            )
    return rows


def check_labels(labels: dict[str, Labels], rows: dict[str, Tensor]) -> None:
    """Raise DataError if a task has no label in one of the splits."""
    for task, found in labels.items():
        for split in SPLITS:
            if not found.labelled[rows[split]].any():
                raise DataError(
                    f"task '{task}' has labels in {int(found.labelled.sum())} rows but in none of the "
                    f"{len(rows[split])} of {split}: label more, try another data.seed, or leave it out with "
                    "data.targets=[...]"
                )


def sources(inputs: Inputs, rows: Tensor, labels: dict[str, Labels], ids: Tensor) -> list[Source]:
    """The one source of a split; `ids` are those of all rows as they are in the files."""
    return [
        TensorSource(
            "arrays",
            inputs.values[rows],
            {task: found.values[rows] for task, found in labels.items()},
            {task: found.labelled[rows] for task, found in labels.items()},
            mean=inputs.mean,
            std=inputs.std,
            row_ids=ids[rows],
            early=inputs.early,
        )
    ]


def statement(rows: dict[str, Tensor], labels: dict[str, Labels], num_files: int, seed: int) -> str:
    """How the splits were made and what the labels were taken for, in one line."""
    sizes = "/".join(str(len(rows[split])) for split in SPLITS)
    how = "by file" if num_files == len(SPLITS) else f"at random (data.seed={seed})"
    how = f"by file and {how}" if num_files == 2 else how
    kinds = ", ".join(f"{task}: {found.summary}" for task, found in labels.items())
    return f"{sizes} rows for train/val/test, split {how}; labels taken for {kinds}"
