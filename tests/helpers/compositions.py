"""Hydra takes half as long as a short training to compose a configuration: what is the same is composed once.

Kept are whole compositions by their words; the choice of files and what these hold together, by the words that choose
options of groups; and each file of ours and of Hydra's. Of a composition that looks into a folder of the user's own,
whose files a test may change, only the last are.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import cache, partial
from typing import Any

import omegaconf
import pytest
from hydra._internal import config_loader_impl, defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.defaults_list import DefaultsList, Overrides
from hydra._internal.hydra import Hydra
from hydra.core.object_type import ObjectType
from hydra.core.utils import JobRuntime

from mtlrun.paths import CONF

_UNCHANGING = {("file", str(CONF)), ("pkg", "hydra.conf")}
"""Scheme and path of the folders that are the same in each test."""


@contextmanager
def kept_compositions() -> Iterator[None]:
    """In here Hydra composes the same thing once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigLoaderImpl, "load_configuration", _whole(ConfigLoaderImpl.load_configuration))
        patch.setattr(config_loader_impl, "create_defaults_list", _choice(config_loader_impl.create_defaults_list))
        name = "_compose_config_from_defaults_list"
        patch.setattr(ConfigLoaderImpl, name, _files_together(getattr(ConfigLoaderImpl, name)))
        patch.setattr(ConfigLoaderImpl, "_load_single_config", _in_its_package(ConfigLoaderImpl._load_single_config))
        patch.setattr(ConfigRepository, "load_config", _file(ConfigRepository.load_config))
        patch.setattr(CachingConfigRepository, "__init__", _look_alike)
        patch.setattr(defaults_list, "_create_interpolation_map", _needed(defaults_list._create_interpolation_map))
        patch.setattr(Hydra, "get_mode", _by_choices(Hydra.get_mode))
        for module in (omegaconf.base, omegaconf._utils):
            patch.setattr(module, "parse", cache(module.parse))
        yield


class _Kept:
    """Copies of what was made once for each key; from pickles, since those are five times as fast as deep copies."""

    def __init__(self) -> None:
        self._known: dict[Hashable, bytes] = {}

    def get(self, key: Hashable, make: Any) -> Any:
        if key in self._known:
            return pickle.loads(self._known[key])
        made = make()
        self._known[key] = pickle.dumps(made)
        return made


def _foreign(sources: Iterable[Any]) -> bool:
    return any(source.scheme() == "file" and source.path != str(CONF) for source in sources)


def _whole(compose: Any) -> Any:
    kept = _Kept()

    def load_configuration(loader: ConfigLoaderImpl, *arguments: Any, **options: Any) -> Any:
        make = partial(compose, loader, *arguments, **options)
        if _foreign(loader.get_sources()):
            return make()
        config = kept.get((JobRuntime().get("name"), repr(arguments), repr(sorted(options.items()))), make)
        config.hydra.runtime.cwd = os.getcwd()
        return config

    return load_configuration


def _choice(create: Any) -> Any:
    known: dict[Hashable, DefaultsList] = {}

    def create_defaults_list(
        repo: Any, config_name: str | None, overrides_list: list[Any], prepend_hydra: bool, skip_missing: bool
    ) -> DefaultsList:
        make = partial(create, repo, config_name, overrides_list, prepend_hydra, skip_missing)
        if _foreign(repo.get_sources()):
            return make()
        choices = [override.input_line for override in overrides_list if repo.group_exists(override.key_or_group)]
        key = (config_name, *choices, prepend_hydra, skip_missing)
        if key not in known:
            known[key] = make()
        return replace(known[key], config_overrides=Overrides(repo, overrides_list).config_overrides)

    return create_defaults_list


def _files_together(compose: Any) -> Any:
    kept = _Kept()

    def compose_config(loader: ConfigLoaderImpl, defaults: list[Any], repo: Any) -> Any:
        make = partial(compose, loader, defaults, repo)
        return make() if _foreign(repo.get_sources()) else kept.get(repr(defaults), make)

    return compose_config


def _by_choices(get_mode: Any) -> Any:
    """Hydra composes all once more to see whether files ask for a sweep; single settings do not change that."""
    known: dict[Hashable, Any] = {}

    def get_mode_by_choices(hydra: Hydra, config_name: str | None, overrides: list[str]) -> Any:
        make = partial(get_mode, hydra, config_name, overrides)
        if _foreign(hydra.config_loader.get_sources()):
            return make()
        key = (config_name, *filter(_chooses, overrides))
        if key not in known:
            known[key] = make()
        return known[key]

    return get_mode_by_choices


def _chooses(word: str) -> bool:
    """Whether it is about Hydra, or chooses an option of a group."""
    key = word.lstrip("+~").partition("=")[0].partition("@")[0]
    return key.startswith("hydra") or (CONF / key).is_dir()


def _in_its_package(load: Any) -> Any:
    kept = _Kept()

    def load_single_config(loader: ConfigLoaderImpl, default: Any, repo: Any) -> Any:
        make = partial(load, loader, default, repo)
        return make() if _foreign(repo.get_sources()) else kept.get(repr(default), make)

    return load_single_config


def _file(read: Any) -> Any:
    kept = _Kept()

    def load_config(repository: ConfigRepository, config_path: str) -> Any:
        make = partial(read, repository, config_path)
        source = repository._find_object_source(config_path, ObjectType.CONFIG)
        origin = None if source is None else (source.scheme(), source.path)
        if source is None or origin not in _UNCHANGING:
            return make()
        return kept.get((source.provider, origin, config_path), make)

    return load_config


def _look_alike(repository: CachingConfigRepository, delegate: ConfigRepository) -> None:
    """Hydra copies all that it may ever read, its store included; a copy with a list of sources of its own will do."""
    repository.delegate, repository.cache = copy(delegate), {}


def _needed(create: Any) -> Any:
    """What interpolations in a defaults list are looked up in; Hydra makes it for each file, and few have any."""

    def create_interpolation_map(overrides: Overrides, entries: list[Any], self_added: bool) -> Any:
        return create(overrides, entries, self_added) if any(map(_interpolated, entries)) else None

    return create_interpolation_map


def _interpolated(entry: Any) -> bool:
    return entry.is_interpolation()
