"""Tables in Parquet and Arrow files, as the library `datasets` lays them out on the Hub, in its cache or on disk.

Read with pyarrow alone, which is an extra; nothing is fetched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mtlrun.data.readers.folders import step_down
from mtlrun.errors import ConfigError, DataError, near_miss

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
PATTERNS = (
    "{}.parquet",  # of one's own
    "{}-*-of-*.parquet",  # on the Hub
    "{}/*.parquet",  # on the Hub, converted by itself
    "{}/data-*-of-*.arrow",  # save_to_disk
    "{}/dataset.arrow",  # save_to_disk of older releases
    "*-{}.arrow",  # in the cache of load_dataset
    "*-{}-*-of-*.arrow",
)
PARQUET_MAGIC = b"PAR1"
FILE_MAGIC = b"ARROW1"
"""At the beginning of Arrow's file format, which Feather is too; streams have none."""
PARQUET, ARROW = (".parquet", ".pq"), (".arrow", ".feather")


@dataclass(frozen=True)
class ArrowTable:
    """A table, and the file that stands for it in messages.

    columns: by name; lists and structures as Python has them.
    class_names: of the columns whose numbers stand for them.
    """

    path: Path
    columns: dict[str, list[Any]]
    class_names: dict[str, list[str]]

    def column(self, *names: str) -> list[Any]:
        """The first of these columns that is there.

        Raises:
            DataError: if there is none.
        """
        found = next((name for name in names if name in self.columns), None)
        if found is None:
            listed = f"{near_miss(names[0], self.columns)} (there are: {', '.join(self.columns)})"
            raise DataError(f"{self.path} has no column {' or '.join(names)}{listed}")
        return self.columns[found]

    def words(self, *names: str) -> list[Any]:
        """As `column`, with the names of classes in place of their numbers, in lists too."""
        values = self.column(*names)
        known = next(
            (self.class_names[name] for name in names if name in self.columns and name in self.class_names), ()
        )
        return [_named(value, known) for value in values]


def _named(value: Any, names: Sequence[str]) -> Any:
    if isinstance(value, list):
        return [_named(entry, names) for entry in value]
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value


def find_tables(option: str, folder: Path) -> dict[str, list[Path]] | None:
    """The files of each split that is there, in the folder or up to two levels below; None without training files.

    Raises:
        DataError: if several folders on one level have them.
    """
    found = step_down(folder, lambda inner: bool(_files(inner, "train")), f"data.{option}")
    if found is None:
        return None
    return {split: files for split in SPLIT_NAMES if (files := _files(found, split))}


def _files(folder: Path, split: str) -> list[Path]:
    patterns = (pattern.format(name) for name in SPLIT_NAMES[split] for pattern in PATTERNS)
    return next((files for pattern in patterns if (files := sorted(folder.glob(pattern)))), [])


def read_tables(paths: Sequence[Path]) -> ArrowTable:
    """The table whose parts these files hold.

    Raises:
        ConfigError: if pyarrow is not installed.
        DataError: if a file is damaged, or they do not belong together.
    """
    arrow = arrow_library(paths[0])
    try:
        parts = [_read(path) for path in paths]
        table = arrow.concat_tables(parts)
        columns = table.to_pydict()
    except (arrow.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        why = str(error).partition("\n")[0]
        raise DataError(f"{paths[0].parent}: {paths[0].name} and what belongs to it cannot be read ({why})") from error
    return ArrowTable(paths[0], columns, class_names(parts[0].schema.metadata or {}, paths[0]))


def arrow_library(path: Path) -> ModuleType:
    """pyarrow; raises ConfigError if it is not installed, for the file that needs it."""
    try:
        import pyarrow  # here: optional, and it takes a while to load
    except ImportError as error:
        raise ConfigError(f"{path} needs the package pyarrow: pip install 'mtlrun[tables]'") from error
    return pyarrow


def _read(path: Path) -> Any:
    """The table in a file."""
    from pyarrow import parquet

    with open(path, "rb") as file:
        if file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC:
            return parquet.read_table(path, partitioning=None)
    return open_arrow(path).read_all()


def is_arrow(path: Path) -> bool:
    """Whether the name is that of an Arrow file."""
    return path.suffix.lower() in ARROW


def open_arrow(path: Path) -> Any:
    """A reader of an Arrow file, mapped into memory, with `schema` and `read_all`: of Arrow's file format, as Feather
    has it, or of a stream, as `datasets` writes it."""
    from pyarrow import ipc, memory_map

    source = memory_map(str(path))
    in_file_format = source.read(len(FILE_MAGIC)) == FILE_MAGIC
    source.seek(0)
    return ipc.open_file(source) if in_file_format else ipc.open_stream(source)


def batches_of(path: Path) -> Iterator[Any]:
    """The batches of records of an Arrow file, one after the other."""
    reader = open_arrow(path)
    if not hasattr(reader, "get_batch"):
        yield from reader
        return
    for place in range(reader.num_record_batches):
        yield reader.get_batch(place)


def no_such_file(path: Path) -> str:
    """What to tell of a file that cannot be read."""
    return f"{path} is no {'Arrow' if is_arrow(path) else 'Parquet'} file, or damaged: write it again"


def class_names(metadata: Mapping[bytes, bytes], path: Path) -> dict[str, list[str]]:
    """What `datasets` writes beside the columns: in the file, or in dataset_info.json next to it."""
    beside = path.parent / "dataset_info.json"
    try:
        told = json.loads(metadata[b"huggingface"])["info"] if b"huggingface" in metadata else None
        told = told or (json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {})
        features = told.get("features") or {}
    except (ValueError, KeyError, OSError, AttributeError):
        return {}  # what the columns lack then is told where they are read
    return {column: names for column, feature in features.items() if (names := _names_in(feature))}


def _names_in(feature: Any) -> list[str]:
    """The names of the classes of a column, or of the entries of its lists."""
    if isinstance(feature, list):
        return _names_in(feature[0]) if feature else []
    if not isinstance(feature, Mapping):
        return []
    names = feature.get("names")
    return [str(name) for name in names] if isinstance(names, list) else _names_in(feature.get("feature"))
