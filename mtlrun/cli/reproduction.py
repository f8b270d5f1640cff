"""What reproducing a published table takes: a job for each method, case and seed, and the runs that exist already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from mtlrun.cli.flags import with_force
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.config.schema import typed_root
from mtlrun.errors import ConfigError
from mtlrun.published.table import By, PublishedMethod, PublishedTable
from mtlrun.reporting.entries import Entry, read_entry
from mtlrun.reporting.settings import Settings, flat_settings
from mtlrun.runs.reader import find_runs
from mtlrun.runs.yamlfile import parse_yaml

_MOVES_NO_NUMBER = (
    "data.cache",
    "data.memory_mb",
    "data.root",
    "trainer.checkpoint_every",
    "trainer.device",
    "trainer.devices",
    "trainer.eval_batch_size",
    "trainer.log_every",
    "trainer.workers",
)
"""Settings by which two runs may differ and still be the same experiment."""


@dataclass(frozen=True)
class Wanted:
    """What the user asked to reproduce: settings on top of the table's own, and how many seeds."""

    table: PublishedTable
    methods: tuple[PublishedMethod, ...]
    seeds: int
    words: tuple[str, ...] = ()
    quick: bool = False

    @property
    def by(self) -> By:
        """The scores that are quoted."""
        return (self.table.quick.by if self.quick else None) or self.table.by

    @property
    def count(self) -> int:
        """Runs in all."""
        return len(self.methods) * self.seeds * len(self.cases)

    @property
    def cases(self) -> tuple[str, ...]:
        """A setting each; one empty word where the table has none."""
        cases = self.table.cases
        return tuple(f"{cases.setting}={value}" for value in cases.values) if cases else ("",)

    def settings_of(self, method: PublishedMethod) -> list[str]:
        """What trains the method, without case and seed."""
        reduced = self.table.quick.words if self.quick else ()
        return [f"experiment={self.table.experiment}", *(method.words or ()), *reduced, *self.words]


@dataclass(frozen=True)
class TableJob:
    """One run of a reproduction: the words that train it, and the settings that its folder would have."""

    method: PublishedMethod
    words: tuple[str, ...]
    settings: Settings
    seed: int

    def found(self, known: Iterable[Entry]) -> Entry | None:
        """The first of these runs that is the same."""
        alike = (entry for entry in known if entry.seed == self.seed)
        return next((entry for entry in alike if same_experiment(entry.settings, self.settings)), None)

    def same_as(self, other: TableJob) -> bool:
        """Whether one run serves for both."""
        return self.seed == other.seed and same_experiment(self.settings, other.settings)


def methods_by_table(tables: Sequence[PublishedTable], names: Sequence[str]) -> dict[str, list[str]]:
    """Of each table those of the named methods that it has: of several tables a method need not be in all.

    Raises:
        ConfigError: for a name that no table has, or a table that has none of them.
    """
    there = {table.name: {method.name for method in table.methods} for table in tables}
    for name in names:
        if not any(name in methods for methods in there.values()):
            tables[0].method(name)  # says so
    found = {table: [name for name in names if name in methods] for table, methods in there.items()}
    for table, methods in found.items():
        if names and not methods:
            raise ConfigError(f"{table} has none of the methods {', '.join(names)}: leave the table out")
    return found


def wanted(
    table: PublishedTable, methods: Sequence[str], seeds: int | None, words: Sequence[str], quick: bool
) -> Wanted:
    """The request in full; by default all methods that can be trained, with the paper's number of seeds.

    Raises:
        ConfigError: for a method that the table does not have, or that is not offered here.
    """
    names = methods or (table.quick.methods if quick else ()) or [method.name for method in table.trained]
    chosen = tuple(_offered(table, name) for name in names)
    usual = 1 if quick or table.cases else table.seeds or 3
    return Wanted(table, chosen, usual if seeds is None else seeds, tuple(words), quick)


def _offered(table: PublishedTable, name: str) -> PublishedMethod:
    method = table.method(name)
    if method.words is None:
        offered = ", ".join(method.name for method in table.trained)
        raise ConfigError(f"{name} of {table.name} is published and not offered here (there are: {offered})")
    return method


def jobs_of(request: Wanted) -> Iterator[TableJob]:
    """Every run of the request, by method, then case, then seed.

    Raises:
        ConfigError: for a mistake in the settings.
    """
    for method in request.methods:
        words = request.settings_of(method)
        settings = effective_settings(words)
        for case in request.cases:
            own = [*words, *([case] if case else [])]
            of_case = {**settings, **_as_setting(case)}
            for seed in range(request.seeds):
                yield TableJob(method, (*own, f"seed={seed}"), of_case, seed)


def finished_runs(paths: Iterable[str | Path], by: By) -> list[Entry]:
    """Every finished run below the paths, the one that ended last first; a path that is not there has none."""
    entries = [read_entry(run, by) for path in paths for run in find_runs(path)]
    return sorted((entry for entry in entries if entry.complete), key=lambda entry: entry.end, reverse=True)


def effective_settings(words: Sequence[str]) -> Settings:
    """The settings that a run of these words would have in its folder; the seed is left out.

    Raises:
        ConfigError: for a mistake in them.
    """
    config = compose(with_force(words))
    content = parse_yaml(OmegaConf.to_yaml(without_hydra(config)))
    found = flat_settings(content, dict(config.hydra.runtime.choices))
    return {key: value for key, value in found.items() if key != "seed"}


def same_experiment(settings: Settings, others: Settings) -> bool:
    """Whether two runs differ at most in their seed, and in what moves no number.

    A setting of the schema that one of them lacks came with a later version: until then everything was trained as by
    its default.
    """
    keys = {*settings, *others} - {*_MOVES_NO_NUMBER}
    known = [{**_defaults(), **some} for some in (settings, others)]
    return all(all(key in some for some in known) and known[0][key] == known[1][key] for key in keys)


@cache
def _defaults() -> Settings:
    """Of the settings that every run has, whatever parts it is made of."""
    return flat_settings(cast(dict[str, Any], OmegaConf.to_container(typed_root(), enum_to_str=True)), {})


def _as_setting(case: str) -> Settings:
    key, equals, value = case.partition("=")
    return {key: parse_yaml(value)} if equals else {}
