"""Files and folders that are whole at every moment: the one place where a file is replaced. Imports nothing of ours."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from uuid import uuid4

UNFINISHED = ".*.tmp"
"""Pattern of the names of files that are being written."""


@contextmanager
def complete_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which appears under its name only when the block has ended without an error.

    A reader, or whoever looks after a power cut, finds the old content or the new. The file has the permissions of any
    new file, so that others can share it: those of `tempfile` are the owner's alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with unfinished.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # else the new name could reach the disk before the content
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):  # the first error says more
            unfinished.unlink(missing_ok=True)
        raise


@contextmanager
def whole_folder(folder: Path, outdated: Collection[str] = ()) -> Iterator[Path]:
    """A folder to write into, whose files appear in `folder` only when the block has ended without an error.

    Until then nothing is made there, no folder above it either.

    Args:
        folder: where the files go.
        outdated: names of older files that go away beside new ones, unless they are written anew.
    """
    folder = folder.absolute()
    above = next(path for path in (folder, *folder.parents) if path.is_dir())
    unfinished = above / f".{folder.name}.{uuid4().hex}.tmp"
    unfinished.mkdir()
    try:
        yield unfinished
        made = [path.relative_to(unfinished) for path in sorted(unfinished.rglob("*")) if path.is_file()]
        for file in made:
            to = folder / file
            to.parent.mkdir(parents=True, exist_ok=True)
            os.replace(unfinished / file, to)
        beside = {above / name for above in {file.parent for file in made} for name in outdated}
        for file in beside.difference(made):
            (folder / file).unlink(missing_ok=True)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
