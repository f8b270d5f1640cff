"""A lock on a folder that the operating system releases when its holder dies, however it dies."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_PATIENCE_SECONDS = 0.5  # someone who merely asks whether the lock is held has it for an instant
_held: set[FolderLock] = set()  # a lock that nobody refers to any more would be released


class FolderLock:
    """The right to write into a folder, held from `acquire` to `release` or to the end of the process.

    `filelock` takes it with flock, so `kill -9` frees it, and a forked worker that outlives a killed run does not keep
    it. On NFS that works where the mount passes locks on (`local_lock=none`, the default). A file system that knows no
    locks lets everybody in: a marker file in their place would outlive a killed run.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = FileLock(
            folder / ".lock", _PATIENCE_SECONDS, mode=0o666, thread_local=False, fallback_to_soft=False
        )

    def acquire(self) -> bool:
        """Whether the lock is ours now; False if another holder (even one in this process) has it."""
        try:
            self._lock.acquire(poll_interval=0.02)
        except Timeout:
            return False
        except (OSError, NotImplementedError):  # a file system without locks
            return True
        _held.add(self)
        return True

    def release(self) -> None:
        """Give the lock back; the empty file stays, since removing it would let two holders in."""
        self._lock.release()
        _held.discard(self)


def is_held(folder: Path) -> bool | None:
    """Whether a living process holds the folder's lock; None where that cannot be known.

    Only asks: `filelock` would have to take the lock, and to write into a folder that may be somebody else's.
    """
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
