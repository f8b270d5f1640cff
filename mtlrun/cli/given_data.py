"""Data that `mtlrun.run` is given from Python: which settings they go with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omegaconf import DictConfig

from mtlrun.config.compose import compose
from mtlrun.data.array_cache import Array
from mtlrun.errors import ConfigError, DataError
from mtlrun.runs.reader import OWN_DATA

_FOLDER = "mtlrun.data.sets.pictures.load"
"""Of the sets with an option `path`, the one whose path is a folder of pictures."""
_NAMING = ("inputs", "text", "targets", "group", "order")
"""Options that name arrays."""


def compose_with_data(overrides: Sequence[str], arrays: Mapping[str, Array]) -> DictConfig:
    """The configuration for these arrays in place of a file.

    Raises:
        ConfigError: for a mistake in the settings, or settings of other data.
        DataError: if arrays that belong together have different numbers of rows.
    """
    path = next((word for word in overrides if word.lstrip("+").startswith("data.path=")), None)
    if path is not None:
        raise ConfigError(f"data= gives the data, and {path} names others: leave one of them out")
    try:
        config = compose([*overrides, f"data.path={OWN_DATA}"])
    except ConfigError:
        if "path" not in compose(overrides).data:
            raise ConfigError(_elsewhere()) from None
        raise
    if config.data.get("_target_") == _FOLDER:
        raise ConfigError(f"{_elsewhere()}; pictures are files: name their folder with data.path=FOLDER")
    _check_rows(config, arrays)
    return config


def _elsewhere() -> str:
    return "data= goes with task=table, task=texts or task=arrays: these settings read no table and no arrays"


def _check_rows(config: DictConfig, arrays: Mapping[str, Array]) -> None:
    """All arrays have as many rows, or those that are named if labels are: others are not read."""
    given = [config.data.get(option) for option in _NAMING]
    named = {str(name) for value in given if value for name in ([value] if isinstance(value, str | int) else value)}
    read = [name for name in arrays if not config.data.get("targets") or name in named | {"inputs"}]
    counts = {name: len(arrays[name]) if arrays[name].ndim else 0 for name in read}
    other = next((name for name in read if counts[name] != counts[read[0]]), None)
    if other is not None:
        found = f"{counts[other]} of '{other}'" if arrays[other].ndim else f"'{other}' is a single number"
        raise DataError(
            f"data has {counts[read[0]]} rows of '{read[0]}' but {found}: give each row a value of each (-1 or NaN for "
            "no label), or name the tasks with data.targets=[...]"
        )
