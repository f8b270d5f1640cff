"""What a run remembers of its data, to be told apart from other data without keeping any of it.

Of each source in each split: the number of rows; a digest of masks, whole-number labels and row ids; four sums for each
array of inputs or decimal labels, which see order and values; and the smallest row ids, a sample by which rows of
one split are found in another (bottom-k sketch: Cohen & Kaplan, "Summarizing data using bottom-k sketches", 2007).

Nothing depends on where files lie. Of each row at most 256 numbers are looked at, evenly spaced; of pictures that stay
in files none, but the files' names, below the folder that all of them lie in, and sizes. Sums are compared to 1e-5 of
their spread, since drawn numbers may differ in the last bit from one processor to another; a single row of a million
that changes moves them by 1e-3.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mtlrun.data.source import Fingerprint, Source, Splits

LOOKED_AT = 256
"""Numbers of a row."""
CHUNK = 512
"""Rows that are gathered at once."""
AT_ONCE = 2**14
"""Rows that are numbered together, since that takes several copies of them."""
SAMPLE = 1024
"""Row ids that are kept of a source."""
TOLERANCE = 1e-5
SUMS = 3
_ENTRY = {"name": str, "rows": int, "digest": str, "sums": dict, "sample": Tensor}
MORE_THAN_CHANCE = 0.05
"""Share of test rows that may be found among another run's training rows beyond those that the own training has too."""


def fingerprint(splits: Splits) -> Fingerprint:
    """The fingerprint of every split."""
    parts = {"train": splits.train, "val": splits.val, "test": splits.test}
    return {split: [_of_source(source) for source in sources] for split, sources in parts.items()}


def is_fingerprint(value: object) -> bool:
    """Whether this is of the form that `fingerprint` returns, whatever the data."""
    if not isinstance(value, dict) or value.keys() != {"train", "val", "test"}:
        return False
    return all(isinstance(part, list) and all(map(_is_entry, part)) for part in value.values())


def _is_entry(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() != _ENTRY.keys():
        return False
    if not all(isinstance(value[key], kind) for key, kind in _ENTRY.items()):
        return False
    lists = value["sums"].values()
    return all(isinstance(sums, list) and all(isinstance(number, float) for number in sums) for sums in lists)


def difference(before: Fingerprint, now: Fingerprint) -> str | None:
    """What differs first, such as "train had 700 rows of 'arrays' and has 705 now"; None for the same data."""
    for split, entries in before.items():
        names, others = ([entry["name"] for entry in part] for part in (entries, now[split]))
        if names != others:
            return f"{split} rows came from {', '.join(names)}, now from {', '.join(others)}"
        for entry, other in zip(entries, now[split]):
            if entry["rows"] != other["rows"]:
                return f"{split} had {entry['rows']} rows of '{entry['name']}' and has {other['rows']} now"
            if entry["digest"] != other["digest"] or not _alike(entry["sums"], other["sums"]):
                return f"the {split} rows of '{entry['name']}' are others, in another order, or labelled otherwise"
    return None


def share_trained_on(before: Fingerprint, now: Fingerprint) -> float:
    """The largest share of a source's test rows now that were training rows before; 0 where it is no more than what
    the source's own training rows have in common with its test rows."""
    trained = {entry["name"]: entry["sample"] for entry in before["train"]}
    own = {entry["name"]: entry["sample"] for entry in now["train"]}
    shares = [0.0]
    for entry in now["test"]:
        if entry["name"] in trained and entry["name"] in own:
            found = _share_in(entry["sample"], trained[entry["name"]])
            usual = _share_in(entry["sample"], own[entry["name"]])
            shares.append(found if found > usual + MORE_THAN_CHANCE else 0.0)
    return max(shares)


def ids_of_rows(values: Tensor) -> Tensor:
    """A number for each row [N, ...] by the bits of its numbers, int64 [N]: equal rows, equal numbers."""
    ids = torch.empty(len(values), dtype=torch.int64)
    for own, part in zip(ids.split(AT_ONCE), values.split(AT_ONCE)):
        own.copy_(_ids_of_some(part))
    return ids


def _ids_of_some(values: Tensor) -> Tensor:
    octets = _thin(values.cpu()).contiguous().view(torch.uint8)
    padded = torch.nn.functional.pad(octets, (0, -octets.shape[1] % 8))
    words = padded.clone().view(torch.int64)  # a copy begins where 8 bytes begin
    return _stirred((words * _factors(words.shape[1])).sum(1))


class RowIds:
    """`ids_of_rows` of whole numbers [N, D] that come a column at a time.

    Args:
        columns: D.
    """

    def __init__(self, columns: int) -> None:
        places = _places(columns)
        self._factors = dict(zip(places.tolist(), _factors(len(places)).tolist()))
        self._mixed = torch.zeros((), dtype=torch.int64)

    def takes(self, place: int) -> bool:
        """Whether the column is looked at."""
        return place in self._factors

    def add(self, place: int, values: Tensor) -> None:
        """A column int64 [N] that is looked at."""
        self._mixed = self._mixed + values * self._factors[place]

    def result(self) -> Tensor:
        """int64 [N]."""
        return _stirred(self._mixed)


def _factors(words: int) -> Tensor:
    """Odd numbers, int64: sums of products with them, modulo 2^64, are a multilinear hash."""
    generator = torch.Generator().manual_seed(words)
    return torch.randint(-(2**62), 2**62, (words,), generator=generator) * 2 + 1


def _stirred(mixed: Tensor) -> Tensor:
    return (mixed ^ (mixed >> 31)) * -7046029254386353131


def ids_of_texts(texts: Iterable[str]) -> Tensor:
    """A number for each text, int64 [N]."""
    digests = [blake2b(text.encode(errors="surrogateescape"), digest_size=8).digest() for text in texts]
    return torch.tensor([int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int64)


def ids_of_files(paths: Iterable[Path | str | None]) -> Tensor:
    """A number for each file, int64 [N], by its name below the folder that all of them lie in, and its bytes; None
    stands for no file.

    The folders between tell apart what sets of patients, classes or domains name alike. A file that is not there has
    -1 bytes: whoever reads it tells.
    """
    found = ["" if path is None else os.fspath(path) for path in paths]
    there = [path for path in found if path] or [""]
    shared = os.path.commonpath([os.path.dirname(path) for path in (min(there), max(there))])
    return ids_of_texts(path and f"{path[len(shared) :].strip('/')} {_bytes_of(path)}" for path in found)


def _bytes_of(path: Path | str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _of_source(source: Source) -> dict[str, Any]:
    ids, looked_at = source.row_ids(), _inputs(source) if source.in_memory else None
    digest = blake2b(digest_size=16)
    sums = {} if looked_at is None else {"": _sums(looked_at)}
    for task in source.tasks:
        digest.update(task.encode() + source.labelled(task).numpy().tobytes())
        labels = source.label_ids(task).cpu()
        if labels.dim() > 1 or labels.is_floating_point():
            sums[task] = _sums(_thin(labels))
        else:
            digest.update(labels.to(torch.int64).numpy().tobytes())
    if ids is not None:
        digest.update(ids.numpy().tobytes())
    elif looked_at is not None:
        ids = ids_of_rows(looked_at)
    sample = torch.empty(0, dtype=torch.int64) if ids is None else ids.unique()[:SAMPLE].clone()
    return {"name": source.name, "rows": len(source), "digest": digest.hexdigest(), "sums": sums, "sample": sample}


def _inputs(source: Source) -> Tensor:
    """What is looked at of the inputs of a source in memory, [N, at most 256]."""
    return torch.cat([_thin(source.fetch(rows)[0].cpu()) for rows in torch.arange(len(source)).split(CHUNK)])


def _thin(values: Tensor) -> Tensor:
    """At most 256 numbers of each row, evenly spaced: [N, ...] as [N, D]."""
    flat = values.flatten(1) if values.dim() > 1 else values.unsqueeze(1)
    return flat if flat.shape[1] <= LOOKED_AT else flat[:, _places(flat.shape[1])]


def _places(columns: int) -> Tensor:
    """Those of the numbers of a row that are looked at."""
    if columns <= LOOKED_AT:
        return torch.arange(columns)
    return torch.arange(LOOKED_AT) * columns // LOOKED_AT


def _sums(values: Tensor) -> list[float]:
    """Root mean square of [N, D], and three sums under random signs in units of their spread. NaN counts as 0."""
    generator = torch.Generator().manual_seed(0)
    drawn = [torch.randint(2, (size, SUMS), generator=generator).to(torch.int8) for size in values.shape]
    across, sums, squares = drawn[1].double() * 2 - 1, torch.zeros(SUMS, dtype=torch.float64), 0.0
    for part, down in zip(values.split(AT_ONCE), drawn[0].split(AT_ONCE)):
        numbers = part.double().nan_to_num(0.0, 0.0, 0.0)
        sums += ((numbers @ across) * (down.double() * 2 - 1)).sum(0)
        squares += float(numbers.square().sum())
    length = math.sqrt(squares)
    spread = sums / (length or 1.0)
    return [length / math.sqrt(max(values.numel(), 1)), *spread.tolist()]


def _alike(one: Mapping[str, Sequence[float]], other: Mapping[str, Sequence[float]]) -> bool:
    """Whether the sums agree that both have: what stays in files in one run may be kept in memory in another."""
    return all(
        abs(a - b) <= TOLERANCE * max(abs(a) if index == 0 else 1.0, 1e-30)
        for name in one.keys() & other.keys()
        for index, (a, b) in enumerate(zip(one[name], other[name]))
    )


def _share_in(rows: Tensor, others: Tensor) -> float:
    """Share of rows that are among the others, by their samples: ids up to the smaller end of the two are all known."""
    ends = [int(sample[-1]) for sample in (rows, others) if len(sample) == SAMPLE]
    known = rows[rows <= min(ends)] if ends else rows
    return float(torch.isin(known, others).double().mean()) if len(known) else 0.0
