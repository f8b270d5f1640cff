"""Start a backbone from a local file of weights.

Names in the file are those of torchvision's networks: the stage, then the path within it; the stage called
`stem` is left out (`conv1.weight`, `layer1.0.conv1.weight`).
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.backbones.base import Backbone
from mtlrun.errors import ConfigError, near_miss
from mtlrun.options import local_path

LISTED = 3
"""Names that a message gives before it says how many more there are."""

DAMAGED = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, LookupError, ValueError, TypeError)
"""What torch.load raises on files that are cut off, of another kind, or refused by weights_only."""


def load_weights(backbone: Backbone, weights: str | None) -> None:
    """Copy every tensor of the file into the backbone; null leaves it freshly initialised.

    Entries `fc.*` (the classifier that torchvision keeps in the same file) are passed over unless the
    backbone has them too; batch counters (`*.num_batches_tracked`), which old files lack, may be absent.
    Nothing else may differ.

    Raises:
        ConfigError: if the file is absent, is no state dict, or does not fit; names are listed.
    """
    if weights is None:
        return
    path = weights_file(weights)
    own = {_file_name(name): tensor for name, tensor in backbone.state_dict().items()}
    content = read_state(path)
    found = {name: content[name] for name in content if name in own or not name.startswith("fc.")}
    check_fit(path, own, found)
    with torch.no_grad():
        for name, tensor in found.items():
            own[name].copy_(tensor)  # state_dict() shares memory with the parameters and buffers


def _file_name(name: str) -> str:
    return name.removeprefix("stages.").removeprefix("stem.")


def weights_file(weights: str) -> Path:
    """The file that backbone.weights names.

    Raises:
        ConfigError: if it is no path, names a folder, or nothing that is there.
    """
    path = local_path("backbone.weights", weights)
    if path.is_dir():
        raise ConfigError(f"backbone.weights: '{path}' is a folder: give a file in it")
    if not path.is_file():
        beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise ConfigError(f"backbone.weights: no file '{path}'{near_miss(path.name, beside)}")
    return path


def read_state(path: Path) -> Mapping[str, Tensor]:
    """The state dict in the file, on the CPU."""
    remedy = "save it with torch.save(model.state_dict(), FILE)"
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGED as error:
        raise ConfigError(f"backbone.weights: '{path}' is damaged or holds more than tensors: {remedy}") from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise ConfigError(f"backbone.weights: '{path}' is no dictionary of tensors: {remedy}")
    return content


def check_fit(path: Path, own: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Raise ConfigError that lists what is missing, unexpected or of another shape."""
    missing = [name for name in own if name not in found and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in found if name not in own]
    reshaped = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own
        if name in found and found[name].shape != own[name].shape
    ]
    kinds = {"missing": missing, "unexpected": unexpected, "wrong shape": reshaped}
    faults = [f"{kind}: {_listing(names)}" for kind, names in kinds.items() if names]
    if faults:
        raise ConfigError(
            f"backbone.weights: '{path}' does not fit this backbone ({'; '.join(faults)}): "
            "choose the backbone, options (such as small_input) and input channels that it was made with"
        )


def _listing(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
