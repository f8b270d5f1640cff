"""A sweep's jobs: those that its words lead to, and those that lie in its folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.types import RunMode
from hydra.version import setbase
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mtlrun.cli.launching import check_plugins, prefer_ready_options
from mtlrun.commands import command_line, setting_key
from mtlrun.config.compose import as_mistake
from mtlrun.config.schema import register_schema
from mtlrun.config.words import as_typed, quoted_text
from mtlrun.errors import ResumeError, near_miss
from mtlrun.paths import CONF
from mtlrun.runs.reader import find_runs
from mtlrun.runs.sweeps import RECORD, job_words, knows_its_jobs, sweep_words


def jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of each job: those that are listed one by one, or else in the order of Hydra's own sweeper."""
    return job_words(config.hydra.sweeper, as_typed(config.hydra.overrides.task))


def list_jobs(config: DictConfig, words: Sequence[Sequence[str]] | None) -> None:
    """Have a sweep consist of these jobs, where no product of lists leads to them; None changes nothing."""
    if words is not None:
        sweeper = OmegaConf.to_container(config.hydra.sweeper)
        assert isinstance(sweeper, dict)
        with open_dict(config):  # the node is typed: it has no room for the list
            config.hydra.sweeper = {**sweeper, "jobs": [[*job] for job in words]}


def points(config: DictConfig) -> list[list[str]]:
    """Overrides of jobs that a sweeper may choose: every choice and both ends of every interval at least once.

    One setting differs from the first of these, so a mistake in any single value is found.
    """
    overrides = OverridesParser.create().parse_overrides(_words(config))
    values = {override.get_key_element(): _ends(override) for override in overrides}
    first = {key: choices[0] for key, choices in values.items()}
    found = [first]
    for key, choices in values.items():
        found += [{**first, key: choice} for choice in choices[1:]]
    return [[f"{key}={value}" for key, value in point.items()] for point in found]


def save_sweep(config: DictConfig, folder: Path) -> None:
    """Keep what `mtlrun rerun` needs, before the first job starts; not every sweeper does so by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    hydra = {key: config.hydra[key] for key in ("overrides", "runtime", "sweeper", "launcher")}
    OmegaConf.save(DictConfig({"hydra": hydra}), folder / RECORD)


def _words(config: DictConfig) -> list[str]:
    return sweep_words(config.hydra.sweeper.get("params"), as_typed(config.hydra.overrides.task))


def _ends(override: Override) -> list[str]:
    """Values of one setting: all choices, the ends of a range or an interval, or the one value that is given."""
    value = override.value()
    if isinstance(value, IntervalSweep):
        return [str(value.start), str(value.end)]
    if isinstance(value, RangeSweep):
        return [*_distinct([str(number) for number in value.range()])]
    if isinstance(value, ChoiceSweep) or override.is_sweep_override():
        return [str(word) for word in override.sweep_string_iterator()]
    return [override.get_value_element_as_str()]


def _distinct(numbers: list[str]) -> Iterator[str]:
    yield numbers[0]
    if len(numbers) > 1:
        yield numbers[-1]


class Job(NamedTuple):
    """A job of a sweep that has been started: its number, its folder, which may not be there yet, and its settings."""

    number: int
    folder: Path
    overrides: list[str]


class Sweep:
    """A sweep that was started before, composed anew from its record; use as a context manager.

    Args:
        folder: of the sweep.
        words: changes to the node `hydra`, such as 'hydra.launcher.n_jobs=2'.

    Raises:
        ResumeError: if the folder is no sweep's.
    """

    def __init__(self, folder: Path, words: Sequence[str] = ()) -> None:
        self.folder = folder
        self._record = _load_record(folder)
        self._words = words

    @property
    def started_in(self) -> Path | None:
        """The current folder of the command that started the sweep; None if that is not known."""
        start = OmegaConf.select(self._record, "runtime.cwd")
        return Path(start) if isinstance(start, str) else None

    def __enter__(self) -> Sweep:
        register_schema()
        prefer_ready_options()
        setbase("1.3")
        search = create_config_search_path(str(CONF))
        for source in self._record.runtime.config_sources:
            if source.provider == "command-line":  # the folder that --config-dir named
                search.prepend("command-line", f"file://{source.path}", SearchPathQuery(provider="schema"))
        hydra = Hydra.create_main_hydra2("mtlrun", search)
        self.loader = hydra.config_loader
        try:
            self.config = hydra.compose_config("config", self._overrides(), RunMode.MULTIRUN)
            list_jobs(self.config, self._record.sweeper.get("jobs"))
            check_plugins(self.config.hydra)
        except Exception as error:
            self.__exit__()
            raise as_mistake(error) from error
        return self

    def __exit__(self, *error: object) -> None:
        GlobalHydra.instance().clear()

    def jobs(self) -> Iterator[Job]:
        """All of the sweep, by number; of a sweep whose jobs were chosen as it went, those that were started."""
        known = {run.job: run for run in find_runs(self.folder) if run.job is not None}
        if not knows_its_jobs(self._record):
            yield from (Job(number, run.path, run.overrides) for number, run in sorted(known.items()))
            return
        for number, overrides in enumerate(jobs(self.config)):
            path = known[number].path if number in known else self._folder_of(number, overrides)
            yield Job(number, path, overrides)

    def name(self, job: Job) -> str:
        """The job's folder within the sweep's."""
        return job.folder.relative_to(self.folder).as_posix()

    def _overrides(self) -> list[str]:
        """The words of the command, each key with its last value, and the folder where it lies now."""
        before = self._record.overrides
        own = [*self._words, f"hydra.sweep.dir={quoted_text(str(self.folder.resolve()))}"]
        keys = {setting_key(word) for word in own}
        replaced = tuple(f"{key.replace('/', '.')}." for key in keys if "/" in key)  # settings of another launcher
        kept = [word for word in as_typed(before.hydra) if setting_key(word) not in keys]
        return [*(word for word in kept if not word.lstrip("+~").startswith(replaced)), *own, *as_typed(before.task)]

    def _folder_of(self, number: int, overrides: list[str]) -> Path:
        composed = self.loader.load_sweep_config(self.config, overrides)
        with open_dict(composed):
            composed.hydra.job.num = number
        HydraConfig.instance().set_config(composed)
        try:
            return self.folder / str(composed.hydra.sweep.subdir)
        finally:
            HydraConfig.instance().cfg = None


def _load_record(folder: Path) -> Any:
    """The node `hydra` of the sweep's record."""
    if not folder.is_dir():
        beside = [entry.name for entry in folder.parent.glob("*/")] if folder.parent.is_dir() else []
        raise ResumeError(f"no folder '{folder}'{near_miss(folder.name, beside)}")
    if (folder / ".hydra" / "config.yaml").is_file():
        again = command_line("mtlrun", "resume", str(folder))
        raise ResumeError(f"{folder} is a run: continue it with {again}")
    try:
        return OmegaConf.load(folder / RECORD).hydra
    except (OSError, YAMLError, OmegaConfBaseException) as error:
        raise ResumeError(f"{folder} is no sweep: cannot read {RECORD} in it") from error
