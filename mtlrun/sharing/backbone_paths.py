"""Which parts of a sharing scheme come from a backbone, and from where in it, whatever the scheme has made of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from torch import nn

from mtlrun.backbones.base import Backbone

_PATH = "path_in_backbone"


def note_paths(backbone: Backbone) -> Backbone:
    """Note in every module of a backbone's stages its path, such as 'layer1.0.conv1'.

    A module keeps the note wherever a scheme puts it, and hands it on to its copies. What a scheme adds has none.
    """
    for path, module in backbone.stages.named_modules():
        if path:
            setattr(module, _PATH, path)
    return backbone


def copy_path(module: nn.Module, replaced: nn.Module) -> nn.Module:
    """Give a module the note, if any, of the one that it replaces."""
    if hasattr(replaced, _PATH):
        setattr(module, _PATH, getattr(replaced, _PATH))
    return module


def from_backbone(network: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """(name in the network, path in the backbone, module) of all that comes from a backbone, in every copy of it.

    A module has parameters and buffers of its own (`recurse=False`); those of its children are theirs.
    """
    for name, module in network.named_modules(remove_duplicate=False):
        if hasattr(module, _PATH):
            yield name, getattr(module, _PATH), module


def stage_of(path: str) -> str:
    """The stage in which a path in the backbone lies."""
    return path.partition(".")[0]


def backbone_paths(network: nn.Module) -> dict[str, str]:
    """Name in the network -> name in the backbone, such as 'layer1.0.conv1.weight', of parameters and buffers."""
    found = {}
    for name, path, module in from_backbone(network):
        for tensor, _ in chain(module.named_parameters(recurse=False), module.named_buffers(recurse=False)):
            found[f"{name}.{tensor}"] = f"{path}.{tensor}"
    return found
