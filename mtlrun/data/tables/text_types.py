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

from mtlrun.data.tables.raw import DATE, NUMBER, TEXT, RawColumn

NO_VALUE = frozenset(
    [
        *("", "?", "-", "NA", "N/A", "n/a", "#NA", "#N/A", "#N/A N/A", "<NA>", "NULL", "Null", "null", "None", "NaT"),
        *("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    ]
)
"""Texts that stand for no value: those of pandas, and the marks of older collections."""

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|infinity|Infinity)")
WITH_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
PADDED = re.compile(r"0\d+")
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
ANSWERS = {"true": 1.0, "false": 0.0}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1) / timedelta(microseconds=1)
MOSTLY = 0.8
"""Share of the values from which numbers with a word among them are taken for a mistake, and not for words."""


def typed(name: str, texts: Sequence[str], first_line: int = 2) -> RawColumn:
    """The column that the texts are.

    Args:
        name: of the column.
        texts: [N].
        first_line: line of the file that the first row stands on, for messages.
    """
    stripped = [text.strip() for text in texts]
    counts = Counter(stripped)
    known = [text for text in counts if text not in NO_VALUE]
    if not known:
        return RawColumn(name, NUMBER, np.full(len(texts), nan))
    if any(PADDED.fullmatch(text) for text in known):
        return _words(name, stripped, "words, since some numbers begin with 0" if _all(known, PLAIN) else "")
    for read in (_answers, _plain_numbers, _numbers_with_comma, _dates):
        found = read(name, stripped, known)
        if found is not None:
            return found
    return _mixed(name, stripped, counts, first_line) or _words(name, stripped)


def words(name: str, texts: Sequence[str]) -> RawColumn:
    """The column as words, whatever they look like: one row of it may look like a number, or all of a new file."""
    return _words(name, [text.strip() for text in texts])


def days(moment: datetime) -> float:
    """Days since 1970; a time without a zone is taken for UTC."""
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return (moment - EPOCH) // timedelta(microseconds=1) / DAY


def _all(texts: Iterable[str], form: re.Pattern[str]) -> bool:
    return all(form.fullmatch(text) for text in texts)


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
    if not _all(known, PLAIN):
        return None
    whole = all(text.lstrip("+-").isdigit() for text in known)
    values = _filled(texts, known, float)
    if whole and not np.isnan(values).any() and np.abs(values).max() < 2**53:
        values = values.astype(np.int64)
    return RawColumn(name, NUMBER, values)


def _numbers_with_comma(name: str, texts: Sequence[str], known: list[str]) -> RawColumn | None:
    """Numbers as 1.234,5; where 1,234 may also be a number of thousands, nobody can tell."""
    if not _all(known, WITH_COMMA):
        return None
    if _all((text for text in known if "," in text), THOUSANDS):
        example = next((text for text in known if "," in text), known[0])
        return _in_trouble(name, texts, f"holds '{example}', which may be a decimal or a separator of thousands")
    values = _filled(texts, known, lambda text: float(text.replace(".", "").replace(",", ".")))
    return RawColumn(name, NUMBER, values, "numbers with a decimal comma")


def _dates(name: str, texts: Sequence[str], known: list[str]) -> RawColumn | None:
    if not _all(known, ISO_DATE):
        return None
    try:
        values = _filled(texts, known, lambda text: days(datetime.fromisoformat(text)))
    except ValueError:  # the 31st of February
        return None
    return RawColumn(name, DATE, values, "dates, as days since 1970")


def _mixed(name: str, texts: Sequence[str], counts: Counter[str], first_line: int) -> RawColumn | None:
    """Mostly numbers, and a word among them: a mistake in the file, more likely than words that look like numbers."""
    words = [text for text in counts if text not in NO_VALUE and not PLAIN.fullmatch(text)]
    rows = sum(count for text, count in counts.items() if text not in NO_VALUE)
    if rows - sum(counts[word] for word in words) < MOSTLY * rows:
        return None
    line = texts.index(words[0]) + first_line
    return _in_trouble(name, texts, f"holds numbers, and '{words[0]}' in line {line}")


def _in_trouble(name: str, texts: Sequence[str], what: str) -> RawColumn:
    column = _words(name, texts)
    remedy = f"correct it, or say that it is one of categories with data.categories=[{name}]"
    return RawColumn(name, TEXT, column.values, trouble=f"column '{name}' {what}: {remedy}")


def _words(name: str, texts: Sequence[str], note: str = "") -> RawColumn:
    values = np.empty(len(texts), dtype=object)
    values[:] = ["" if text in NO_VALUE else text for text in texts]
    return RawColumn(name, TEXT, values, note)
