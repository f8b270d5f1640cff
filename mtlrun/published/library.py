"""The tables that are shipped, by name, and files of the same form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, get_args

from mtlrun.errors import ConfigError, choose
from mtlrun.published.table import (
    By,
    Cases,
    PrintedNumber,
    ProtocolPoint,
    PublishedDelta,
    PublishedMethod,
    PublishedMetric,
    PublishedTable,
    Reduction,
)
from mtlrun.runs.yamlfile import read_yaml

HOME = Path(__file__).parent
_SPREADS = ("deviation", "error", "none")
_TEXTS = ("title", "paper", "table", "verified")
_COORDINATES = {"x1", "x2"}
_WORDS = {"yes": True, "no": False, "?": None}


def table_names() -> list[str]:
    """PAPER/NAME of every table that is shipped."""
    return sorted(path.relative_to(HOME).with_suffix("").as_posix() for path in HOME.glob("*/*.yaml"))


@cache
def published_table(name: str) -> PublishedTable:
    """The table PAPER/NAME, or the one in a file NAME.yaml of the same form.

    Raises:
        ConfigError: if there is none, or the file breaks the form.
    """
    path = Path(name)
    if not _is_file(name):
        path = HOME / f"{choose(name, table_names(), 'published table', 'mtlrun reproduce')}.yaml"
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} is no published table: cannot read it as YAML")
    try:
        table = _table(name, content)
        _check(table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{path} is no published table: {what}") from error
    return table


def _is_file(name: str) -> bool:
    return Path(name).suffix == ".yaml"


def _table(name: str, content: Mapping[str, Any]) -> PublishedTable:
    quick, delta, cases = content.get("quick") or {}, content.get("delta"), content.get("cases")
    return PublishedTable(
        name=name,
        **{key: str(content[key]) for key in _TEXTS},
        experiment=str(content.get("experiment") or (Path(name).stem if _is_file(name) else name)),
        metrics=tuple(_metric(entry) for entry in content["metrics"]),
        methods=tuple(_method(key, entry or {}) for key, entry in content["methods"].items()),
        protocol=tuple(_point(entry) for entry in content["protocol"]),
        quick=Reduction(str(quick["says"]), _texts(quick["with"]), _texts(quick.get("methods")), quick.get("by")),
        by=content["by"],
        seeds=_seeds(content.get("seeds")),
        spread=str(content.get("spread", "none")),
        **{key: str(content.get(key) or "") for key in ("arxiv", "code", "claim", "chooses_by")},
        chooses_by_test=bool(content.get("chooses_by_test", False)),
        misprints=_texts(content.get("misprints")),
        delta=None if delta is None else _delta(delta),
        single_task=tuple(number for number in _numbers(content.get("single_task")) if number),
        cases=None if cases is None else Cases(str(cases["setting"]), _texts(cases["values"])),
        front={key: (float(low), float(high)) for key, (low, high) in (content.get("front") or {}).items()} or None,
    )


def _metric(entry: Mapping[str, Any]) -> PublishedMetric:
    return PublishedMetric(
        task=str(entry["task"]),
        metric=str(entry["metric"]),
        higher=_higher(entry),
        unit=str(entry.get("unit", "")),
        scale=float(entry.get("scale", 1)),
        offset=float(entry.get("offset", 0)),
    )


def _method(name: str, entry: Mapping[str, Any]) -> PublishedMethod:
    words = entry.get("with")
    return PublishedMethod(
        name=str(name),
        values=_numbers(entry.get("values")),
        spreads=_numbers(entry.get("spread")),
        delta=_number(entry.get("delta")),
        delta_spread=_number(entry.get("delta_spread")),
        row_gives=_number(entry.get("row_gives")),
        words=None if words is None else _texts(words),
        source=str(entry.get("source", "")),
        note=str(entry.get("note", "")),
        reaches=tuple(_WORDS[word] for word in str(entry.get("reaches", "")).split()),
        recomputed=tuple(_WORDS[word] for word in str(entry.get("recomputed", "")).split()),
    )


def _point(entry: Mapping[str, Any]) -> ProtocolPoint:
    return ProtocolPoint(
        str(entry["point"]),
        str(entry["says"]),
        str(entry["source"]),
        dict(entry.get("settings") or {}),
        str(entry.get("ours", "")),
    )


def _delta(entry: Mapping[str, Any]) -> PublishedDelta:
    return PublishedDelta(
        str(entry["name"]), choose(entry["mean"], ("metrics", "tasks"), "mean") == "tasks", _higher(entry)
    )


def _higher(entry: Mapping[str, Any]) -> bool:
    return choose(entry["better"], ("higher", "lower"), "direction") == "higher"


def _numbers(text: Any) -> tuple[PrintedNumber | None, ...]:
    """Of a text such as '0.067 - 60.57'; a dash is a number that was not printed."""
    words = [] if text is None else str(text).split()
    found = tuple(None if word == "-" else PrintedNumber(word) for word in words)
    for number in found:
        if number is not None and not isfinite(number.value):
            raise ValueError(f"{number.text} is no number that can be printed")
    return found


def _number(text: Any) -> PrintedNumber | None:
    return next(iter(_numbers(text)), None)


def _seeds(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or value < 1:
        raise ValueError(f"seeds must be a whole number of at least 1, or null, found {value}")
    return int(value)


def _texts(entries: Sequence[Any] | None) -> tuple[str, ...]:
    if isinstance(entries, str):
        raise ValueError(f"'{entries}' must be a list: [{entries}]")
    return tuple(map(str, entries or ()))


def _check(table: PublishedTable) -> None:
    """Raise ValueError where parts of the table do not fit together."""
    count, cases = len(table.metrics), table.cases
    choose(table.by, get_args(By), "by")
    choose(table.spread, _SPREADS, "spread")
    if table.quick.by is not None:
        choose(table.quick.by, get_args(By), "by of quick")
    for metric in table.metrics:
        if metric.scale == 0:
            raise ValueError(f"scale of {metric.name} must not be 0")
    for method in table.methods:
        for what, numbers in (("values", method.values), ("spread", method.spreads)):
            if numbers and len(numbers) != count:
                raise ValueError(f"{what} of {method.name} are {len(numbers)}, not one for each of {count} metrics")
        if cases and len(method.reaches) not in (0, len(cases.values)):
            raise ValueError(f"reaches of {method.name} are not one for each of {len(cases.values)} cases")
        if method.delta is not None and table.delta is None:
            raise ValueError(f"{method.name} has a delta, and the table does not say which")
    if table.single_task and len(table.single_task) != count:
        raise ValueError(f"single_task has {len(table.single_task)} numbers, not one for each of {count} metrics")
    if table.delta is not None and not table.single_task:
        raise ValueError("delta needs the vector single_task")
    if table.delta is not None and any(number.value == 0 for number in table.single_task):
        raise ValueError("delta is relative to single_task, which must not have a 0")
    if table.front is not None and {*table.front} != _COORDINATES:
        raise ValueError(f"front must have bounds of x1 and x2, found {', '.join(table.front)}")
    for name in table.quick.methods:
        table.method(name)
