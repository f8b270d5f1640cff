"""A lock on a folder that the operating system releases when its holder dies, however it dies."""

from __future__ import annotations

import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PATIENCE_SECONDS = 0.5  # someone who merely asks whether the lock is held has it for an instant


class FolderLock:
    """The right to write into a folder, held from `acquire` to `release` or to the end of the process.

    A file system that knows no locks lets everybody in.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".lock"
        self._file: int | None = None

    def acquire(self) -> bool:
        """Whether the lock is ours now; False if another holder (even one in this process) has it."""
        if fcntl is None:
            return True
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        if not _try_exclusive(file):
            os.close(file)
            return False
        self._file = file
        # A forked worker that outlives a killed run must not keep the folder locked.
        os.register_at_fork(after_in_child=lambda: self._forget(file))
        return True

    def release(self) -> None:
        """Give the lock back; the empty file stays, since removing it would let two holders in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _forget(self, file: int) -> None:
        if self._file == file:
            self.release()


def is_held(folder: Path) -> bool | None:
    """Whether a living process holds the folder's lock; None where that cannot be known."""
    if fcntl is None:
        return None
    try:
        file = os.open(folder / ".lock", os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # shared: two who ask do not see each other
        return False
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(file)


def _try_exclusive(file: int) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return True
