"""What the machine refuses: a full disk, a folder without permission, too many files, no memory. Imports no torch."""

from __future__ import annotations

import errno

_WORDS = {
    errno.ENOSPC: ("no space left on the disk", "free some"),
    errno.EDQUOT: ("the disk quota is used up", "free some"),
    errno.EFBIG: ("the file would be larger than the system allows", "raise the limit (ulimit -f)"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("permission denied", "make it writable, or choose another folder"),
    errno.EPERM: ("permission denied", "make it writable, or choose another folder"),
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n)"),
    errno.ENFILE: ("too many open files in the whole system", "close some"),
    errno.EEXIST: ("a file is in the way", "choose another folder"),
    errno.ENOTDIR: ("a file is in the way", "choose another folder"),
    errno.EISDIR: ("a folder is in the way", "remove it"),
    errno.ENAMETOOLONG: ("the name is too long", "choose a shorter one"),
    errno.EIO: ("the disk or the network file system failed", "see to it"),
    errno.ESTALE: ("the network file system lost the file", "mount it again"),
}

_NO_MEMORY = (
    "can't allocate memory",
    "cannot allocate memory",
    "not enough memory",
    "out of memory",
    "alloc_failed",
    "storage size calculation overflowed",
)
"""Words of torch, its devices and their libraries for it, in small letters."""


def out_of_memory(error: BaseException) -> bool:
    """Whether torch had no room for a tensor, told by the error's name, as torch is not loaded here."""
    if type(error).__name__ not in ("RuntimeError", "OutOfMemoryError", "AcceleratorError"):
        return False  # of ours, such as the loss of a process, whose words guess at the reason
    return any(words in str(error).lower() for words in _NO_MEMORY)


def trouble(error: BaseException) -> tuple[str, str] | None:
    """What the machine refused, and the remedy; None for any other error."""
    if isinstance(error, MemoryError) or out_of_memory(error):
        return "no memory left", "choose smaller batches or networks"
    if not isinstance(error, OSError) or error.errno not in _WORDS:
        return None
    what, remedy = _WORDS[error.errno]
    place = error.filename2 or error.filename
    return (f"{what}: {place}" if place is not None else what), remedy
