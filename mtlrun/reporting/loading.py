"""Runs as objects for Python and notebooks; nothing here needs torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, overload

from mtlrun.errors import ConfigError, near_miss
from mtlrun.reporting.entries import read_entry
from mtlrun.reporting.grid import GridCell, GridColumn
from mtlrun.reporting.html_table import table
from mtlrun.reporting.settings import effective_config
from mtlrun.reporting.text import arrow, fixed
from mtlrun.runs.reader import Run, find_runs

_TABLES = ("metrics", "tasks", "cosines", "gates")


class LoadedRun(Run):
    """A run with its configuration as last resumed; `metrics`, `tasks`, `cosines` and `gates` are lists of rows."""

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration with every later resume applied, interpolations as written."""
        return effective_config(Run(self.path))

    @property
    def plots(self) -> dict[str, Path]:
        """The pictures by name."""
        return {path.stem: path for path in sorted((self.path / "plots").glob("*.png"))}

    def frame(self, name: str = "metrics") -> Any:
        """One of the run's tables as a pandas DataFrame.

        Raises:
            ConfigError: for another name, or without pandas.
        """
        if name not in _TABLES:
            raise ConfigError(f"no table '{name}'{near_miss(name, _TABLES)} (there are: {', '.join(_TABLES)})")
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise ConfigError(f"frame() needs pandas: pip install pandas, or use the rows of run.{name}") from error
        return DataFrame(getattr(self, name))

    def _repr_html_(self) -> str:
        parts = [*_results(self)]
        if self.plots:
            parts.append(f"<p>plots: {escape(', '.join(self.plots))}</p>")
        return "\n".join(parts)


class Runs(Sequence[LoadedRun]):
    """The runs below a folder, in natural order."""

    def __init__(self, runs: Sequence[LoadedRun]) -> None:
        self._runs = tuple(runs)

    @overload
    def __getitem__(self, index: int) -> LoadedRun: ...

    @overload
    def __getitem__(self, index: slice) -> Runs: ...

    def __getitem__(self, index: int | slice) -> LoadedRun | Runs:
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[LoadedRun]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return f"Runs({', '.join(run.name for run in self._runs)})"

    def _repr_html_(self) -> str:
        entries = [read_entry(run) for run in self._runs]
        tasks = [*dict.fromkeys(task for entry in entries for task in entry.tasks)]
        columns = [
            GridColumn("run", "", "setting", tuple(GridCell(run.name) for run in self._runs)),
            GridColumn("status", "", "setting", tuple(GridCell(entry.status) for entry in entries)),
        ]
        for task in tasks:
            found = [entry.tasks.get(task) for entry in entries]
            unit = next(f"{score.metric} {arrow(score.higher)}" for score in found if score)
            cells = tuple(GridCell(fixed(score.judged if score else None, 4)) for score in found)
            columns.append(GridColumn(task, unit, "score", cells))
        return "\n".join(table(columns, f"{len(self)} runs"))


def load(path: str | Path) -> Runs:
    """The runs at or below a folder; a single run is a sequence of one.

    Raises:
        ConfigError: if there is none.
    """
    found = find_runs(path)
    if not found:
        raise ConfigError(f"no run in '{path}': name a run folder, a sweep folder, or a folder above them")
    return Runs([LoadedRun(run.path) for run in found])


def _results(run: LoadedRun) -> Iterator[str]:
    """Test metrics of every task at the best validation epoch."""
    entry = read_entry(run)
    lines = [(task, metric, value) for task, score in entry.tasks.items() for metric, value in score.test.items()]
    columns = [
        GridColumn("task", "", "setting", tuple(GridCell(task) for task, _, _ in lines)),
        GridColumn("metric", "", "setting", tuple(GridCell(metric) for _, metric, _ in lines)),
        GridColumn("test", "", "score", tuple(GridCell(fixed(value, 4)) for _, _, value in lines)),
    ]
    error = f": {entry.error}" if entry.error else ""
    yield from table(columns, f"{run.name} ({entry.status}{error})")
