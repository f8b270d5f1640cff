"""Checkpoints: tensors and plain values only, replaced atomically, loaded without unpickling code.

What a checkpoint holds is everything that the rest of the run depends on, and nothing of one process alone.
"""

from __future__ import annotations

import math
import pickle
import zipfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import torch

from mtlrun.atomic import complete_file
from mtlrun.data.fingerprint import is_fingerprint
from mtlrun.errors import MtlrunError, ResumeError
from mtlrun.sharing.backbone_paths import backbone_paths
from mtlrun.training.devices import rng_state, set_rng_state
from mtlrun.training.model import MultiTaskModel

_SAID = {"model": "network"}  # what a part of a checkpoint is called in messages, if not by its own name
_REMEDIES = {
    "optimizer": ": keep the learning rates per part, optimizer.backbone_lr, sharing_lr and head_lr, as they were"
}


_UNREADABLE = (
    RuntimeError,
    EOFError,
    OSError,
    LookupError,
    TypeError,
    AttributeError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
)
"""What a file of another kind makes its readers raise."""


class Stateful(Protocol):
    """Whatever changes from step to step, and can go on exactly where it was: modules, optimizers, balancers, ..."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


class RandomState:
    """Torch's global generators."""

    def state_dict(self) -> dict[str, Any]:
        return rng_state()

    def load_state_dict(self, state: dict[str, Any], /) -> None:
        set_rng_state(state)


def states(parts: Mapping[str, Stateful]) -> dict[str, Any]:
    """The state of every part, by its name."""
    return {name: part.state_dict() for name, part in parts.items()}


def restore(parts: Mapping[str, Stateful], saved: Mapping[str, Any], path: Path) -> None:
    """Put parts into the states that were read from `path`; other entries of the checkpoint are not for them.

    Raises:
        ResumeError: if the configuration builds other parts than the checkpoint holds.
    """
    for name, part in parts.items():
        if name not in saved:
            raise ResumeError(f"{path} holds no '{name}': another version of mtlrun has written it")
        load_part(name, part, saved[name], path)


def check_parts(saved: Mapping[str, Any], known: Collection[str], tasks: list[str], path: Path) -> None:
    """Refuse a checkpoint of other tasks, or with parts that this version does not save: they would be left out.

    Raises:
        ResumeError: naming the first.
    """
    strange = next((name for name in saved if name not in known), None)
    if strange is not None:
        raise ResumeError(f"{path} holds '{strange}', which nothing here goes on with: another program has written it")
    if saved["tasks"] != tasks:
        raise ResumeError(f"{path} is of the tasks {', '.join(saved['tasks'])}, and this run has {', '.join(tasks)}")


def load_part(name: str, part: Stateful, state: dict[str, Any], path: Path) -> None:
    """Load one part's state, all of it and nothing else.

    Raises:
        ResumeError: if it is that of another configuration.
    """
    try:
        part.load_state_dict(state)
    except MtlrunError:
        raise
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError) as error:
        lines = str(error).splitlines()  # torch's first line names only the class
        reason = lines[1].strip() if len(lines) > 1 else f"{type(error).__name__}: {error}"
        found = f"{path} does not fit the {_SAID.get(name, name)} of this configuration ({reason})"
        raise ResumeError(found + _REMEDIES.get(name, "")) from error


def network_state(model: MultiTaskModel) -> dict[str, Any]:
    """The network's tensors by name, the names in the backbone of those that come from one, and the tasks in order.

    By these a run with another sharing scheme, or other tasks, finds what it can start from.
    """
    return {"model": model.state_dict(), "backbone_paths": backbone_paths(model), "tasks": list(model.tasks)}


class _Noting:
    """A file that remembers why it could not be written: torch raises words of its own then."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self._file.flush()


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` so that at any moment either the old or the new file is there, whole."""
    with complete_file(path) as file:
        noting = _Noting(file)
        try:
            torch.save(state, noting)  # type: ignore[arg-type]  # it asks for write and flush alone
        except RuntimeError as error:
            raise noting.error or error from error


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint to the CPU.

    Raises:
        ResumeError: if it is absent or damaged, or holds something else than `network_state` and a position.
    """
    if not path.is_file():
        raise ResumeError(f"no checkpoint {path}")
    try:
        _check_bytes(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise ResumeError(f"{path} is damaged or not a checkpoint of mtlrun ({type(error).__name__})") from error
    _check_content(state, path)
    return state


def _check_bytes(path: Path) -> None:
    """Compare every part of the file with its checksum, which `torch.save` writes and `torch.load` does not read.

    Raises:
        ResumeError: for a wrong one, or a part that would become larger than it is in the file.
    """
    with zipfile.ZipFile(path) as archive:
        if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
            raise ResumeError(f"{path} is no checkpoint of mtlrun: its parts are compressed")
        damaged = archive.testzip()
    if damaged is not None:
        raise ResumeError(f"{path} is damaged: its part {damaged} does not have its checksum")


def _check_content(state: Any, path: Path) -> None:
    """Refuse what is not of the form that `Trainer` saves, or cannot go on: before any of it is used."""
    if not isinstance(state, dict):
        raise ResumeError(f"{path} is no checkpoint of mtlrun: it holds a {type(state).__name__}, no network")
    network = state.get("model")
    if not isinstance(network, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in network.values()):
        raise ResumeError(f"{path} is no checkpoint of mtlrun: it holds no network of a run")
    for name in ("step", "epoch"):
        number = state.get(name)
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number < 2**53:
            raise ResumeError(f"{path} is no checkpoint of mtlrun: its {name} is {_shortened(number)}")
    if not _says_what_it_is_of(state):
        raise ResumeError(f"{path} is no checkpoint of mtlrun: it does not say what its network is made of")
    wrong = next((name for name, tensor in network.items() if not _is_finite(tensor)), None)
    if wrong is not None:
        raise ResumeError(f"{path} cannot be used: the network's {wrong} is not finite")
    if state.get("data") and not is_fingerprint(state["data"]):
        raise ResumeError(f"{path} is no checkpoint of mtlrun: it does not say which data it was trained on")
    if _has_nan(state.get("optimizer")):
        raise ResumeError(f"{path} cannot be used: the optimizer's state is NaN")


def _says_what_it_is_of(state: Mapping[str, Any]) -> bool:
    """Whether tasks and names in the backbone are of the form that `network_state` gives."""
    paths, tasks = state.get("backbone_paths"), state.get("tasks")
    if not isinstance(paths, dict) or not isinstance(tasks, list) or not isinstance(state.get("best", False), bool):
        return False
    return all(isinstance(text, str) for text in (*paths, *paths.values(), *tasks))


def _is_finite(tensor: torch.Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _has_nan(state: object) -> bool:
    """Whether a number in the state is NaN; not infinite: a second moment may have overflown, and training goes on."""
    if isinstance(state, dict | list | tuple):
        return any(map(_has_nan, state.values() if isinstance(state, dict) else state))
    if isinstance(state, torch.Tensor):
        return state.is_floating_point() and bool(state.isnan().any())
    return isinstance(state, float) and math.isnan(state)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
