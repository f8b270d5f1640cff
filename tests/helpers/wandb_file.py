"""What W&B writes offline, read back: a log of records in blocks, as LevelDB keeps one, each a message of W&B's own."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_FILE_HEADER = 7
_HEADER = struct.Struct("<IHB")  # checksum, length, kind: 1 whole, 2 first, 3 middle, 4 last
_LAST = (1, 4)


class WandbFile:
    """All of one `run-ID.wandb`.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        from wandb.proto.wandb_internal_pb2 import Record

        self.records = [Record.FromString(content) for content in _contents(path.read_bytes())]

    @property
    def run(self) -> Any:
        """The record of the run: project, group, job type, id, name."""
        return next(record.run for record in self.records if record.HasField("run"))

    @property
    def config(self) -> dict[str, Any]:
        """Settings by their first key."""
        return {entry.key: json.loads(entry.value_json) for entry in self.run.config.update}

    def history(self, name: str) -> list[tuple[int, Any]]:
        """(step, value) of each figure of that name."""
        rows = [_items(record.history.item) for record in self.records if record.HasField("history")]
        return [(row["step"], row[name]) for row in rows if name in row]

    @property
    def summary(self) -> dict[str, Any]:
        """The last value of each key."""
        found: dict[str, Any] = {}
        for record in self.records:
            found |= _items(record.summary.update) if record.HasField("summary") else {}
        return found

    @property
    def artifacts(self) -> list[tuple[str, list[str]]]:
        """(type, aliases) of each."""
        kept = [record.artifact for record in self.records if record.HasField("artifact")]
        return [(artifact.type, [*artifact.aliases]) for artifact in kept]

    @property
    def exit_code(self) -> int:
        """Of the end."""
        return next(record.exit.exit_code for record in self.records if record.HasField("exit"))


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _contents(data: bytes) -> Iterator[bytes]:
    place, content = _FILE_HEADER, b""
    while place + _HEADER.size <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEADER.size:
            place += left
            continue
        _, length, kind = _HEADER.unpack_from(data, place)
        place += _HEADER.size
        content += data[place : place + length]
        place += length
        if kind in _LAST:
            yield content
            content = b""
