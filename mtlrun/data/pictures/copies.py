"""Pictures that lie in two splits, byte by byte: what was trained on is no test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.duplicates import warn_of_shared


def warn_of_copies(paths: Sequence[Path], rows: Mapping[str, Tensor], grouped: bool = False) -> None:
    """Count the pictures of val and test that are in train under another name.

    Args:
        paths: of all pictures.
        rows: of each split.
        grouped: whether the splits keep groups together already.
    """
    warn_of_shared(ids_of_contents(paths), rows, "pictures", "are in train too, byte by byte", grouped)


def ids_of_contents(paths: Sequence[Path]) -> Tensor:
    """A number for each file, int64 [N]: the same for the same bytes. Only files of one length are read."""
    lengths = [path.stat().st_size for path in paths]
    alone = {length for length, count in Counter(lengths).items() if count == 1}
    digests = [_digest(path, length in alone, length) for path, length in zip(paths, lengths)]
    return torch.tensor([int.from_bytes(digest, "little", signed=True) for digest in digests], dtype=torch.int64)


def _digest(path: Path, alone: bool, length: int) -> bytes:
    return blake2b(str(length).encode() if alone else path.read_bytes(), digest_size=8).digest()
