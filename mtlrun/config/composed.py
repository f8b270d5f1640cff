"""Checks of a configuration as Hydra composed it, with the overrides that led to it."""

from __future__ import annotations

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.config.changes import check_change, is_open
from mtlrun.config.check import check
from mtlrun.config.data_files import check_data_named
from mtlrun.config.origin import origin
from mtlrun.config.words import as_typed


def check_composed(
    config: DictConfig, loader: ConfigLoader, known: dict[tuple[str, ...], DictConfig] | None = None
) -> None:
    """Refuse a configuration, its `hydra` node included, that cannot be trained.

    Args:
        config: as Hydra composed it.
        loader: that composed it.
        known: for jobs of one sweep, the same for all of them: what their settings were compared with, by the choices
            of options.

    Raises:
        ConfigError: for the first mistake.
    """
    changed, choices = _changes(config)
    if changed:
        # What the settings would be without the changes, but with the same options chosen in each group.
        known = {} if known is None else known
        words = (*as_typed(config.hydra.overrides.hydra), *choices)
        if words not in known:
            known[words] = loader.load_configuration(
                config_name=config.hydra.job.config_name, overrides=[*words], run_mode=RunMode.RUN
            )
        for key in changed:
            check_change(key, config, known[words])
    check(config)
    check_data_named(config)
    if config.init_from is not None:
        origin(config.init_from)  # only here: a resumed run does not need it any more


def without_hydra(config: DictConfig) -> DictConfig:
    """The settings of the run alone."""
    settings = config.copy()
    OmegaConf.set_readonly(settings, False)
    with open_dict(settings):
        settings.pop("hydra", None)
    return settings


def _changes(config: DictConfig) -> tuple[list[str], list[str]]:
    """Changed keys of the open groups, and the overrides that choose an option of a group."""
    groups = set(config.hydra.runtime.choices)
    keys, choices = [], []
    for override in OverridesParser.create().parse_overrides(as_typed(config.hydra.overrides.task)):
        if override.key_or_group in groups:
            choices.append(str(override.input_line))
        elif is_open(override.key_or_group) and not override.is_delete():
            keys.append(override.key_or_group)
    return keys, choices
