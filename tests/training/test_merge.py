"""Metrics gathered over parts of the rows give what one pass over all rows gives."""

import pytest
import torch
from torchmetrics.aggregation import MaxMetric
from torchmetrics.classification import BinaryAUROC
from torchmetrics.regression import PearsonCorrCoef

from mtlrun.errors import ConfigError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.boxes import centre_targets
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.detection import Detection
from mtlrun.tasks.multilabel import MultiLabel
from mtlrun.tasks.regression import Regression
from mtlrun.tasks.segmentation import Segmentation
from mtlrun.training.merge import TaskEvaluation, merged, set_states, states_of

ROWS, BATCH = 37, 5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def boxes():
    """Up to three boxes a row, on grids of 8 pixels so that many overlap the same way."""
    corners = (draw(ROWS, 3, 2, seed=1).abs() * 8).floor().clamp(max=20)
    classes = (draw(ROWS, 3, 1, seed=2) > 0).float()
    classes[::4, 1:] = -1
    return torch.cat([classes, corners, corners + 8], 2)


def guesses(targets):
    """Scores with few values: which of two equally sure boxes counts first must not depend on who found it."""
    heat = centre_targets(targets, (8, 8), 2, 4).heat
    noise = draw(ROWS, 2, 8, 8, seed=9).round()
    sides_and_places = torch.tensor([0.7, 0.7, 0.5, 0.5]).view(1, 4, 1, 1).expand(ROWS, 4, 8, 8)
    return torch.cat([noise - 1 + 2 * (heat == 1), sides_and_places], 1)


def kinds():
    """name -> (task, outputs, targets)."""
    labels = (draw(ROWS, 4, seed=3) > 0).float()
    labels[draw(ROWS, 4, seed=4) > 1] = torch.nan
    numbers = draw(ROWS, 3, seed=5) * 10 + 1000
    numbers[draw(ROWS, 3, seed=6) > 1] = torch.nan
    regression = Regression("t", 3)
    regression.fit(numbers)
    classes = draw(ROWS, seed=7).mul(2).long().clamp(0, 3)
    maps = draw(ROWS, 6, 6, seed=8).mul(2).long().clamp(0, 2)
    return {
        "classification": (Classification("t", 4), draw(ROWS, 4), classes),
        "multilabel": (MultiLabel("t", 4), draw(ROWS, 4).round(decimals=1), labels),
        "regression": (regression, draw(ROWS, 3), numbers),
        "segmentation": (Segmentation("t", 3), draw(ROWS, 3, 6, 6), maps),
        "detection": (Detection("t", 2, max_detections=8), guesses(boxes()), boxes()),
    }


def seen(task, output, target, positions):
    found = TaskEvaluation(task.make_metrics())
    for rows in positions.split(BATCH):
        task.update_metrics(found.metrics, output[rows], target[rows])
        found.losses.append(task.losses(output[rows], target[rows]))
        found.positions.append(rows)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 40])
@pytest.mark.parametrize("kind", kinds())
def test_every_kind_of_task(kind, size):
    task, output, target = kinds()[kind]
    alone = seen(task, output, target, torch.arange(ROWS))
    parts = [torch.arange(ROWS)[rank::size] for rank in range(size)]
    found = [seen(task, output, target, part).part() for part in parts if len(part)]
    whole = merged(task.make_metrics(), found)
    torch.testing.assert_close(torch.cat(whole.losses), torch.cat(alone.losses))  # batches of other sizes
    expected = compute_metrics(alone.metrics)
    # counts add up exactly, and so do lists in the order of the rows; float sums may differ in their last digit
    tolerance = 1e-6 if kind == "regression" else 0
    assert compute_metrics(whole.metrics) == pytest.approx(expected, rel=tolerance, abs=0, nan_ok=True)
    assert any(value == value and value not in (0, 1) for value in expected.values())


@pytest.mark.parametrize("metric", [PearsonCorrCoef(), BinaryAUROC()], ids=["pearson", "auroc"])
@pytest.mark.parametrize("size", [2, 3])
def test_metrics_of_the_users(metric, size):
    prediction, target = draw(ROWS).sigmoid(), (draw(ROWS, seed=1) > 0).to(torch.long)
    target = target.float() if isinstance(metric, PearsonCorrCoef) else target
    parts = [metric.clone() for _ in range(size)]
    for rank, part in enumerate(parts):
        part.update(prediction[rank::size], target[rank::size])
    whole = metric.clone()
    set_states(whole, [states_of(part) for part in parts], torch.arange(ROWS))
    metric.update(prediction, target)
    torch.testing.assert_close(whole.compute(), metric.compute())


def test_a_process_without_rows_changes_nothing():
    whole, full, empty = MaxMetric(), MaxMetric(), MaxMetric()
    full.update(-3.0)
    set_states(whole, [states_of(empty), states_of(full)], torch.arange(1))
    assert whole.compute() == -3


def test_states_of_other_shapes_are_told_by_name():
    wide, narrow = PearsonCorrCoef(num_outputs=2), PearsonCorrCoef(num_outputs=1)
    wide.update(draw(4, 2), draw(4, 2, seed=1))
    narrow.update(draw(4), draw(4, seed=1))
    with pytest.raises(ConfigError, match=r"state 'mean_x' of the metric PearsonCorrCoef has the shapes"):
        set_states(wide.clone(), [states_of(wide), states_of(narrow)], torch.arange(8))
