"""Shares, lists and counts of the data sets of ours, by the very functions that the sets ask: told before torch is
loaded, which takes longer than all else that a mistake would wait for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from mtlrun.config.bounds import plain
from mtlrun.data.split_sizes import shares_of, val_and_test
from mtlrun.options import distinct, share, whole

Options = Mapping[str, Any]

_OURS = "mtlrun.data.sets."


def _of_rows(data: Options) -> object:
    return shares_of(data.get("val_path"), data.get("test_path"), data["val"], data["test"])


def _of_pictures(data: Options) -> object:
    return val_and_test(data["val"], data["test"])


def _above_0(data: Options) -> object:
    return share("data.val", data["val"], empty=False)


_SHARES: dict[str, Callable[[Options], object]] = {
    **dict.fromkeys(("arrays", "pictures", "texts"), _of_rows),
    **dict.fromkeys(("image_folders", "office31", "office_home"), _of_pictures),
    **dict.fromkeys(("bdd100k", "chestxray14"), _above_0),
    **dict.fromkeys(("cityscapes", "nyuv2", "text_files"), lambda data: share("data.val", data["val"])),
    "chexpert": lambda data: _above_0(data) if data["test"] is None else _of_pictures(data),
}
"""Set -> what asks for its `val` and `test`."""
_LISTS: dict[str, tuple[str, ...]] = {
    "arrays": ("targets", "categories"),
    "pictures": ("targets",),
    "texts": ("targets",),
    "image_folders": ("detect",),
    "celeba": ("attributes",),
    "medmnist": ("sets",),
}
"""Set -> its options that are lists of names, or null."""
_ARRAYS = ("", ".npz", ".npy")
"""Endings of what may have its inputs in one array, which a word names; files of other endings have columns."""


def check_data_options(config: DictConfig) -> None:
    """Refuse what no data can make right.

    Raises:
        ConfigError: for the first option.
    """
    data = plain(config, "data")
    target = str(data.get("_target_"))
    name = target.removeprefix(_OURS).removesuffix(".load")
    if target != f"{_OURS}{name}.load":
        return
    if name in _SHARES:
        with suppress(KeyError):  # a YAML that leaves one out has the default
            _SHARES[name](data)
    lists = (*_LISTS.get(name, ()), *(("inputs",) if name == "arrays" and _has_columns(data.get("path")) else ()))
    for option in lists:
        if data.get(option) is not None:
            distinct(f"data.{option}", data[option])
    if data.get("rare") is not None:
        whole("data.rare", data["rare"])


def _has_columns(path: object) -> bool:
    return isinstance(path, str) and Path(path).suffix.lower() not in _ARRAYS
