"""Tables as arrays by name [N], which .npz files hold: made from a data frame or a mapping, and read back."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.atomic import complete_file
from mtlrun.data.array_cache import Array
from mtlrun.data.tables.raw import DATE, NUMBER, TEXT, RawColumn
from mtlrun.data.tables.text_types import DAY, typed, words
from mtlrun.data.tables.vectors import entry
from mtlrun.errors import DataError

LISTS = (list, tuple, np.ndarray)
TAKES = "a table takes numbers, truth values, dates, texts or lists of numbers of one length"


def columns_of_array(name: str, values: Array, as_words: bool = False) -> dict[str, RawColumn]:
    """An array [N] as a column by its name, and numbers or truth values [N, D] as a column for each entry; none for
    arrays of other shapes. See `column_of_array`."""
    if values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1):
        return {name: column_of_array(name, values, as_words)}
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        return {}
    parts = {entry(name, place): values[:, place] for place in range(values.shape[1])}
    return {part: column_of_array(part, entries) for part, entries in parts.items()}


def column_of_array(name: str, values: Array, as_words: bool = False) -> RawColumn:
    """A column from an array [N] of numbers, truth values, dates or texts; others are trouble, told only if used.

    Args:
        name: of the column.
        values: the array.
        as_words: whether texts are words, whatever they look like.

    Raises:
        DataError: if it has another shape, or bytes that are no text.
    """
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"column '{name}' has the shape {list(values.shape)}: a table takes one value for each row")
    kind = values.dtype.kind
    if kind in "US":
        texts = _texts(name, values)
        return words(name, texts) if as_words else typed(name, texts, first_line=0)
    if kind == "M":
        return RawColumn(name, DATE, _days(values), "dates, as days since 1970")
    if kind not in "biuf":
        return unusable(name, len(values), str(values.dtype))
    if kind == "u" and values.max(initial=0) > np.iinfo(np.int64).max:
        return RawColumn(name, NUMBER, values.astype(np.uint64))
    wide = {"i": np.int64, "u": np.int64, "f": np.float64}
    return RawColumn(name, NUMBER, values if kind == "b" else values.astype(wide[kind]))


def unusable(name: str, count: int, kind: str) -> RawColumn:
    """A column of values that no table takes; whoever uses it is told."""
    trouble = f"column '{name}' holds values of type {kind}: {TAKES}; leave it out with data.inputs=[...]"
    return RawColumn(name, TEXT, np.full(count, "", dtype=object), trouble=trouble)


def _texts(name: str, values: Array) -> list[str]:
    try:
        return [value.decode() if isinstance(value, bytes) else str(value) for value in values.tolist()]
    except UnicodeDecodeError as error:
        raise DataError(f"column '{name}' holds bytes that are no UTF-8 text: write it as texts") from error


def _days(values: Array) -> Array:
    micro = values.astype("M8[us]")
    days = micro.astype(np.int64) / DAY
    return np.where(np.isnat(micro), np.nan, days)


def arrays_of(data: Any) -> dict[str, Array]:
    """What a .npz file can hold of a pandas data frame, or of a mapping from names to arrays.

    Raises:
        DataError: if it is neither, or a name stands twice, or values are what no table takes.
    """
    if isinstance(data, Mapping):
        return {str(name): plain_array(str(name), _of_entry(str(name), values)) for name, values in data.items()}
    if not all(hasattr(data, part) for part in ("columns", "dtypes", "iloc")):
        raise DataError(
            f"data= takes a pandas data frame, or a mapping from names to arrays, found a {type(data).__name__}"
        )
    names = [str(name) for name in data.columns]
    if not names or not len(data):
        raise DataError(f"the data frame has {len(data)} rows of {len(names)} columns")
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice is not None:
        raise DataError(f"the data frame has two columns called '{twice}': give each a name of its own")
    return {name: plain_array(name, _of_series(data.iloc[:, place])) for place, name in enumerate(names)}


def _of_entry(name: str, values: Any) -> Array:
    """An array, a list or a pandas column as an array."""
    if hasattr(values, "iloc") and hasattr(values, "dtype"):
        return _of_series(values)
    try:
        return np.asarray(values)
    except (ValueError, TypeError, RuntimeError) as error:  # rows of unequal length; a tensor with a gradient
        why = str(error).partition("\n")[0]
        raise DataError(f"'{name}' is no array: give it as numpy.ndarray, with a value for each row ({why})") from error


def _of_series(series: Any) -> Array:
    """A pandas column as an array; missing values as NaN, NaT or None."""
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iufb" and series.isna().any():  # a nullable type, which NumPy has not
        found: Array = series.to_numpy(dtype=np.float64, na_value=np.nan)
    elif kind == "M" and "date32" not in str(series.dtype):
        aware = getattr(series.dtype, "tz", None) is not None
        found = (series.dt.tz_convert(None) if aware else series).to_numpy(dtype="M8[us]")
    elif kind == "m":
        found = series.to_numpy(dtype="m8[us]")
    elif kind in "iufb":  # a sparse column says of what its values are
        kinds = (getattr(series.dtype, name, None) for name in ("numpy_dtype", "subtype"))
        found = series.to_numpy(dtype=next((known for known in kinds if known is not None), series.dtype))
    else:
        found = np.asarray(series.astype(object).where(series.notna(), None))
    return found


def plain_array(name: str, values: Array) -> Array:
    """An array that needs no pickling: objects become texts, with '' for None and NaN, and lists of numbers of one
    length [N, D]."""
    if values.dtype.kind != "O":
        return values
    if values.ndim != 1:
        raise DataError(f"'{name}' holds Python objects of shape {list(values.shape)}: make it an array of numbers")
    lists = stacked_lists(values)
    if lists is not None:
        return lists
    found = [value for value in values if not _absent(value)]
    odd = next((value for value in found if not isinstance(value, str | int | float | bool | np.generic)), None)
    if odd is not None and not hasattr(odd, "isoformat") and type(odd).__name__ != "Decimal":
        many = " of another length than others, or of more than numbers" if isinstance(odd, LISTS) else ""
        raise DataError(f"column '{name}' holds a {type(odd).__name__}{many}: {TAKES}; leave it out of the data")
    return np.array([text_of(value) for value in values], dtype=str)


def stacked_lists(values: Sequence[Any] | Array) -> Array | None:
    """[N, D] of N lists of numbers of one length, with NaN in the rows of None; None if they are anything else."""
    if not isinstance(next((value for value in values if not _absent(value)), None), LISTS):
        return None
    gaps = np.array([_absent(value) for value in values], dtype=bool)
    try:
        rows = np.array([value for value, gap in zip(values, gaps) if not gap])
        if rows.dtype.kind == "O" and rows.ndim > 1:
            rows = np.array([[np.nan if _absent(number) else number for number in row] for row in rows])
    except (ValueError, TypeError):  # of unequal lengths; a number in place of a list
        return None
    if rows.ndim != 2 or rows.dtype.kind not in "biuf":
        return None
    if not gaps.any():
        return rows
    filled = np.full((len(gaps), rows.shape[1]), np.nan)
    filled[~gaps] = rows
    return filled


def _absent(value: Any) -> bool:
    """Whether it is None, NaN, NaT or what pandas calls NA, which is neither equal to itself nor not."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, float | np.generic) and bool(value != value)


def text_of(value: Any) -> str:
    """A value as a text, '' for none."""
    if _absent(value):
        return ""
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write a .npz file, complete or not at all; any name is fine, also one that numpy.savez keeps for itself."""
    with complete_file(path) as file, zipfile.ZipFile(file, "w", allowZip64=True) as archive:
        for name, values in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, values, allow_pickle=False)
