"""Damaged and harmful files: checkpoints, data and YAML, each with a name. Code in one makes a folder."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

State = dict[str, Any]


def _without(key: str) -> Callable[[State], object]:
    return lambda good: {name: value for name, value in good.items() if name != key}


CHECKPOINTS: dict[str, Callable[[State], object]] = {
    "a list": lambda good: [good],
    "a tensor": lambda good: torch.ones(3),
    "no network": _without("model"),
    "no step": _without("step"),
    "no balancer": _without("balancer"),
    "no fingerprint of the network": lambda good: good | {"model": {}},
    "a negative step": lambda good: good | {"step": -1},
    "a huge step": lambda good: good | {"step": 10**12},
    "a step of text": lambda good: good | {"step": "7"},
    "a network of text": lambda good: good | {"model": "weights"},
    "weights that are NaN": lambda good: good | {"model": {name: value * torch.nan for name, value in _model(good)}},
    "weights of another shape": lambda good: good | {"model": {name: value[..., :1] for name, value in _model(good)}},
    "another balancer's state": lambda good: good | {"balancer": {"log_variances": torch.ones(2)}},
    "sizes of no file": lambda good: good | {"recorder": {"sizes": [-1, "x"]}},
    "no data": _without("data"),
    "no tasks": _without("tasks"),
    "tasks of a number": lambda good: good | {"tasks": 7},
    "other tasks": lambda good: good | {"tasks": ["x"]},
    "paths of a number": lambda good: good | {"backbone_paths": 3},
    "a best of a number": lambda good: good | {"best": 3},
    "a part of nobody": lambda good: good | {"strange": 1},
    "an optimizer of a list": lambda good: good | {"optimizer": [1, 2]},
}


def _model(good: State) -> list[tuple[str, torch.Tensor]]:
    return [(name, value.float()) for name, value in good["model"].items()]


class _Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (self.mark,)


def checkpoints(path: Path, mark: Path) -> Iterator[tuple[str, bytes]]:
    """Those of `CHECKPOINTS` first, made from the checkpoint at `path`, then damaged and harmful bytes."""
    original = path.read_bytes()
    good = torch.load(path, weights_only=True)
    for name, make in CHECKPOINTS.items():
        yield name, _saved(make(good))
    tensor = max(good["model"].values(), key=lambda each: each.numel())
    place = original.index(tensor.numpy().tobytes())
    yield "a flipped bit", original[:place] + bytes([original[place] ^ 1]) + original[place + 1 :]
    yield "half of it", original[: len(original) // 2]
    yield "nothing", b""
    yield "text", b"no checkpoint\n" * 10
    yield "code in a pickle", pickle.dumps(_Harm(mark))
    yield "code in a checkpoint", _saved(_Harm(mark))
    yield "a zip bomb", _bomb(original)


def _saved(state: object) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def _bomb(original: bytes) -> bytes:
    """The checkpoint with one member more, of 4 GB of zeros that are compressed to a few MB."""
    file, zeros = io.BytesIO(original), b"\0" * 2**24
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        root = archive.namelist()[0].partition("/")[0]
        with archive.open(f"{root}/data/bomb", "w", force_zip64=True) as member:
            for _ in range(256):
                member.write(zeros)
    return file.getvalue()


def tables(good: bytes, mark: Path) -> Iterator[tuple[str, bytes]]:
    """Data files in place of a good .npz of inputs [300, 6] and labels."""
    inputs, labels = np.zeros((300, 6), np.float32), np.arange(300) % 2
    yield "half of it", good[: len(good) // 2]
    yield "nothing", b""
    yield "text", b"a,b\n1,2\n"
    yield "a flipped bit", good[:300] + bytes([good[300] ^ 1]) + good[301:]
    yield "code in an array", _npz(inputs=inputs, left=np.array([_Harm(mark)] * 300, dtype=object))
    yield "16 TB claimed", _npz_with_header("{'descr': '<f4', 'fortran_order': False, 'shape': (4000000000000,), }")
    yield "a header of code", _npz_with_header("__import__('os').mkdir('pwned')")
    yield "no labels", _npz(inputs=inputs)
    yield "no inputs", _npz(left=labels)
    yield "labels of another length", _npz(inputs=inputs, left=labels[:7])
    yield "inputs that are NaN", _npz(inputs=inputs * np.nan, left=labels)
    yield "one class", _npz(inputs=inputs, left=labels * 0)
    yield "no label", _npz(inputs=inputs, left=labels * 0 - 1)
    yield "one row", _npz(inputs=inputs[:1], left=labels[:1])
    yield "no row", _npz(inputs=inputs[:0], left=labels[:0])
    yield "labels of text", _npz(inputs=inputs, left=labels.astype("U3"))
    yield "a task called all", _npz(inputs=inputs, all=labels)


def _npz(**arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, allow_pickle=True, **arrays)
    return file.getvalue()


def _npz_with_header(header: str) -> bytes:
    text = header.encode() + b" " * (118 - len(header) - 1) + b"\n"
    array = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 64
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("inputs.npy", array)
        archive.writestr("left.npy", array)
    return file.getvalue()


def configurations(mark: Path) -> Iterator[tuple[str, bytes]]:
    """YAML files that are none, unfold without end, or call something."""
    nested = "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12))
    yield "anchors of anchors", f"a0: &a0 [x]\n{nested}".encode()
    yield "an anchor in itself", b"a: &a [*a]\n"
    yield "binary", bytes(range(256))
    yield "cut off", b"_target_: [\nlr: 1"
    yield "a call", f"!!python/object/apply:os.mkdir ['{mark}']\n".encode()
    yield (
        "a call inside",
        f"_target_: mtlrun.balancers.equal.Equal\nx: !!python/object/apply:os.mkdir ['{mark}']".encode(),
    )
    yield "deep", b"[" * 5000 + b"]" * 5000
    yield "a list", b"- 1\n- 2\n"
    yield "a text", b"hello\n"
    yield "a function that deletes", b"_target_: shutil.rmtree\npath: table.npz\n"
