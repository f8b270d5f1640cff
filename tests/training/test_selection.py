"""Which epoch is the best one."""

import math

import pytest

from mtlrun.tasks.classification import Classification
from mtlrun.tasks.regression import Regression
from mtlrun.training.selection import Selection, overall_score

TASKS = {"kind": Classification("kind", classes=2), "size": Regression("size")}


def scores(accuracy, mae, loss=1.0):
    return {"kind": {"accuracy": accuracy, "f1": 0.5, "loss": loss}, "size": {"mae": mae, "loss": loss}}


def test_score_is_the_geometric_mean_with_errors_inverted():
    assert overall_score(scores(0.8, 0.2), TASKS) == pytest.approx(math.sqrt(0.8 / 0.2))


def test_units_do_not_change_the_order_of_epochs():
    epochs = [(0.8, 0.2), (0.7, 0.1), (0.9, 0.3)]
    metres = [overall_score(scores(a, m), TASKS) for a, m in epochs]
    millimetres = [overall_score(scores(a, 1000 * m), TASKS) for a, m in epochs]
    assert sorted(range(3), key=metres.__getitem__) == sorted(range(3), key=millimetres.__getitem__)


def test_zero_and_nan_do_not_decide_everything():
    assert overall_score(scores(0.0, 1.0), TASKS) > 0
    assert overall_score(scores(math.nan, 0.5), TASKS) == pytest.approx(2.0)
    assert overall_score(scores(math.nan, math.nan), TASKS) == -math.inf


@pytest.mark.parametrize(
    ("monitor", "better", "worse"),
    [
        ("kind/f1", {"kind": {"f1": 0.6}}, {"kind": {"f1": 0.5}}),
        ("size/mae", {"size": {"mae": 0.5}}, {"size": {"mae": 0.6}}),
        ("kind/loss", {"kind": {"loss": 0.5}}, {"kind": {"loss": 0.6}}),
    ],
)
def test_monitor_follows_the_direction_of_its_metric(monitor, better, worse):
    selection = Selection(TASKS, monitor)
    assert selection.score(better) > selection.score(worse)


def test_patience_counts_evaluations_without_a_better_score():
    selection = Selection(TASKS, patience=2)
    assert [selection.update(score, epoch) for epoch, score in enumerate([1.0, 0.9, 1.1, 1.1])] == [1, 0, 1, 0]
    assert not selection.exhausted()
    selection.update(1.0, 4)
    assert selection.exhausted()
    assert selection.best_epoch == 2


def test_continues_from_its_state():
    selection, other = Selection(TASKS, patience=3), Selection(TASKS, patience=3)
    selection.update(1.0, 0)
    selection.update(0.5, 1)
    other.load_state_dict(selection.state_dict())
    assert (other.best_score, other.best_epoch, other.waited) == (1.0, 0, 1)
