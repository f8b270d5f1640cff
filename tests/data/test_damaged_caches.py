"""Whatever is damaged in a cache is made again; the same damage in a user's file gets one line."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mtlrun.data.array_cache import kept
from mtlrun.data.readers.npz import read_table
from mtlrun.errors import DataError

NUMBERS = np.arange(300.0).reshape(100, 3)
SHAPE = b"(100, 3)"
"""As it stands in the header of a .npy file, followed by blanks."""

HEADERS = {
    "a bracket is lost": b"(100, 3 ",
    "16 TB": b"(2000000000000, 1)",
    "no shape": b"'100, 3'",
    "a negative size": b"(-10, 3)",
    "no text": b"\xff\xfe100, 3)",
}


def damaged(header: bytes) -> bytes:
    """A .npz file whose array has this in place of its shape; its checksum is right."""
    plain, packed = io.BytesIO(), io.BytesIO()
    np.save(plain, NUMBERS)
    blanks = b" " * (len(header) - len(SHAPE))
    content = plain.getvalue().replace(SHAPE + b", }" + blanks, header + b", }")
    assert content != plain.getvalue()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("numbers.npy", content)
        archive.writestr("y.npy", content)
    return packed.getvalue()


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_cache_with_a_damaged_header_is_made_again(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "cache.npz"
    path.write_bytes(damaged(header))
    for _ in range(2):
        made = kept(path, lambda: {"numbers": NUMBERS}, lambda arrays: arrays["numbers"].shape == NUMBERS.shape)
        assert np.array_equal(made["numbers"], NUMBERS)
    assert np.array_equal(np.load(path)["numbers"], NUMBERS)


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_users_file_with_a_damaged_header_gets_one_line(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "mine.npz").write_bytes(damaged(header))
    with pytest.raises(DataError, match=r"array 'numbers' of .* (is damaged|does not fit in memory)") as caught:
        read_table(tmp_path / "mine.npz", "numbers", None)
    assert "\n" not in str(caught.value)
