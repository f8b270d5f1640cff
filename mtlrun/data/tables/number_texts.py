"""How numbers are written: with a decimal point or a decimal comma, and with marks between thousands.

A column is read by one convention, which all of its numbers must fit. '1,234' fits both, and so does '1.234': the first
is refused unless another number of the column decides; the second is a decimal, unless the table has decimal commas
elsewhere, see `mtlrun.data.tables.raw.without_doubt`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mtlrun.data.tables.raw import COMMA, EITHER, POINT

PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|Inf|infinity|Infinity)")
PADDED = re.compile(r"0\d+")
WITH_COMMA = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
"""With commas between them."""
SIGNS = re.compile(r"(?<=\d)['’ \u00a0\u202f](?=\d{3})|^\s*[$€£¥]\s*|\s*[%€$£¥]\s*$|^\u2212")
"""Marks between thousands, currencies, percent, and the minus of typography."""
POINT_OR_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}\.\d{3}")


@dataclass(frozen=True)
class Written:
    """How a column writes its numbers.

    decimal: see `RawColumn`. read: the number of a text. note: for the user. trouble: why they cannot be read.
    """

    decimal: str = ""
    read: Callable[[str], float] = float
    note: str = ""
    trouble: str = ""


def fit(texts: Iterable[str], form: re.Pattern[str]) -> bool:
    """Whether each text is of the form."""
    return all(form.fullmatch(text) for text in texts)


def plain_decimal(known: Sequence[str]) -> str:
    """Of plain numbers the mark of decimals: none, a point, or one that could stand between thousands too."""
    pointed = [text for text in known if "." in text]
    if not pointed:
        return ""
    return EITHER if fit(pointed, POINT_OR_THOUSANDS) else POINT


def are_numbers(texts: Iterable[str]) -> bool:
    """Whether each text is a number in some convention."""
    return all(any(form.fullmatch(text) for form in (PLAIN, WITH_COMMA, THOUSANDS)) for text in texts)


def written(known: Sequence[str]) -> Written | None:
    """How numbers are written that are not all plain; None if a text among them is no number in any convention."""
    if not are_numbers(known):
        return None
    commas = [text for text in known if "," in text]
    odd = next(text for text in known if not PLAIN.fullmatch(text))
    if fit(known, WITH_COMMA):
        if not commas:
            return Written(trouble=f"holds '{odd}', with points that may stand between thousands or not")
        if fit(commas, THOUSANDS):
            return Written(trouble=f"holds '{commas[0]}', which may be a decimal or a separator of thousands")
        return Written(COMMA, _of_comma, "numbers with a decimal comma")
    other = next(text for text in known if not WITH_COMMA.fullmatch(text))
    if not fit(commas, THOUSANDS):
        return Written(trouble=f"holds '{other}' and '{_decimal(commas)}', so that its decimals have two marks")
    if not any(text.count(",") > 1 or "." in text for text in commas):
        return Written(trouble=f"holds '{commas[0]}' and '{other}': the first may be a decimal or thousands")
    return Written(POINT, lambda text: float(text.replace(",", "")), "numbers with commas between thousands")


def _of_comma(text: str) -> float:
    return float(text.replace(".", "").replace(",", "."))


def _decimal(commas: Sequence[str]) -> str:
    return next(text for text in commas if not THOUSANDS.fullmatch(text))


def marked(known: Sequence[str]) -> Written | None:
    """Numbers with signs that are not read, such as 12 % or 1 234: trouble, since as words they would lose their order.

    None if some are words without them, or begin with 0 as telephone numbers do.
    """
    if not are_numbers(SIGNS.sub("", text) for text in known):
        return None
    bare = [SIGNS.sub("", text) for text in known]
    if any(PADDED.fullmatch(text) for text in bare):
        return None
    example = next(text for text, number in zip(known, bare) if text != number)
    return Written(trouble=f"holds '{example}', a number with a sign that is not read")
