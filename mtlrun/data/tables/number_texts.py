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
WITH_COMMA = re.compile(r"[+-]?(\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d+)?([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?")
"""With commas between them."""
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


def written(known: Sequence[str]) -> Written | None:
    """How numbers are written that are not all plain; None if a text among them is no number in any convention."""
    if not all(PLAIN.fullmatch(text) or WITH_COMMA.fullmatch(text) or THOUSANDS.fullmatch(text) for text in known):
        return None
    marked = [text for text in known if "," in text]
    pointed = [text for text in known if "." in text]
    if fit(known, WITH_COMMA):
        if not marked:
            return Written(trouble=f"holds '{_odd(known)}', with points that may stand between thousands or not")
        if not fit(marked, THOUSANDS):
            return Written(
                COMMA, lambda text: float(text.replace(".", "").replace(",", ".")), "numbers with a decimal comma"
            )
        return Written(trouble=f"holds '{marked[0]}', which may be a decimal or a separator of thousands")
    if not fit(marked, THOUSANDS):
        one = next(text for text in known if not WITH_COMMA.fullmatch(text))
        two = next(text for text in marked if not THOUSANDS.fullmatch(text))
        return Written(trouble=f"holds '{one}' and '{two}', so that its decimals have two marks")
    if not any(text.count(",") > 1 or "." in text for text in marked):
        return Written(trouble=f"holds '{marked[0]}' and '{pointed[0]}': the first may be a decimal or thousands")
    return Written(POINT, lambda text: float(text.replace(",", "")), "numbers with commas between thousands")


def _odd(known: Sequence[str]) -> str:
    return next(text for text in known if not PLAIN.fullmatch(text))
