"""What an error inside a part of the user's says: class, method, cause, and the line of the file. Imports no torch."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from traceback import walk_tb
from types import FrameType

from mtlrun.errors import ConfigError, MtlrunError, NonFiniteError
from mtlrun.troubles import out_of_memory

_OURS = Path(__file__).parent
_PYTHON = Path(sysconfig.get_path("stdlib"))
_KINDS = ("mtlrun.", "torch.")
"""A part is a subclass of one of these packages' classes."""


def cause(error: BaseException) -> str:
    """The error's kind and words, and the line of the user's file that raised it."""
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, SyntaxError):
        return words  # which names file and line
    places = [(Path(frame.f_code.co_filename).name, line) for frame, line in _users_frames(error)]
    return "{} ({}, line {})".format(words, *places[-1]) if places else words


def failed_part(error: BaseException) -> str | None:
    """'Mine.weights() failed: ZeroDivisionError: division by zero (mine.py, line 7)'; None if no part of the user's
    took part in it."""
    named = [name for frame, _ in _users_frames(error) if (name := _method(frame)) is not None]
    return f"{named[-1]}() failed: {cause(error)}" if named else None


@contextmanager
def blaming_parts() -> Iterator[None]:
    """What a part of the user's raises in here, where nothing is trained yet, is a mistake in its file.

    Raises:
        ConfigError: the line of `failed_part`.
    """
    try:
        yield
    except (MtlrunError, NonFiniteError, MemoryError):
        raise
    except Exception as error:
        line = None if out_of_memory(error) else failed_part(error)
        if line is None:
            raise
        raise ConfigError(line) from error


def _users_frames(error: BaseException) -> list[tuple[FrameType, int]]:
    """Those of files that are neither ours, nor Python's, nor an installed package's; the innermost last."""
    return [(frame, line) for frame, line in walk_tb(error.__traceback__) if _is_users(frame.f_code.co_filename)]


def _is_users(file: str) -> bool:
    path = Path(file)
    if path.suffix != ".py" or {"site-packages", "dist-packages"} & {*path.parts}:
        return False
    return not {_OURS, _PYTHON} & {*path.parents} and path.is_file()


def _method(frame: FrameType) -> str | None:
    """'Mine.weights' for the frame of a method of a part."""
    kind = type(frame.f_locals.get("self"))
    if kind.__module__.startswith(_KINDS) or not any(base.__module__.startswith(_KINDS) for base in kind.__mro__):
        return None
    return f"{kind.__name__}.{frame.f_code.co_name}"
