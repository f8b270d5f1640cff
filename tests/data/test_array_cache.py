from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mtlrun.atomic import complete_file
from mtlrun.data.array_cache import kept


@pytest.fixture
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077], indirect=True)
def test_others_may_read_the_cache_as_they_may_read_any_new_file(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "cache" / "numbers.npz"
    kept(path, lambda: {"numbers": np.arange(3)}, lambda arrays: True)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    with complete_file(path) as file:
        file.write(b"half")
        assert not path.exists()
        file.write(b" and half")
    assert path.read_bytes() == b"half and half"
    assert [*path.parent.iterdir()] == [path]


def test_a_file_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), complete_file(path) as file:
        file.write("no bytes")  # type: ignore[arg-type]
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_bytes() == b"old"
