"""JSON files that are whole at every moment and hold plain values only."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Set
from enum import Enum
from pathlib import Path
from typing import Any

from mtlrun.atomic import complete_file


def plain(value: Any) -> Any:
    """`value` in JSON's own types: NaN and infinity become None, arrays and 0-d tensors lists and numbers.

    Raises:
        TypeError: for an object that has no plain form.
    """
    if value is None or isinstance(value, bool | int | str):
        return value.value if isinstance(value, Enum) else value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):  # numpy and torch, without importing either
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(entry) for key, entry in value.items()}
    return _plain_object(value)


def _plain_object(value: Any) -> Any:
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Set):
        return sorted(map(plain, value))
    if hasattr(value, "__iter__") and not isinstance(value, bytes):
        return [plain(entry) for entry in value]
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file in one move, so that a reader, or a power cut, finds the old text or the new."""
    text = json.dumps(plain(content), indent=2, allow_nan=False, ensure_ascii=False)
    with complete_file(path) as file:
        file.write(f"{text}\n".encode())


def overwrite_json(path: Path, content: Mapping[str, Any]) -> None:
    """The same in the file's own place, for a full disk; a reader in between may find half of it."""
    text = json.dumps(plain(content), allow_nan=False, ensure_ascii=False)
    with path.open("r+b") as file:
        file.write(f"{text}\n".encode())
        file.truncate()


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None where the file is absent, unreadable or not a whole JSON object."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
