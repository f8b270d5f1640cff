"""Users' own data: a table with named columns, or inputs and one array of labels per task, in .npz files or folders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mtlrun.data.array_cache import Array, cache_folder
from mtlrun.data.arrays.encoded_shards import KEPT, mapped_inputs, writable
from mtlrun.data.arrays.inputs import ArrayInputs, HeldInputs, MappedInputs
from mtlrun.data.arrays.npy_files import read_folder
from mtlrun.data.arrays.shard_table import shard_table
from mtlrun.data.arrays.shards import shards_of, tell_of_unread
from mtlrun.data.duplicates import warn_of_duplicates
from mtlrun.data.infer import infer_labels
from mtlrun.data.label_warnings import warn_before_training
from mtlrun.data.must_be_named import named_path
from mtlrun.data.readers.npz import open_npz, read_table
from mtlrun.data.row_splits import SplitKey, check_sizes, sizes_of
from mtlrun.data.source import Splits
from mtlrun.data.split_plan import SplitOptions, check_labels, planned, statement
from mtlrun.data.split_sizes import SPLITS
from mtlrun.data.tables.encode import EncodingOptions
from mtlrun.data.tables.load import TableOptions, column_key, load_table, splits_of_table
from mtlrun.data.tables.named_arrays import column_of_array
from mtlrun.data.tables.read import is_table
from mtlrun.data.variety import check_variety
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.options import distinct, whole
from mtlrun.runs.task_names import check_task_name

INPUTS = "inputs"
"""The array of inputs, if no other one is named."""

OTHERS = (".xls", ".xlsx", ".ods", ".json", ".jsonl", ".dta", ".sav", ".sas7bdat", ".h5", ".pkl", ".zip")
"""Endings of tables that are refused by name, since what is wrong with their content would not help."""

ArraysByName = dict[str, Array]


def load(
    path: str | None = None,
    val_path: str | None = None,
    test_path: str | None = None,
    inputs: str | Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    group: str | None = None,
    order: str | None = None,
    stratify: bool | None = None,
    standardise: bool = True,
    channels: str = "auto",
    max_classes: int = 100,
    kinds: Mapping[str, str] | None = None,
    categories: Sequence[str] | None = None,
    rare: int = 3,
    cache: str | None = None,
) -> Splits:
    """One source with the tasks that the file holds; `Splits.inferred` says their kinds.

    A table is a file of texts (.csv, .tsv, .txt; also packed, .csv.gz), a Parquet or Arrow file, or a .npz file of
    arrays [N] and [N, D]: one with a list of `inputs`, or with named `targets` and no array 'inputs'. A folder of
    Parquet or Arrow files is a table too: its rows are encoded once, a column at a time, and kept on the disk.

    Of a folder of .npy files, an array each, the inputs are mapped into memory and never read as a whole: once before
    training, some megabytes at a time, then the rows of each batch.

    Args:
        path: file or folder of the training rows, and of the other splits' rows that have no file of their own.
        val_path, test_path: files, or folders, with the same columns or arrays.
        inputs: of a table the names of its columns, None for all that are no labels; else the name of the array
            of inputs: [N, D], or images [N, H, W], [N, C, H, W] or [N, H, W, C]; None for 'inputs'.
        targets: names of the columns or arrays of labels, one per task; None for all that are no inputs.
        val, test: shares of the rows of `path`, where there is no file.
        seed: of the random split.
        group: column whose equal values stay in one split.
        order: column of times or numbers; the newest rows are the test, those before them validation.
        stratify: whether rare classes are spread over the splits; None for yes in tables.
        standardise: whether columns, or channels, get mean 0 and deviation 1 over the training rows.
        channels: of 4-dimensional inputs: first, last or auto.
        max_classes: the most classes that integers, or words, are taken for; integers with more are Regression.
        kinds: per task the kind that its labels are made into, one of label_kinds.KINDS; the others are read off.
        categories: columns of numbers that are categories.
        rare: words of a category that occur in fewer training rows share one code with unknown ones.
        cache: folder in which the rows of a folder of Parquet or Arrow files are kept encoded (subfolder arrays);
            None for the folder that MTLRUN_DATA names, else ~/.cache/mtlrun.

    Raises:
        ConfigError: if an option is missing or out of range, or names an array that is not there.
        DataError: if the files are missing, malformed, or not enough to train each task.
    """
    first = named_path("arrays", path)
    named = None if targets is None else distinct("data.targets", targets)
    files = [first, *(Path(file).expanduser() for file in (val_path, test_path) if file)]
    shards = bool(shards_of(files[0]))
    table = shards or as_table(files[0], inputs, named)
    spread = table if stratify is None else stratify
    splitting = SplitOptions(val_path, test_path, val, test, seed, group, order, spread)
    asked = {str(task): kind for task, kind in (kinds or {}).items()}
    if table:
        wide = None if inputs is None else distinct("data.inputs", inputs)
        words = distinct("data.categories", categories or [])
        encoding = EncodingOptions(standardise, whole("data.rare", rare), words)
        options = TableOptions(files, wide, named, max_classes, asked, encoding)
        return load_shards(options, splitting, cache_folder(cache, KEPT)) if shards else load_table(options, splitting)
    if categories:
        raise ConfigError(f"data.categories={categories}: {path} is no table, whose columns have names")
    array_options = ArrayOptions(standardise, channels, max_classes, asked)
    if inputs is not None and not isinstance(inputs, str | int):
        raise ConfigError(f"data.inputs={[*inputs]}: a folder of .npy files has one array of inputs, name that one")
    return load_arrays(files, INPUTS if inputs is None else str(inputs), named, splitting, array_options)


def as_table(path: Path, inputs: str | Sequence[str] | None, targets: Sequence[str] | None) -> bool:
    """Whether the file is read as a table: by its name, or by what is asked of a .npz file."""
    if path.is_dir():
        return False
    if is_table(path):
        return True
    if path.suffix.lower() in OTHERS:
        raise DataError(f"{path}: files of this kind are not read, save the table as CSV or Parquet")
    if path.suffix != ".npz":
        return False
    if inputs is not None:
        return not isinstance(inputs, str | int)
    if targets is None or not path.is_file():
        return False
    with open_npz(path) as archive:
        return INPUTS not in archive.files


@dataclass(frozen=True)
class ArrayOptions:
    """The options of the same names, of inputs that are one array."""

    standardise: bool
    channels: str
    max_classes: int
    kinds: Mapping[str, str]


def load_shards(options: TableOptions, splitting: SplitOptions, cache: Path) -> Splits:
    """As `load_table`, of folders of Parquet or Arrow files; their rows stay on the disk.

    Raises:
        ConfigError, DataError: see `load`.
    """
    folders = options.files
    other = next((folder for folder in folders if not shards_of(folder)), None)
    if other is not None:
        raise ConfigError(f"data.path={folders[0]} is a folder of Parquet or Arrow files, and {other} is none")
    for folder in folders:
        tell_of_unread(folder)
    table = shard_table(folders, writable(cache))
    return splits_of_table(table, table.counts, options, splitting, partial(mapped_inputs, table, cache=cache))


def load_arrays(
    files: Sequence[Path],
    inputs: str,
    targets: Sequence[str] | None,
    splitting: SplitOptions,
    options: ArrayOptions,
) -> Splits:
    """One source with a task for each array of labels.

    Raises:
        ConfigError, DataError: see `load`.
    """
    key = splitting.key
    check_same_form(files)
    tables = read_tables(files, inputs, targets, key)
    counts = [len(table[inputs]) for table in tables]
    check_sizes(sizes_of(counts[0], splitting.shares), sum(counts))
    chosen = SplitKey(*key, key_values(key[1], joined(tables, key[1]))) if key else None
    given = given_inputs(files, inputs, tables, options.channels)
    left_out = (inputs, *([key[1]] if key and key[1] not in (targets or ()) else ()))
    whole = {task: joined(tables, task) for task in tables[0] if task not in left_out}
    asked = kinds_of(whole, options.kinds)
    labels = {
        task: infer_labels(task, whole[task], given.image_shape, options.max_classes, asked.get(task)) for task in whole
    }
    rows, how = planned(splitting, counts, labels, chosen)
    check_labels(labels, rows)
    check_variety(labels, rows)
    fitted = given.fit(rows["train"], options.standardise)
    warn_before_training(labels, rows["train"].numpy(), fitted.inspected)
    if given.image_shape is None:
        warn_of_duplicates(fitted.ids, labels, rows, splitting.group is not None)
    train, validation, testing = ([fitted.source(rows[split], labels)] for split in SPLITS)
    inferred = {task: found.kind for task, found in labels.items()}
    return Splits(train, validation, testing, statement(rows, labels, how), inferred)


def check_same_form(files: Sequence[Path]) -> None:
    """Raise ConfigError where one of the paths is a folder and another is a file."""
    other = next((file for file in files if file.is_dir() != files[0].is_dir()), None)
    if other is not None:
        first, second = ("a folder" if path.is_dir() else "a file" for path in (files[0], other))
        raise ConfigError(f"data.path={files[0]} is {first} and {other} {second}: name files, or folders of .npy files")


def given_inputs(files: Sequence[Path], name: str, tables: Sequence[ArraysByName], channels: str) -> ArrayInputs:
    """The inputs of all files: mapped if they are in folders."""
    if files[0].is_dir():
        return MappedInputs(name, [folder / f"{name}.npy" for folder in files], channels)
    return HeldInputs(name, joined(tables, name), channels)


def key_values(name: str, values: Array) -> Array:
    """An array [N] of numbers, times or texts to split by."""
    if values.ndim != 1:
        raise DataError(f"array '{name}' has the shape {list(values.shape)}: rows are split by one value each")
    return column_key(column_of_array(name, values))


def kinds_of(tasks: Collection[str], kinds: Mapping[str, str] | None) -> dict[str, str]:
    """The kinds that are named, by task."""
    named = {str(task): kind for task, kind in (kinds or {}).items()}
    for task in named:
        choose(task, tasks, "array of labels in data.kinds")
    return named


def read_tables(
    paths: Sequence[Path], inputs: str, targets: Sequence[str] | None, key: tuple[str, str] | None
) -> list[ArraysByName]:
    """The arrays of each file; the first one says which, and of what shape and type. The key is a label only if it is
    named as a target."""
    read = read_folder if paths[0].is_dir() else read_table
    first = read(paths[0], inputs, targets, key)
    tasks = [name for name in first if name != inputs and (not key or name != key[1] or name in (targets or ()))]
    for task in tasks:
        check_task_name(task, "an array of labels")
    others = [read(other, inputs, tasks, key) for other in paths[1:]]
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


def joined(tables: Sequence[ArraysByName], name: str) -> Array:
    """The rows of all files."""
    return tables[0][name] if len(tables) == 1 else np.concatenate([table[name] for table in tables])
