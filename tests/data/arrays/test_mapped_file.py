"""Rows of a mapped file are those of the array, in whatever order and layout it was saved."""

import numpy as np
import pytest

from mtlrun.data.arrays.mapped_file import MappedFile

VALUES = np.arange(3000 * 7, dtype=np.float32).reshape(3000, 7)


@pytest.mark.parametrize(
    "values", [VALUES, np.asfortranarray(VALUES), VALUES[:, :0], VALUES[:0], VALUES.reshape(-1, 7, 1)]
)
def test_rows_and_stretches(tmp_path, values):
    np.save(tmp_path / "x.npy", values)
    file = MappedFile(tmp_path / "x.npy")
    assert len(file) == len(values)
    rows = np.array([2999, 0, 1023, 1024, 0]) if len(values) else np.zeros(0, np.int64)
    np.testing.assert_array_equal(file.rows(rows), values[rows])
    np.testing.assert_array_equal(file.stretch(1000, 4000), values[1000:4000])


def test_the_system_is_told_what_will_be_read(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", VALUES)
    file, told = MappedFile(tmp_path / "x.npy"), []
    if file._map is None:
        pytest.skip("this system takes no advice")

    class Told:
        def madvise(self, advice, start, length):
            told.append((start, length))

    monkeypatch.setattr(file, "_map", Told())
    file.rows(np.array([0, 2000]))
    file.stretch(1, 3)
    first = 128  # bytes of the header
    begins = [first, first + 2000 * 28, first + 28]
    assert [start % 4096 for start, _ in told] == [0, 0, 0]
    assert all(start <= begin for (start, _), begin in zip(told, begins))
    ends = [begins[0] + 28, begins[1] + 28, begins[2] + 56]
    assert [start + length for start, length in told] == ends
