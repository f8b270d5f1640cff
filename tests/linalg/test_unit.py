import numpy as np
import pytest

from mtlrun.linalg.unit import row_lengths, spectrum, unit_rows, vector_length


def test_by_hand():
    """Rows (3, 0), (0, 0), (3, 4): lengths 3 and 5, cosine 9 / 15."""
    jacobian = np.array([[3.0, 0.0], [0.0, 0.0], [3.0, 4.0]])
    rows = unit_rows(jacobian @ jacobian.T)
    assert rows.live.tolist() == [True, False, True]
    assert rows.lengths.tolist() == [3.0, 5.0]
    np.testing.assert_allclose(rows.gram, [[1.0, 0.6], [0.6, 1.0]], rtol=1e-14)
    assert rows.spread(np.array([7.0, 8.0])).tolist() == [7.0, 0.0, 8.0]


def test_lengths_do_not_matter():
    jacobian = np.random.default_rng(0).standard_normal((4, 9))
    scaled = jacobian * np.array([[1e-6], [1.0], [1e6], [1e-3]])
    np.testing.assert_allclose(unit_rows(scaled @ scaled.T).gram, unit_rows(jacobian @ jacobian.T).gram, atol=1e-15)


def test_no_live_row():
    rows = unit_rows(np.zeros((2, 2)))
    assert rows.lengths.shape == (0,)
    assert rows.spread(rows.lengths).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_null_space_of_dependent_rows(dtype):
    """Rounding of the rows to float32 does not hide that the third is a combination of the others."""
    jacobian = np.random.default_rng(1).standard_normal((4, 50))
    jacobian[2] = 0.3 * jacobian[0] - 2 * jacobian[1]
    jacobian = jacobian.astype(dtype).astype(np.float64)
    unit = unit_rows(jacobian @ jacobian.T).gram
    parts = spectrum(unit)
    assert parts.null.shape == (4, 1)
    assert np.abs(unit @ parts.null).max() < 1e-13
    np.testing.assert_allclose(parts.vectors * parts.values @ parts.vectors.T, unit, atol=1e-13)


def test_lengths_are_those_of_numpy():
    rows = np.random.default_rng(0).standard_normal((5, 7)) * np.array([[1e-9], [1.0], [1e9], [0.0], [3.0]])
    np.testing.assert_allclose(row_lengths(rows), np.linalg.norm(rows, axis=1), rtol=1e-14)
    assert [vector_length(row) for row in rows] == pytest.approx([*np.linalg.norm(rows, axis=1)], rel=1e-14)
