"""Log loss over known answers, in one part or several."""

import math

import pytest
import torch
from sklearn.metrics import log_loss

from mtlrun.tasks.log_loss import LogLoss

CHANCES = torch.tensor([[0.9], [0.2], [0.6], [0.5]])
ANSWERS = torch.tensor([[1], [0], [0], [-1]])


def test_it_is_that_of_scikit_learn_whatever_the_batches():
    metric = LogLoss()
    for rows in (slice(0, 1), slice(1, 4)):
        metric.update(CHANCES[rows], ANSWERS[rows])
    assert float(metric.compute()) == pytest.approx(log_loss([1, 0, 0], CHANCES[:3, 0].double()))


def test_nothing_known_has_none():
    metric = LogLoss()
    metric.update(CHANCES, torch.full((4, 1), -1))
    assert math.isnan(metric.compute())


def test_certain_mistakes_stay_finite():
    metric = LogLoss()
    metric.update(torch.ones(1, 1), torch.zeros(1, 1, dtype=torch.long))
    assert float(metric.compute()) == 100
