"""A word about labels that do not vary."""

import logging

import pytest
import torch

from mtlrun.config.alike import warn_if_alike
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.detection import Detection
from mtlrun.tasks.multilabel import MultiLabel
from mtlrun.tasks.regression import Regression
from mtlrun.tasks.segmentation import Segmentation

NAN = float("nan")


@pytest.mark.parametrize(
    ("task", "targets", "told"),
    [
        (Classification("t", 3), [2, 2, 2], True),
        (Classification("t", 3), [2, 0, 2], False),
        (MultiLabel("t", 2), [[1.0, NAN], [1.0, 0.0]], True),
        (MultiLabel("t", 2), [[1.0, 1.0], [1.0, 0.0]], False),
        (Regression("t"), [5.5, 5.5], True),
        (Regression("t", 2), [[5.5, 1.0], [NAN, 2.0]], False),
        (Segmentation("t", 2), [[[1, 255]], [[1, 1]]], True),
        (Segmentation("t", 2), [[[1, 0]], [[1, 1]]], False),
        (Segmentation("t", 2), [[[255, 255]], [[255, 255]]], True),
        (Segmentation("t", 2), [[[255, 255]], [[1, 0]]], False),
        (Regression("t"), [NAN, 5.5, NAN, 5.5], True),
        (Regression("t"), [NAN, 5.5, NAN, 5.0], False),
        (MultiLabel("t", 2), [[True, False], [True, False]], True),
        (Detection("t", 2), [[[-1.0] * 5], [[-1.0] * 5]], False),
    ],
)
def test_alike_training_labels_are_told(task, targets, told, caplog):
    with caplog.at_level(logging.WARNING, logger="mtlrun"):
        logging.getLogger("mtlrun").addHandler(caplog.handler)
        warn_if_alike(task, torch.tensor(targets))
        logging.getLogger("mtlrun").removeHandler(caplog.handler)
    assert any("all training labels are alike" in record.getMessage() for record in caplog.records) is told
