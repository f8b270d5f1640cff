from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest

from mtlrun.atomic import complete_file
from mtlrun.data.array_cache import SAME, code_version, kept


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


CACHED = ("drawn.road", "drawn.animals", "drawn.chest", "readers.molecules")
"""Packages whose arrays are kept on disk."""


def package(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> str:
    """The name of a new package with one module."""
    name = f"package_{uuid4().hex}"
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text("")
    (folder / name / "module.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    return name


def test_imports_do_not_count_as_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = ("from a.b import c\n", "import a\nfrom d import (\n    b,\n    c,\n)\n")
    one, moved = (code_version(package(tmp_path, monkeypatch, head + "x = 1\n")) for head in heads)
    changed = code_version(package(tmp_path, monkeypatch, heads[0] + "x = 2\n"))
    assert one == moved != changed


def test_code_that_was_only_moved_has_the_version_of_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = code_version(package(tmp_path, monkeypatch, "x = 1\n"))
    monkeypatch.setitem(SAME, digest, "before")
    assert code_version(package(tmp_path, monkeypatch, "x = 1\n")) == "before"


def test_nothing_is_said_to_be_the_same_that_has_changed_since() -> None:
    """If not, a package's code was changed: take its line out of SAME, or renew it if the arrays are the same."""
    assert {*SAME.values()} <= {code_version(f"mtlrun.data.{name}") for name in CACHED}
