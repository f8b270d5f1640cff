"""What reproducing a published table takes: a job for each method, case and seed, and the runs that exist already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf

from mtlrun.cli.flags import with_force
from mtlrun.commands import setting_key
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.config.schema import typed_root
from mtlrun.errors import ConfigError
from mtlrun.published.table import By, PublishedMethod, PublishedTable
from mtlrun.reporting.entries import Entry, read_entry
from mtlrun.reporting.reproduced import beyond_the_protocol
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
    """What the user asked to reproduce: settings on top of the table's own, and how many seeds.

    where: the folder of the user's own groups, as a setting; see `mtlrun.cli.config_dir`.
    """

    table: PublishedTable
    methods: tuple[PublishedMethod, ...]
    seeds: int
    words: tuple[str, ...] = ()
    quick: bool = False
    where: tuple[str, ...] = ()

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
        return [*self.protocol_of(method), *reduced, *self.words]

    def protocol_of(self, method: PublishedMethod) -> list[str]:
        """What would train it as published, without case and seed."""
        return [f"experiment={self.table.experiment}", *(method.words or ())]


@dataclass(frozen=True)
class TableJob:
    """One run of a reproduction: the words that train it, and the settings that its folder would have.

    differs: in what these are not the protocol's, beyond its points.
    """

    method: PublishedMethod
    words: tuple[str, ...]
    settings: Settings
    seed: int
    differs: tuple[str, ...] = ()

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
    table: PublishedTable,
    methods: Sequence[str],
    seeds: int | None,
    words: Sequence[str],
    quick: bool,
    where: Sequence[str] = (),
) -> Wanted:
    """The request in full; by default all methods that can be trained, with the paper's number of seeds.

    Raises:
        ConfigError: for a method that the table does not have, or that is not offered here, and for a setting that
            would make another of it.
    """
    names = methods or (table.quick.methods if quick else ()) or [method.name for method in table.trained]
    chosen = tuple(_offered(table, name) for name in dict.fromkeys(names))
    _refuse_what_rows_choose(table, chosen, words)
    usual = 1 if quick or table.cases else table.seeds or 3
    return Wanted(table, chosen, usual if seeds is None else seeds, tuple(words), quick, tuple(where))


def _refuse_what_rows_choose(table: PublishedTable, methods: Sequence[PublishedMethod], words: Sequence[str]) -> None:
    for word in words:
        key, value = setting_key(word), word.partition("=")[2]
        if key == "seed":
            raise ConfigError(f"{word}: each run has a seed of its own, from 0 on: --seeds N says how many")
        if table.cases and key == table.cases.setting:
            raise ConfigError(f"{word}: each case of {table.name} sets it, leave it out")
        for method in methods:
            own = method.chosen(key)
            if own is not None and own != value:
                others = f"leave {key} out, and choose rows with --methods"
                raise ConfigError(f"{word}: {method.name} of {table.name} is trained with {key}={own}; {others}")


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
        words, protocol = request.settings_of(method), request.protocol_of(method)
        settings = effective_settings([*words, *request.where])
        _check_late_epochs(request, settings)
        published = settings if words == protocol else effective_settings([*protocol, *request.where])
        differs = beyond_the_protocol(request.table, _that_move(settings), _that_move(published))
        for case in request.cases:
            own = [*words, *([case] if case else [])]
            of_case = {**settings, **_as_setting(case)}
            for seed in range(request.seeds):
                yield TableJob(method, (*own, f"seed={seed}"), of_case, seed, tuple(differs))


def _check_late_epochs(request: Wanted, settings: Settings) -> None:
    if request.by == "mean_of_last" and settings["trainer.test_last"] == 1:
        raise ConfigError(f"trainer.test_last=1: {request.table.name} quotes the mean of the last epochs; at least 2")


def runs_there(paths: Iterable[str | Path], by: By) -> list[Entry]:
    """Every run below the paths, the one that ended last first; a path that is not there has none."""
    entries = [read_entry(run, by) for path in paths for run in find_runs(path)]
    known = [replace(entry, settings=with_later_ones(entry.settings)) for entry in entries]
    return sorted(known, key=lambda entry: entry.end, reverse=True)


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
    """Whether two runs differ at most in their seed, and in what moves no number."""
    return _that_move(settings) == _that_move(others)


def with_later_ones(settings: Settings) -> Settings:
    """With the default of each setting of the schema that is not there.

    It came with a later version: until then everything was trained as by its default. A setting that is null by
    default may have settings of its own, as trainer.reference: then it is there.
    """
    there = {key[:at] for key in settings for at, letter in enumerate(key) if letter == "."}
    return {**{key: value for key, value in _defaults().items() if key not in there}, **settings}


def _that_move(settings: Settings) -> Settings:
    return {key: value for key, value in settings.items() if key not in _MOVES_NO_NUMBER}


@cache
def _defaults() -> Settings:
    """Of the settings that every run has, whatever parts it is made of."""
    found = flat_settings(cast(dict[str, Any], OmegaConf.to_container(typed_root(), enum_to_str=True)), {})
    return {key: value for key, value in found.items() if key != "seed" and value not in ({}, "???")}


def _as_setting(case: str) -> Settings:
    key, equals, value = case.partition("=")
    return {key: parse_yaml(value)} if equals else {}
