import pytest
import torch

from mtlrun.linalg.simplex import project_simplex


def values(size, seed, spread=1.0):
    return spread * torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        ([1.0, 1.0], [0.5, 0.5]),
        ([3.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
        ([0.5, 0.5, -1.0], [0.5, 0.5, 0.0]),
        ([0.8, 0.6, 0.1], [0.6, 0.4, 0.0]),
        ([-7.0], [1.0]),
    ],
)
def test_by_hand(point, nearest):
    assert project_simplex(torch.tensor(point, dtype=torch.float64)).tolist() == pytest.approx(nearest)


@pytest.mark.parametrize("size", [1, 2, 7, 40])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e6])
def test_conditions_of_the_projection(size, spread):
    """It lies on the simplex, and values - projection is the same where it is positive and no larger elsewhere."""
    for seed in range(10):
        point = values(size, seed, spread)
        nearest = project_simplex(point)
        rest = point - nearest
        assert nearest.min() >= 0
        assert nearest.sum() == pytest.approx(1.0, abs=1e-12)
        torch.testing.assert_close(
            rest[nearest > 0], rest.max().expand(int((nearest > 0).sum())), atol=1e-9, rtol=1e-12
        )


def test_only_differences_matter_and_the_order_does_not():
    point, order = values(9, 3), torch.randperm(9, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(project_simplex(point + 1e6), project_simplex(point), atol=1e-9, rtol=0)
    # sorts before it sums: the same bits in any order
    assert torch.equal(project_simplex(point[order]), project_simplex(point)[order])


def test_enormous_values_give_no_nan():
    point = torch.tensor([-1e308, 1e308, 1e308], dtype=torch.float64)
    assert project_simplex(point).tolist() == [0.0, 0.5, 0.5]


def test_keeps_the_dtype():
    assert project_simplex(torch.tensor([2.0, 1.0])).dtype == torch.float32
