"""In which settings the rows differ, and the command that trains each of them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtlrun.reporting.further_seeds import repeated
from mtlrun.reporting.page.content import PageRow
from mtlrun.reporting.settings import (
    Settings,
    data_from_python,
    effective_overrides,
    fingerprint,
    settings,
    short_key,
    spelled,
)

_ABSENT = "not set"
_LONGEST = 200


@dataclass(frozen=True)
class Difference:
    """A setting: each value with the rows that have it."""

    key: str
    values: Sequence[tuple[str, Sequence[PageRow]]]


def differences(rows: Sequence[PageRow]) -> list[Difference]:
    """Every setting in which the rows differ, those inside a chosen option too; the seed is none."""
    chosen = [_settings(row) for row in rows]
    keys = sorted({key for row in chosen for key in row} - {"seed"})
    known = [
        key for key in keys if short_key(key) == key or short_key(key) not in keys
    ]  # a class, or the option's name
    differing = [key for key in known if len({fingerprint(row.get(key)) for row in chosen}) > 1]
    return [Difference(short_key(key), _values(key, rows, chosen)) for key in differing]


def repeat_command(row: PageRow) -> str | None:
    """What trains the row's seeds again; None where its runs or their words are not known."""
    if not row.runs or not row.runs[0].overrides:
        return None
    first = row.runs[0]
    words = [word for word in effective_overrides(first) if word.lstrip("+").partition("=")[0] != "seed"]
    seeds = [seed for seed in row.row.seeds if seed is not None]
    return repeated(words, seeds, first.config_dir, data_from_python(first))


def _settings(row: PageRow) -> Settings:
    return settings(row.runs[0]) if row.runs else dict(row.row.settings)


def _values(key: str, rows: Sequence[PageRow], chosen: Sequence[Settings]) -> list[tuple[str, list[PageRow]]]:
    found: dict[str, list[PageRow]] = {}
    for row, values in zip(rows, chosen):
        text = spelled(values[key]) if key in values else _ABSENT
        found.setdefault(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…", []).append(row)
    return [*found.items()]
