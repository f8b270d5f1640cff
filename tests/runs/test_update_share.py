import numpy as np
import pytest

from mtlrun.runs.update_share import update_share


@pytest.mark.parametrize("tasks", [1, 2, 5, 40])
def test_shares_are_projections_on_the_update(tasks):
    draw = np.random.default_rng(tasks)
    gradients_TP, weights_T = draw.normal(size=(tasks, 64)), draw.uniform(0.1, 2, tasks)
    norms_T = np.linalg.norm(gradients_TP, axis=1)
    cosines_TT = gradients_TP @ gradients_TP.T / np.outer(norms_T, norms_T)
    update_P = weights_T @ gradients_TP
    expected = weights_T * (gradients_TP @ update_P) / (update_P @ update_P)
    found = update_share(weights_T, norms_T, cosines_TT)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert found.sum() == pytest.approx(1)


def test_a_task_that_the_update_goes_against_has_a_negative_share():
    shares = update_share(np.ones(2), np.array([3.0, 1.0]), np.array([[1.0, -1.0], [-1.0, 1.0]]))
    np.testing.assert_allclose(shares, [1.5, -0.5])


@pytest.mark.parametrize(
    ("weights", "cosine"),
    [([1.0, np.nan], 0.5), ([1.0, 1.0], np.nan), ([0.0, 0.0], 0.5), ([1.0, 1.0], -1.0), ([1.0, 1.0], -1 + 1e-7)],
)
def test_no_update_or_unknown_values_give_no_share(weights, cosine):
    cosines_TT = np.array([[1.0, cosine], [cosine, 1.0]])
    before = cosines_TT.copy()
    assert np.isnan(update_share(np.array(weights), np.ones(2), cosines_TT)).all()
    np.testing.assert_array_equal(cosines_TT, before)  # the argument is left alone
