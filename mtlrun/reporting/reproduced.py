"""Our runs beside a published table: means, deviations, differences, and in what the protocol differs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from statistics import fmean, stdev

from mtlrun.published.delta import published_delta
from mtlrun.published.table import PrintedNumber, PublishedMethod, PublishedTable
from mtlrun.reporting.entries import Entry
from mtlrun.reporting.settings import Settings, spelled
from mtlrun.runs.records import read
from mtlrun.runs.yamlfile import parse_yaml

FEWEST_SEEDS = 3
"""With fewer no difference is called one."""
SHARING = "hard"
"""The scheme of experiments that choose none, as conf/config.yaml has it."""

Front = Mapping[str, tuple[float, float]]
"""Bounds of each coordinate of a point on the front."""


@dataclass(frozen=True)
class Beside:
    """One number of a published row, and ours over the seeds, in the table's unit.

    difference: ours less theirs in standard deviations of our seeds; None with fewer than three, or without a spread.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    published: PrintedNumber | None
    spread: PrintedNumber | None = None
    difference: float | None = None

    @property
    def mean(self) -> float | None:
        """Of our seeds; None without a run."""
        return fmean(self.ours) if self.ours else None

    @property
    def deviation(self) -> float | None:
        """Of our seeds; None for fewer than two."""
        return stdev(self.ours) if len(self.ours) > 1 else None


@dataclass(frozen=True)
class EndPoint:
    """Where one run ended in one case, and whether that is on the front, by us and by the paper.

    since: the first step at which the point was noted on the front and did not leave it any more.
    """

    case: str
    point: tuple[float, float]
    reaches: bool
    since: int | None
    published: bool | None
    recomputed: bool | None


@dataclass(frozen=True)
class ReproducedRow:
    """A method: its numbers, or where its point ended. differs: in what its runs do not follow the protocol."""

    method: PublishedMethod
    runs: int
    numbers: tuple[Beside, ...] = ()
    ends: tuple[EndPoint, ...] = ()
    differs: tuple[str, ...] = ()


def reproduced_row(
    table: PublishedTable, method: PublishedMethod, entries: Sequence[Entry], others: Iterable[str] = ()
) -> ReproducedRow:
    """A method's finished runs, one a seed and case, beside its published row.

    Args:
        table: with the row.
        method: the row.
        entries: the runs.
        others: in what the runs differ from the protocol beyond its points, in words.
    """
    differs = [*(line for entry in entries for line in deviations(table, entry.settings, method)), *others]
    ends = tuple(_end(table, method, entry) for entry in entries) if table.front else ()
    numbers = () if table.front else (*_scores(table, method, entries), *_delta(table, method, entries))
    return ReproducedRow(method, len(entries), numbers, ends, tuple(dict.fromkeys(differs)))


def deviations(table: PublishedTable, settings: Settings, method: PublishedMethod | None = None) -> list[str]:
    """The points of the protocol that a run with these settings does not follow, in words.

    What a row has of its own, such as the sharing scheme of single-task training, is no deviation of its runs.
    """
    own = _own(method, settings) if method else []
    found = []
    for point in table.protocol:
        others = [
            f"{key}={_shown(key, settings)}"
            for key, value in point.settings.items()
            if settings.get(key) != value and not any(_within(key, name) for name in own)
        ]
        if others:
            found.append(f"{point.point}: {', '.join(others)} here; {point.says} there")
        if point.ours:
            found.append(f"{point.point}: {point.ours} here; {point.says} there")
    return found


def beyond_the_protocol(table: PublishedTable, settings: Settings, preset: Settings) -> list[str]:
    """In what settings are not those of the table's experiment, where no point of the protocol tells; in one line.

    What is set within a part is left out where the part itself is another.
    """
    told = {*(key for point in table.protocol for key in point.settings), table.cases.setting if table.cases else None}
    differing = [
        key
        for key in sorted({*settings, *preset})
        if (key in settings, settings.get(key)) != (key in preset, preset.get(key))
    ]
    parts = {key for key in differing if "." not in key}
    kept = [key for key in differing if key not in told and (key in parts or key.partition(".")[0] not in parts)]
    if not kept:
        return []
    here, there = (", ".join(f"{key}={_shown(key, some)}" for key in kept) for some in (settings, preset))
    return [f"other settings: {here} here; {there} in the preset"]


def _shown(key: str, settings: Settings) -> str:
    return spelled(settings[key]) if key in settings else "not set"


def lacking(table: PublishedTable, method: PublishedMethod, settings: Settings) -> list[str]:
    """The words of a row that do not hold for a run with these settings: none if the run is one of the method.

    A row without a word on the sharing scheme has that of the experiment.
    """
    words = [*(method.words or ())]
    if method.chosen("sharing") is None and "sharing" in settings:
        shared = next((point.settings["sharing"] for point in table.protocol if "sharing" in point.settings), SHARING)
        words.append(f"sharing={shared}")
    return [word for word in words if not holds(word, settings)]


def holds(word: str, settings: Settings) -> bool:
    """Whether a setting is as the word says; '~NAME' says that there is none."""
    name, _, value = word.lstrip("+").partition("=")
    if word.startswith("~"):
        return not any(_within(key, name.lstrip("~")) for key in settings)
    return name in settings and bool(settings[name] == parse_yaml(value))


def _own(method: PublishedMethod, settings: Settings) -> list[str]:
    """Settings and groups that the row fixes, and that these settings follow."""
    words = [word.partition("=") for word in method.words or ()]
    return [name for name, _, value in words if name in settings and settings[name] == parse_yaml(value)]


def _within(key: str, name: str) -> bool:
    """Whether a key is this setting, or one of this group."""
    return key == name or key.startswith(f"{name}.")


def in_deviations(ours: Sequence[float], published: float) -> float | None:
    """Ours less theirs in standard deviations of our seeds."""
    if len(ours) < FEWEST_SEEDS or stdev(ours) == 0:
        return None
    return (fmean(ours) - published) / stdev(ours)


def run_scores(table: PublishedTable, entry: Entry) -> list[float | None]:
    """A run's score in each of the table's metrics, in its unit."""
    return [
        None if score is None else metric.printed(score)
        for metric in table.metrics
        for score in [_score(entry, metric.task, metric.metric)]
    ]


def _score(entry: Entry, task: str, metric: str) -> float | None:
    if task != "mean":
        return entry.tasks[task].test.get(metric) if task in entry.tasks else None
    values = [score.test.get(metric) for score in entry.tasks.values()]
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _scores(table: PublishedTable, method: PublishedMethod, entries: Sequence[Entry]) -> list[Beside]:
    columns = [*zip(*(run_scores(table, entry) for entry in entries))] or [()] * len(table.metrics)
    found = []
    for place, (metric, column) in enumerate(zip(table.metrics, columns)):
        ours = tuple(value for value in column if value is not None)
        published = method.values[place] if method.values else None
        spread = method.spreads[place] if method.spreads else None
        difference = None if published is None else in_deviations(ours, published.value)
        found.append(Beside(metric.name, metric.unit, ours, published, spread, difference))
    return found


def _delta(table: PublishedTable, method: PublishedMethod, entries: Sequence[Entry]) -> list[Beside]:
    """The relative change against the table's single-task vector."""
    if table.delta is None:
        return []
    values = [published_delta(table, run_scores(table, entry)) for entry in entries]
    ours = tuple(value for value in values if value is not None)
    difference = None if method.delta is None else in_deviations(ours, method.delta.value)
    return [Beside(table.delta.name, "", ours, method.delta, method.delta_spread, difference)]


def _end(table: PublishedTable, method: PublishedMethod, entry: Entry) -> EndPoint:
    assert table.front is not None
    name, task = next(iter(entry.tasks.items()))
    point = {coordinate: task.test[coordinate] for coordinate in table.front}
    case, place = _case(table, entry.settings)
    reaches = _inside(point, table.front)
    return EndPoint(
        case=case,
        point=(point["x1"], point["x2"]),
        reaches=reaches,
        since=_since(_path(entry.folder, name, table.front), table.front) if reaches else None,
        published=method.reaches[place] if place is not None and method.reaches else None,
        recomputed=method.recomputed[place] if place is not None and method.recomputed else None,
    )


def _path(folder: str, task: str, coordinates: Collection[str]) -> dict[int, dict[str, float]]:
    """The point at each step at which it was noted, in the order of the steps."""
    found: dict[int, dict[str, float]] = {}
    for row in read(Path(folder) / "metrics.csv"):
        value = row["value"]
        if (
            row["split"] == "val"
            and row["task"] == task
            and row["metric"] in coordinates
            and isinstance(value, int | float)
        ):
            found.setdefault(int(row["step"] or 0), {})[str(row["metric"])] = value
    return dict(sorted(found.items()))


def _since(path: Mapping[int, Mapping[str, float]], front: Front) -> int | None:
    """The first step from which on every point is on the front."""
    since = None
    for step, point in path.items():
        since = (step if since is None else since) if _inside(point, front) else None
    return since


def _inside(point: Mapping[str, float], front: Front) -> bool:
    return all(low <= point.get(name, nan) <= high for name, (low, high) in front.items())


def _case(table: PublishedTable, settings: Mapping[str, object]) -> tuple[str, int | None]:
    """The case that a run belongs to, and its place."""
    if table.cases is None:
        return "", None
    value = settings.get(table.cases.setting)
    for place, word in enumerate(table.cases.values):
        if parse_yaml(word) == value:
            return word, place
    return spelled(value), None
