import gzip
import struct

import numpy as np
import pytest

from mtlrun.data.readers.idx import read_idx
from mtlrun.errors import DataError


def idx_bytes(values: np.ndarray, type_code: int = 0x08) -> bytes:
    return struct.pack(f">BBBB{values.ndim}I", 0, 0, type_code, values.ndim, *values.shape) + values.tobytes()


CUBE = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
GOOD = idx_bytes(CUBE)


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzipped"])
@pytest.mark.parametrize("name", ["images", "images.gz"])
def test_reads_back_what_was_written_whatever_the_name(tmp_path, pack, name):
    (tmp_path / name).write_bytes(pack(GOOD))
    assert np.array_equal(read_idx(tmp_path / name, num_dims=3), CUBE)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "no IDX file"),
        (b"PK\x03\x04 something else", "no IDX file"),
        (GOOD[:10], "truncated: it ends within its header"),
        (GOOD[:-1], "truncated: its header says 2 x 3 x 4 = 24 bytes, found 23"),
        (GOOD + b"\0", "too long: its header says 2 x 3 x 4 = 24 bytes, found 25"),
        (idx_bytes(CUBE.astype(">i4"), type_code=0x0C), "found type 0x0c"),
        (idx_bytes(CUBE[0]), "with 2 dimensions"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "truncated"),
        (gzip.compress(GOOD, mtime=0)[:-9], "damaged gzip"),
        (gzip.compress(GOOD, mtime=0)[:15] + b"\xff" * 20, "damaged gzip"),
    ],
)
def test_malformed_files_are_named_with_their_problem(tmp_path, content, problem):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=problem) as caught:
        read_idx(path, num_dims=3)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(DataError, match="cannot read"):
        read_idx(tmp_path, num_dims=3)
