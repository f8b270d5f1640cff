"""The configuration that a run folder keeps, with what later resumes changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mtlrun.config.changes import check_change, is_open
from mtlrun.config.check import check
from mtlrun.config.explain import explain, suggest
from mtlrun.config.schema import typed_root
from mtlrun.config.whereabouts import find_files, find_own_data, started_in
from mtlrun.config.words import as_typed
from mtlrun.errors import ConfigError, ResumeError
from mtlrun.lines import one_line
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.yamlfile import LARGEST, unfolded_size

_FIXED = ("seed", "tasks", "init_from", "freeze")  # the numbers before and after would not belong to one run


def load_config(folder: Path) -> DictConfig:
    """The configuration of the run in the folder, as it was last resumed.

    Raises:
        ResumeError: if a file cannot be read, or does not suit this version.
    """
    saved = folder / ".hydra" / "config.yaml"
    try:
        if unfolded_size(saved.read_text(encoding="utf-8")) > LARGEST:
            raise ResumeError(f"cannot continue from {saved}: its anchors (&name, *name) unfold without end")
        config = OmegaConf.merge(typed_root(), OmegaConf.load(saved))
        assert isinstance(config, DictConfig)
        OmegaConf.set_struct(config, True)
        start = started_in(folder)
        if start is not None:
            find_files(config, start)
        find_own_data(config, folder)
        for record in sorted(saved.parent.glob("resume-*.yaml")):
            _apply(config, _parse(as_typed(OmegaConf.load(record))))
    except (OSError, YAMLError, HydraException, OmegaConfBaseException, UnicodeError, RecursionError) as error:
        raise ResumeError(f"cannot continue from {folder / '.hydra'}: {explain(error) or one_line(error)}") from error
    return config


def change(config: DictConfig, words: Sequence[str]) -> DictConfig:
    """A copy with the settings changed that the words `key=value` name, as strictly checked as a new run's.

    Raises:
        ConfigError: for a setting that does not exist, or a wrong value.
        ResumeError: for a setting that a resumed run must keep.
    """
    changed = config.copy()
    try:
        overrides = _parse(words)
        for override in overrides:
            _refuse_fixed(override, config)
        _apply(changed, overrides)
        check(changed)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error)) from error
    for override in overrides:
        if is_open(override.key_or_group):
            check_change(override.key_or_group, changed, config)
    return changed


def is_longer(config: DictConfig, before: DictConfig) -> bool:
    """Whether a limit on the length of training was raised or lifted: a finished run then trains on."""
    limit, former = config.trainer.max_steps, before.trainer.max_steps
    return config.trainer.epochs > before.trainer.epochs or (former is not None and (limit is None or limit > former))


@contextmanager
def recorded(folder: RunFolder, words: Sequence[str]) -> Iterator[None]:
    """Keep the changes while the block trains with them, and after it, unless it is refused before it saves anything.

    One of several processes writes them.
    """
    kept, saved_at = record(folder.path, words) if words and folder.writes else None, folder.saved_at
    try:
        yield
    except Exception as error:
        refused = explain(error) is not None and folder.saved_at == saved_at
        if kept is not None and refused:  # nothing was trained with them: the next attempt is free
            kept.unlink(missing_ok=True)
        raise


def record(folder: Path, words: Sequence[str]) -> Path:
    """Keep the changes of one resume beside the configuration; a later resume reads them. Returns the file.

    That other data were allowed holds for once.
    """
    name = f"resume-{datetime.now():%Y-%m-%d-%H-%M-%S-%f}.yaml"
    changes = [word for word in words if not word.startswith("allow_other_data=")]
    OmegaConf.save(OmegaConf.create(changes), folder / ".hydra" / name)
    return folder / ".hydra" / name


def _parse(words: Sequence[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(list(words))


def _apply(config: DictConfig, overrides: Sequence[Override]) -> None:
    for override in overrides:
        # Without the explicit flag an entry that was added with '+' could not be read back.
        OmegaConf.update(config, override.key_or_group, override.value(), merge=True, force_add=override.is_add())


def _refuse_fixed(override: Override, config: DictConfig) -> None:
    key = override.key_or_group
    if override.is_sweep_override() or override.is_delete():
        raise ConfigError(f"cannot resume with '{override.input_line}': write key=value with one value")
    kept = key in _FIXED or "/" in key or key in ("experiment", "hydra") or key.startswith("hydra.")
    if kept or (OmegaConf.is_dict(OmegaConf.select(config, key)) and isinstance(override.value(), str)):
        raise ResumeError(f"{override.input_line}: a resumed run keeps its {key}; start a new run to change it")
    top = key.partition(".")[0]
    if top not in config:
        raise ConfigError(f"no setting '{top}'{suggest(top, map(str, config))}")
