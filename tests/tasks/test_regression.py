import math

import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score
from torch.nn.functional import huber_loss, l1_loss, mse_loss

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.regression import Regression

NAN = math.nan


def scores(task: Regression, output: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    metrics = task.make_metrics()
    for part in (slice(0, 2), slice(2, None)):
        task.update_metrics(metrics, output[part], target[part])
    return compute_metrics(metrics)


@pytest.mark.parametrize(("name", "function"), [("mse", mse_loss), ("l1", l1_loss), ("huber", huber_loss)])
def test_loss_agrees_with_torch(name: str, function: object) -> None:
    output, target = torch.randn(6, 3) * 3, torch.randn(6, 3)
    expected = function(output, target, reduction="none").mean(1)  # type: ignore[operator]
    task = Regression("t", 3, standardise=False, loss=name)
    torch.testing.assert_close(task.losses(output, target), expected)


def test_loss_is_taken_on_standardised_labels() -> None:
    task = Regression("t")
    task.fit(torch.tensor([10.0, 30.0, NAN]))  # mean 20, deviation 10
    losses = task.losses(torch.tensor([[0.0], [0.5]]), torch.tensor([40.0, 25.0]))
    torch.testing.assert_close(losses, torch.tensor([4.0, 0.0]))


def test_unknown_entries_do_not_count() -> None:
    output = torch.tensor([[1.0, 9.0], [3.0, 0.0]], requires_grad=True)
    losses = Regression("t", 2).losses(output, torch.tensor([[3.0, NAN], [NAN, NAN]]))
    torch.testing.assert_close(losses, torch.tensor([4.0, 0.0]))
    losses.sum().backward()
    assert output.grad is not None
    torch.testing.assert_close(output.grad, torch.tensor([[-4.0, 0.0], [0.0, 0.0]]))


def test_a_user_loss_sees_standardised_rows() -> None:
    task = Regression("t", loss=lambda output, target: (output - target).abs())
    task.fit(torch.tensor([10, 30]))
    torch.testing.assert_close(task.losses(torch.tensor([[0.0]]), torch.tensor([40])), torch.tensor([2.0]))


@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
@pytest.mark.parametrize("standardise", [True, False])
def test_metrics_in_the_original_unit_agree_with_scikit_learn(shape: tuple[int, ...], standardise: bool) -> None:
    width = shape[1] if len(shape) > 1 else 1
    target = torch.randn(shape) * 12 + 40
    task = Regression("t", width, standardise=standardise)
    task.fit(target)
    guess = target + torch.randn(shape) * 3
    output = guess.reshape(50, width)
    if standardise:
        output = (output - task.mean) / task.deviation
    expected = {
        "mae": mean_absolute_error(target, guess),
        "rmse": (mean_squared_error(target, guess, multioutput="raw_values") ** 0.5).mean(),
        "r2": r2_score(target, guess),
    }
    assert scores(task, output, target) == pytest.approx(expected, rel=1e-4)


def test_metrics_leave_out_unknown_entries() -> None:
    target = torch.tensor([[1.0, NAN], [2.0, 0.0], [NAN, 4.0], [4.0, NAN]])
    output = torch.tensor([[2.0, 7.0], [2.0, 1.0], [9.0, 2.0], [4.0, 7.0]])
    found = scores(Regression("t", 2, standardise=False), output, target)
    assert found["mae"] == pytest.approx((1 / 3 + 3 / 2) / 2)
    assert found["rmse"] == pytest.approx(((1 / 3) ** 0.5 + 2.5**0.5) / 2)
    assert found["r2"] == pytest.approx(((1 - 1 / (14 / 3)) + (1 - 5 / 8)) / 2, rel=1e-5)


def test_r2_keeps_its_digits_where_the_mean_is_large() -> None:
    target = 1e6 + torch.randn(1000, dtype=torch.float64)
    task = Regression("t")
    task.fit(target)
    output = ((target + 0.5 - task.mean) / task.deviation).float().unsqueeze(1)
    assert scores(task, output, target)["r2"] == pytest.approx(0.75, abs=0.05)


def test_r2_of_one_row_is_nan() -> None:
    found = scores(Regression("t"), torch.tensor([[1.0]]), torch.tensor([2.0]))
    assert math.isnan(found["r2"])
    assert found["mae"] == 1


def test_constant_labels_are_not_divided_by_zero() -> None:
    task = Regression("t")
    task.fit(torch.full((5,), 0.1))
    assert task.losses(torch.zeros(1, 1), torch.tensor([1.1])).item() == pytest.approx(1)


@pytest.mark.parametrize(("judge", "higher"), [("mae", False), ("rmse", False), ("r2", True)])
def test_direction(judge: str, higher: bool) -> None:
    assert Regression("t", judge=judge).higher_is_better() is higher


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outputs": 0}, "outputs of task 't' must be a whole number of at least 1, found 0"),
        ({"loss": "msee"}, "no loss for task 't' 'msee'; did you mean 'mse'?"),
        ({"judge": "accuracy"}, "there are: mae, rmse, r2"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Regression("t", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.zeros(4), "must have shape [N, 2], found (4,)"),
        (torch.tensor([[1.0, math.inf]]), "must be finite, or NaN for not known"),
    ],
)
def test_bad_labels(target: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError) as error:
        Regression("t", 2).check(target)
    assert message in str(error.value)


def test_given_statistics_stand_in_for_those_of_the_labels():
    task = Regression("t", statistics=[2.0, 4.0])
    task.fit(torch.tensor([100.0, 300.0]))
    torch.testing.assert_close(task.losses(torch.tensor([[0.5]]), torch.tensor([6.0])), torch.tensor([0.25]))
    assert task.predict(torch.tensor([[0.5]])).item() == 4
    with pytest.raises(ConfigError, match=r"must be \[mean, deviation\] with a deviation > 0"):
        Regression("t", statistics=[2.0, 0.0])


def test_cells_name_the_unit():
    assert Regression("weight", unit="kg").cells(torch.tensor([1.5])) == {"kg": 1.5}
    assert Regression("size", outputs=2, unit="m").cells(torch.tensor([1.0, 2.0])) == {"1_m": 1.0, "2_m": 2.0}
    assert Regression("size").reading() == {}


def test_constants_come_back_exactly():
    """Also those of targets that float32 would round."""
    for targets in (torch.tensor([1.0, 2.5, 4.1]), torch.tensor([1.7e9, 1.7e9 + 1, 1.7e9 + 5], dtype=torch.float64)):
        fitted, fresh = Regression("time"), Regression("time")
        fitted.fit(targets)
        fresh.set_constants(fitted.constants())
        assert torch.equal(fresh.predict(torch.ones(1, 1)), fitted.predict(torch.ones(1, 1)))
