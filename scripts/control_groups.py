"""A control group of Linux that limits the memory of the processes in it, page cache included; versions 1 and 2."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

ROOT = Path("/sys/fs/cgroup")
MB = 2**20
ENTER = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
"""For sh: the process becomes one of the group before it becomes the command."""


class NoControlGroup(Exception):
    """Says why there is none."""


class ControlGroup:
    """A group of its own, gone at the end.

    Args:
        limit: of its memory, in MB.

    Raises:
        NoControlGroup: if the system has none, or lets nobody make one.
    """

    def __init__(self, limit: int) -> None:
        first = (ROOT / "memory" / "memory.limit_in_bytes").exists()
        if not first and not (ROOT / "cgroup.controllers").exists():
            raise NoControlGroup(f"{ROOT} has no control groups for memory (Linux alone has them)")
        above, name = (ROOT / "memory", "memory.limit_in_bytes") if first else (ROOT, "memory.max")
        self._folder = above / f"large-data-{os.getpid()}"
        self._peak = "memory.max_usage_in_bytes" if first else "memory.peak"
        try:
            if not first:
                (above / "cgroup.subtree_control").write_text("+memory")
            self._folder.mkdir()
            (self._folder / name).write_text(str(limit * MB))
        except OSError as error:
            self.close()
            raise NoControlGroup(f"no control group can be made ({error}): it takes root") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def command(self, words: Sequence[str]) -> list[str]:
        """The same command, run in the group."""
        return ["sh", "-c", ENTER, str(self._folder), *words]

    def peak(self) -> float:
        """The most memory that the group has had, with what the system kept of files, in MB."""
        return int((self._folder / self._peak).read_text()) / MB

    def close(self) -> None:
        """Take it away; its processes have ended."""
        if self._folder.is_dir():
            self._folder.rmdir()
