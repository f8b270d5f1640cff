"""A backbone for the rows of a source."""

from __future__ import annotations

import inspect
from typing import Protocol

from omegaconf import DictConfig

from mtlrun.backbones.base import Backbone
from mtlrun.config.named_kinds import class_of
from mtlrun.errors import ConfigError
from mtlrun.instantiate import instantiate
from mtlrun.types import InputColumn, categories

COLUMNS = "columns"
"""The argument by which a backbone asks what the entries of its inputs are."""


class Shaped(Protocol):
    """What a network's shape depends on of the data: rows of some shape that some tasks are learned from."""

    @property
    def input_shape(self) -> tuple[int, ...]: ...

    @property
    def tasks(self) -> tuple[str, ...]: ...

    @property
    def columns(self) -> tuple[InputColumn, ...]: ...


def build_backbone(node: DictConfig, source: Shaped) -> Backbone:
    """The backbone that the configuration names; one that asks for them gets the source's columns.

    Raises:
        ConfigError: if the source has categories, and the backbone would take their codes for numbers.
    """
    words = {COLUMNS: source.columns} if _asks(node) else {}
    codes = categories(source.columns)
    if codes and not words:
        name = str(node._target_).rpartition(".")[2]
        raise ConfigError(
            f"backbone {name} takes numbers, and {len(codes)} of the inputs are categories, such as '{codes[0].name}': "
            "choose backbone=tabular, or leave them out with data.inputs=[...]"
        )
    return instantiate(node, "backbone", Backbone, input_shape=source.input_shape, **words)


def _asks(node: DictConfig) -> bool:
    """Whether the class has an argument `columns` that the user has not set."""
    named = class_of(str(node._target_))
    return named is not None and COLUMNS in inspect.signature(named).parameters and COLUMNS not in node
