"""What the labels of sentiment in tables stand for: decided once, for all splits together.

Names of classes say it where there are names; numbers alone say it if they are 0 and 1, all of 0 to 4, or shares
between 0 and 1, as SST has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.data.readers.arrow_tables import ArrowTable
from mtlrun.data.readers.sst import class_of, of_classes
from mtlrun.errors import DataError
from mtlrun.lines import shortened

COLUMN = "label"
NO_LABEL = -1
FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
SPELLINGS = {
    **{name: place for place, name in enumerate(FIVE)},
    **{name.replace("ative", "").replace("itive", ""): place for place, name in enumerate(FIVE)},
    **{f"{stars} star{end}": stars - 1 for stars in range(1, 6) for end in ("", "s")},
}
"""Names of classes in small letters -> the place among five."""

Labels = list[int | None]
"""Of each row, as numbers of the classes that are wanted; None for no label, and for neutral texts of two classes."""


def sentiment_labels(tables: Mapping[str, ArrowTable], classes: int) -> dict[str, Labels]:
    """The labels of each split.

    Args:
        tables: by split.
        classes: that are wanted, 2 or 5.

    Raises:
        DataError: if what a label stands for is not known, or there are not as many classes.
    """
    where = next(iter(tables.values())).path
    given = {split: [_known(table.path, label) for label in table.column(COLUMN)] for split, table in tables.items()}
    occurring = {label for labels in given.values() for label in labels if label is not None}
    names = _names(where, tables.values())
    reading = _by_name(where, occurring, names, classes) or _by_number(where, occurring, classes)
    return {split: [None if label is None else reading(label) for label in labels] for split, labels in given.items()}


def _known(where: Path, label: Any) -> Any:
    """A number or a word; None for no label."""
    if label is None or label == NO_LABEL or label != label or label == "":
        return None
    if not isinstance(label, int | float | str):
        raise DataError(
            f"{where}: '{COLUMN}' holds a {type(label).__name__}: expected a number or a word for each text"
        )
    return label


def _names(where: Path, tables: Iterable[ArrowTable]) -> Sequence[str]:
    """Names of the classes, if they say more than their numbers.

    Raises:
        DataError: if two splits have others.
    """
    found = {tuple(table.class_names[COLUMN]) for table in tables if COLUMN in table.class_names}
    if len(found) > 1:
        one, two, *_ = sorted(", ".join(names) for names in found)
        raise DataError(f"{where}: the classes of '{COLUMN}' are {one} in one split and {two} in another")
    names = next(iter(found), ())
    numbers = [int(name) for name in names if name.isdigit()]
    return () if len(numbers) == len(names) and numbers == sorted(numbers) else names


def _by_name(
    where: Path, occurring: set[Any], names: Sequence[str], classes: int
) -> Callable[[Any], int | None] | None:
    """How labels with names, or labels that are words, are read; None if they are numbers without names."""
    words = [label for label in occurring if isinstance(label, str)]
    if not names and not words:
        return None
    names = names or sorted(words)
    places = [SPELLINGS.get(" ".join(name.lower().replace("_", " ").replace("-", " ").split())) for name in names]
    unknown = next((name for name, place in zip(names, places) if place is None), None)
    if unknown is not None:
        raise DataError(
            f"{where}: what the class '{unknown}' of '{COLUMN}' means is not known: call the classes "
            f"{', '.join(FIVE)}, or some of them"
        )
    if classes == len(FIVE) and len(set(places)) < len(FIVE):
        raise DataError(f"{where} has {len(names)} classes ({shortened([*names])}), not five: data.sentiment_classes=2")
    meaning = dict(zip([*range(len(names)), *names], [*places, *places]))
    other = next((label for label in occurring if label not in meaning), None)
    if other is not None:
        raise DataError(f"{where} has the label {other}, and names {len(names)} classes: {shortened([*names])}")
    return lambda label: of_classes(meaning[label] or 0, classes)


def _by_number(where: Path, occurring: set[Any], classes: int) -> Callable[[Any], int | None]:
    """How numbers without names are read."""
    if not occurring or (occurring <= {0, 1} and classes == 2):
        return int
    if occurring == {*range(len(FIVE))}:
        return lambda label: of_classes(int(label), classes)
    if all(0 <= label <= 1 for label in occurring) and any(label % 1 for label in occurring):
        return lambda label: of_classes(class_of(label), classes)
    found = ", ".join(f"{label:g}" for label in sorted(occurring)[:6])
    wanted = "0 to 4" if classes == len(FIVE) else "0 and 1, all of 0 to 4"
    raise DataError(
        f"{where}: labels without names should be {wanted} or numbers from 0 to 1, found {found}: save the table with "
        f"the names of its classes ({', '.join(FIVE)}), or see data.sentiment_classes"
    )
