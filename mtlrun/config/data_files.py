"""Whether the files and folders of data that a configuration names are there: told before torch is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun.data.must_be_named import WHERE, named_path
from mtlrun.data.pictures.places import beside, by_task
from mtlrun.errors import DataError, near_miss
from mtlrun.runs.reader import OWN_DATA

_OURS = "mtlrun.data.sets."
_WORDS = ("path", "root", "splits")
"""Last words of the options by which our sets read files that must be there; a cache is made where it is not."""
_CORPORA = ("ner", "pos", "sentiment", "qa")
"""Options of `data=text_files`, each a file or folder."""


def check_data_files(config: DictConfig) -> None:
    """Refuse a file or folder that is not there; what is wrong inside of one is found when it is read.

    Raises:
        DataError: for the first one.
    """
    target = str(config.data.get("_target_"))
    if not target.startswith(_OURS):
        return
    words = (*_WORDS, *(_CORPORA if target == f"{_OURS}text_files.load" else ()))
    if target == f"{_OURS}pictures.load":
        _check_beside_pictures(config)
    for key in config.data:
        value = _value(config, f"data.{key}") if str(key).rpartition("_")[2] in words else None
        if not isinstance(value, str) or value in ("", OWN_DATA):  # data from Python are written once there is a folder
            continue
        if not (path := Path(value).expanduser()).exists():
            written = OmegaConf.is_interpolation(config.data, key)  # which may name a secret
            named = _written(config.data)[str(key)] if written else value
            raise DataError(f"data.{key}={named}: no such file or folder{'' if written else _hint(path)}")


def _check_beside_pictures(config: DictConfig) -> None:
    """The files and folders that label pictures, which may lie in the folder of these; a column of the table, too, may
    name masks, which is found when the table is read."""
    folder, table = _value(config, "data.path"), _value(config, "data.table")
    if not isinstance(folder, str) or not Path(folder).expanduser().is_dir():
        return
    for option in ("table", "boxes", *(() if table else ("masks",))):
        value = _written(config.data).get(option)
        if "${" in str(value):  # which may name a secret
            continue
        for place in by_task(option, value).values():
            beside(f"data.{option}", place, Path(folder).expanduser())


def check_data_named(config: DictConfig) -> None:
    """Refuse to train on data that are nowhere until they are named.

    Raises:
        ConfigError: if they are not named.
    """
    source = str(config.data.get("_target_")).removeprefix(_OURS).removesuffix(".load")
    if source in WHERE:
        named_path(source, _value(config, f"data.{WHERE[source][0]}"))


def _written(data: DictConfig) -> dict[str, Any]:
    found: Any = OmegaConf.to_container(data, resolve=False)
    return {str(key): value for key, value in found.items()}


def _value(config: DictConfig, key: str) -> Any:
    """None where an interpolation cannot be resolved, which others tell."""
    try:
        return OmegaConf.select(config, key)
    except OmegaConfBaseException:
        return None


def _hint(path: Path) -> str:
    try:
        beside = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    return near_miss(path.name, beside)
