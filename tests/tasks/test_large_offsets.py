"""Numbers that vary little around a large one: times in seconds, identifiers of places, pressures in pascal."""

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from mtlrun.config.build_data import build_data
from mtlrun.config.compose import compose
from mtlrun.linalg.precision import needs_double
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.measurement import Measurement
from mtlrun.tasks.regression import Regression

NOW = 1.7e9
NAN = float("nan")


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        (torch.linspace(-3, 3, 50, dtype=torch.float64), False),
        (torch.linspace(-3, 3, 50, dtype=torch.float64) + 100, False),
        (torch.linspace(-3, 3, 50, dtype=torch.float64) + 1e5, True),
        (torch.tensor([NAN, NOW, NOW + 1], dtype=torch.float64), True),
        (torch.tensor([[0.0, NOW], [1.0, NOW + 1]], dtype=torch.float64), True),
        (torch.linspace(-3, 3, 50) + 1e9, False),  # float32 has lost them already
        (torch.arange(100) + 1_700_000_000, True),
        (torch.arange(100), False),
        (torch.full((5,), 0.1, dtype=torch.float64), True),
        (torch.tensor([NAN, NAN], dtype=torch.float64), False),
    ],
)
def test_float32_is_enough_unless_it_rounds_what_varies(values: torch.Tensor, needed: bool) -> None:
    assert needs_double(values) is needed


def scores(task: Regression, output: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    metrics = task.make_metrics()
    for part in (slice(0, 17), slice(17, None)):
        task.update_metrics(metrics, output[part], target[part])
    return compute_metrics(metrics)


@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("kind", [Regression, Measurement])
@pytest.mark.parametrize("offset", [0.0, 1e9, -NOW])
def test_an_offset_changes_neither_loss_nor_scores(kind: type[Regression], width: int, offset: float) -> None:
    small = torch.randn(50, width, dtype=torch.float64) * 3
    output = torch.randn(50, width)
    plain, moved = kind("t", width), kind("t", width)
    plain.fit(small), moved.fit(small + offset)
    torch.testing.assert_close(
        moved.losses(output, small + offset).float(), plain.losses(output, small).float(), rtol=1e-4, atol=1e-4
    )
    guess = (output.double() * moved.deviation + moved.mean).numpy()
    truth = (small + offset).numpy()
    expected = {
        "mae": mean_absolute_error(truth, guess),
        "rmse": (mean_squared_error(truth, guess, multioutput="raw_values") ** 0.5).mean(),
        "r2": r2_score(truth, guess),
    }
    assert scores(moved, output, small + offset) == pytest.approx(expected, rel=1e-4)


def test_losses_are_float32_and_predictions_are_not() -> None:
    target = torch.arange(10, dtype=torch.float64) + NOW
    task = Regression("t")
    task.fit(target)
    output = torch.zeros(10, 1, requires_grad=True)
    losses = task.losses(output, target)
    losses.sum().backward()
    assert losses.dtype == torch.float32
    assert output.grad is not None
    torch.testing.assert_close(task.predict(output[:1]), torch.full((1, 1), NOW + 4.5, dtype=torch.float64))


def test_whole_numbers_of_a_source_of_ones_own_are_not_rounded_either() -> None:
    target = torch.arange(100) + 1_700_000_000
    task = Regression("t")
    task.fit(target)
    perfect = ((target.double() - task.mean) / task.deviation).float().unsqueeze(1)
    assert scores(task, perfect, target)["mae"] < 1e-4
    assert scores(task, perfect + 1, target)["mae"] == pytest.approx(target.double().std(correction=0).item(), rel=1e-5)


def test_in_the_unit_itself_errors_are_not_rounded_away() -> None:
    target = torch.arange(4, dtype=torch.float64) + NOW
    task = Regression("t", standardise=False, loss="l1")
    task.fit(target)
    output = torch.full((4, 1), NOW)
    losses = task.losses(output, target)
    torch.testing.assert_close(losses, (output[:, 0].double() - target).abs().float())


@pytest.mark.parametrize("offset", [0.0, 1e9])
def test_the_mean_scores_as_badly_around_any_offset(tmp_path, offset: float) -> None:
    """A network that says nothing has R2 0 and the labels' own mean deviation as its error: never MAE 0, R2 1."""
    labels = np.random.default_rng(0).normal(size=200) + offset
    np.savez(tmp_path / "mine.npz", inputs=np.zeros((200, 2)), y=labels)
    splits, tasks = build_data(compose(["task=arrays", f"data.path={tmp_path / 'mine.npz'}"]))
    target = splits.train[0].targets("y")
    found = scores(tasks["y"], torch.zeros(len(target), 1), target)
    assert found["r2"] == pytest.approx(0, abs=1e-4)
    assert 0.6 < found["mae"] < 1
    assert target.dtype == (torch.float32 if offset == 0 else torch.float64)
