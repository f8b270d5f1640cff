import numpy as np
import pytest

from mtlrun.linalg.fair import fair_solution

POWERS = [0.1, 0.5, 1.0, 2.0, 10.0]


def rows(tasks, parameters, seed=0, conflict=0.0, decades=0):
    """Random gradients [T, P]; `conflict` takes part of the mean off, `decades` spreads the lengths both ways."""
    generator = np.random.default_rng(seed)
    jacobian = generator.standard_normal((tasks, parameters))
    jacobian -= conflict * jacobian.mean(0)
    return jacobian * 10.0 ** generator.uniform(-decades, decades, (tasks, 1))


def assert_solves(jacobian, power, weights):
    """G w = w^(-power) to 1e-12, or to the rounding of G w where its terms cancel."""
    gram = jacobian @ jacobian.T
    wanted = weights**-power
    allowed = np.maximum(1e-12 * wanted, 1e-14 * (np.abs(gram) @ weights))
    assert (weights > 0).all()
    assert (np.abs(gram @ weights - wanted) <= allowed).all()


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize(("tasks", "parameters"), [(1, 3), (2, 5), (3, 50), (10, 12), (40, 60)])
@pytest.mark.parametrize("conflict", [0.0, 0.9])
def test_equation(power, tasks, parameters, conflict):
    jacobian = rows(tasks, parameters, conflict=conflict)
    assert_solves(jacobian, power, fair_solution(jacobian @ jacobian.T, power).weights)


@pytest.mark.parametrize("power", POWERS)
@pytest.mark.parametrize("seed", range(3))
def test_equation_with_lengths_from_1e_6_to_1e6(power, seed):
    jacobian = rows(6, 20, seed, conflict=0.9, decades=6)
    assert_solves(jacobian, power, fair_solution(jacobian @ jacobian.T, power).weights)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_nearly_opposite_rows(power):
    """1 + cos = 5e-9: far from singular, though the weights are large."""
    jacobian = np.array([[1.0, 0.0], [-1.0, 1e-4]])
    assert_solves(jacobian, power, fair_solution(jacobian @ jacobian.T, power).weights)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_duplicates_share_equally(power):
    jacobian = rows(4, 9)[[0, 1, 1, 2, 3]]
    weights = fair_solution(jacobian @ jacobian.T, power).weights
    assert_solves(jacobian, power, weights)
    assert weights[1] == pytest.approx(weights[2], rel=1e-12)


def test_zero_rows_take_no_part():
    jacobian = rows(4, 9)
    with_zero = np.insert(jacobian, 2, 0.0, axis=0)
    weights = fair_solution(with_zero @ with_zero.T, 1.0).weights
    assert weights[2] == 0
    np.testing.assert_allclose(np.delete(weights, 2), fair_solution(jacobian @ jacobian.T, 1.0).weights, rtol=1e-12)
    assert fair_solution(np.zeros((3, 3)), 1.0).weights.tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_rows_that_cancel_leave_the_others_their_bargain(power):
    """The first three rows add up to zero; the fourth, orthogonal to them, gets what it would alone."""
    jacobian = np.array([[1.0, 0, 0], [-0.5, 1, 0], [-0.5, -1, 0], [0, 0, 2]])
    weights = fair_solution(jacobian @ jacobian.T, power).weights
    alone = fair_solution(jacobian[3:] @ jacobian[3:].T, power).weights
    assert np.isfinite(weights).all()
    np.testing.assert_allclose(weights @ jacobian, [0, 0, alone[0] * 2], atol=2e-2)
    assert weights.max() < 1e5


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_more_rows_than_dimensions(power):
    jacobian = rows(12, 3, seed=2)  # in every direction: some combination is zero
    weights = fair_solution(jacobian @ jacobian.T, power).weights
    assert np.isfinite(weights).all()
    assert (weights > 0).all()
    sizes = weights * np.linalg.norm(jacobian, axis=1)
    assert np.linalg.norm(weights @ jacobian) < 1e-2 * sizes.max()


@pytest.mark.parametrize(("tasks", "cosine"), [(2, -0.9995), (2, -0.5), (2, 0.0), (2, 0.9999), (3, -0.49), (5, 0.3)])
def test_rows_at_equal_angles_in_closed_form(tasks, cosine):
    """With power 1, w_i n_i = 1 / sqrt(1 + (T - 1) cos) for all: on both sides of where a stationary point is looked
    for."""
    lengths = np.geomspace(1e-3, 1e3, tasks)
    unit = np.full((tasks, tasks), cosine) + (1 - cosine) * np.eye(tasks)
    found = fair_solution(lengths[:, None] * unit * lengths, 1.0)
    assert not found.guarded
    np.testing.assert_allclose(found.weights * lengths, (1 + (tasks - 1) * cosine) ** -0.5, rtol=1e-11)
