"""What a column of texts holds: numbers, truth values, dates, or words.

A column is of numbers if every text in it is one, and likewise for dates (ISO 8601) and for true and false. Numbers
that begin with a 0, such as postal codes, are words.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import nan

import numpy as np

from mtlrun.data.array_cache import Array
from mtlrun.data.tables.number_texts import PADDED, PLAIN, fit, marked, plain_decimal, written
from mtlrun.data.tables.raw import BLANK, DATE, EXACT, NUMBER, TEXT, RawColumn

NO_VALUE = frozenset(
    [
        *("", "?", "-", "NA", "N/A", "n/a", "#NA", "#N/A", "#N/A N/A", "<NA>", "NULL", "Null", "null", "None", "NaT"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
"""Texts that stand for no value: those of pandas, and the marks of older collections."""

ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?")
ANSWERS = {"true": 1.0, "false": 0.0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1) / timedelta(microseconds=1)
MOSTLY = 0.8
"""Share of the values from which numbers, or dates, with a word among them are taken for a mistake, and not for
words."""
OTHER_DATE = re.compile(r"(\d{1,2}([./-])\d{1,2}\2\d{4}|\d{4}([./])\d{1,2}\3\d{1,2})([ T]\d{1,2}:\d\d.*)?")
DATES_AS_WORDS = "looks like dates: write 2024-12-31"


def typed(name: str, texts: Sequence[str], first_line: int = 2) -> RawColumn:
    """The column that the texts are.

    Args:
        name: of the column.
        texts: [N].
        first_line: line of the file that the first row stands on, for messages; 0 where rows have no lines, and are
            counted from 1.
    """
    stripped = [text.strip() for text in texts]
    counts = Counter(stripped)
    known = [text for text in counts if text not in NO_VALUE]
    if not known and any(counts[mark] for mark in BLANK if mark):
        return _words(name, stripped)  # which another file's labels may need
    if not known:
        return RawColumn(name, NUMBER, np.full(len(texts), nan))
    if any(PADDED.fullmatch(text) for text in known):
        return _words(name, stripped, "words, since some numbers begin with 0" if fit(known, PLAIN) else "")
    for read in (_answers, _plain_numbers, _other_numbers, _dates):
        found = read(name, stripped, known)
        if found is not None:
            return found
    mixed = _mixed(name, stripped, counts, first_line)
    return mixed or _words(name, stripped, DATES_AS_WORDS if fit(known, OTHER_DATE) else "")


def words(name: str, texts: Sequence[str]) -> RawColumn:
    """The column as words, whatever they look like: one row of it may look like a number, or all of a new file."""
    return _words(name, [text.strip() for text in texts])


def days(moment: datetime) -> float:
    """Days since 1970; a time without a zone is taken for UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - EPOCH) // timedelta(microseconds=1) / DAY


def _filled(texts: Sequence[str], known: Iterable[str], read: Callable[[str], float]) -> np.ndarray:
    """float64 [N]: what `read` makes of each text, NaN for no value."""
    values = {text: read(text) for text in known}
    return np.array([values.get(text, nan) for text in texts], dtype=np.float64)


def _answers(name: str, texts: Sequence[str], known: list[str]) -> RawColumn | None:
    if not {text.lower() for text in known} <= ANSWERS.keys():
        return None
    values = _filled(texts, known, lambda text: ANSWERS[text.lower()])
    return RawColumn(name, NUMBER, values if np.isnan(values).any() else values.astype(bool))


def _plain_numbers(name: str, texts: Sequence[str], known: list[str]) -> RawColumn | None:
    if not fit(known, PLAIN):
        return None
    values = _filled(texts, known, float)
    if all(text.lstrip("+-").isdigit() for text in known) and not np.isnan(values).any():
        values = _whole(texts, values)
    return RawColumn(name, NUMBER, values, decimal=plain_decimal(known))


def _whole(texts: Sequence[str], floats: Array) -> Array:
    """Whole numbers as int64 or uint64, exactly; as float64 if they have too many digits for either."""
    if np.abs(floats).max() < EXACT:
        return floats.astype(np.int64)
    numbers = [int(text) for text in texts]
    for kind in (np.int64, np.uint64):
        if np.iinfo(kind).min <= min(numbers) and max(numbers) <= np.iinfo(kind).max:
            return np.array(numbers, dtype=kind)
    return floats


def _other_numbers(name: str, texts: Sequence[str], known: list[str]) -> RawColumn | None:
    """Numbers as 1.234,5 or 1,234.5; where nobody can tell which, a column in trouble."""
    how = written(known) or marked(known)
    if how is None:
        return None
    if how.trouble:
        return _in_trouble(name, texts, how.trouble)
    return RawColumn(name, NUMBER, _filled(texts, known, how.read), how.note, decimal=how.decimal)


def _dates(name: str, texts: Sequence[str], known: list[str]) -> RawColumn | None:
    if not all(map(_is_date, known)):
        return None
    values = _filled(texts, known, lambda text: days(datetime.fromisoformat(text)))
    return RawColumn(name, DATE, values, "dates, as days since 1970")


def _is_date(text: str) -> bool:
    if not ISO_DATE.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:  # the 31st of February
        return False
    return True


def _is_number(text: str) -> bool:
    return PLAIN.fullmatch(text) is not None


def _mixed(name: str, texts: Sequence[str], counts: Counter[str], first_line: int) -> RawColumn | None:
    """Mostly numbers, or dates, and a word among them: a mistake in the file, more likely than words that look so."""
    known = [text for text in counts if text not in NO_VALUE]
    rows = sum(counts[text] for text in known)
    for kind, fits in (("numbers", _is_number), ("dates", _is_date)):
        others = [text for text in known if not fits(text)]
        if rows - sum(counts[other] for other in others) < MOSTLY * rows:
            continue
        row = texts.index(others[0])
        where = f"line {row + first_line}" if first_line else f"row {row + 1}"
        return _in_trouble(name, texts, f"holds {kind}, and '{others[0]}' in {where}")
    return None


def _in_trouble(name: str, texts: Sequence[str], what: str) -> RawColumn:
    column = _words(name, texts)
    remedy = f"correct it, or say that it is one of categories with data.categories=[{name}]"
    return RawColumn(name, TEXT, column.values, trouble=f"column '{name}' {what}: {remedy}")


def _words(name: str, texts: Sequence[str], note: str = "") -> RawColumn:
    values = np.empty(len(texts), dtype=object)
    values[:] = ["" if text in NO_VALUE - BLANK else text for text in texts]
    return RawColumn(name, TEXT, values, note)
