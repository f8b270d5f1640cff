"""As many predictions count as a row has boxes, or the data is refused: a cap would show as a worse detector."""

import pytest
import torch

from mtlrun.config.compose import compose
from mtlrun.data.readers.box_rows import Boxes
from mtlrun.data.sets.bdd100k import counted
from mtlrun.errors import DataError
from mtlrun.tasks.coco import as_rows
from mtlrun.tasks.detection import Detection


def row_of(count: int) -> torch.Tensor:
    """Boxes [1, count + 3, 5] beside each other, padded."""
    left = torch.arange(count) * 10.0
    boxes = torch.stack([torch.zeros(count), left, torch.zeros(count), left + 8, torch.full((count,), 8.0)], 1)
    return torch.cat([boxes, torch.tensor([[-1.0, 0, 0, 0, 0]] * 3)]).unsqueeze(0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [([], 30), (["data=bdd100k", "data.root=."], 100), (["data=bdd100k", "data.root=.", "data.max_boxes=120"], 120)],
)
def test_real_scenes_have_a_limit_of_their_own(data, expected):
    assert compose(["task=driving", *data]).task.tasks.detection.max_detections == expected


def test_the_limit_can_still_be_given():
    assert compose(["task=driving", "task.tasks.detection.max_detections=50"]).task.tasks.detection.max_detections == 50


@pytest.mark.parametrize(("limit", "score"), [(30, 0.6), (50, 1.0), (100, 1.0)])
def test_what_a_perfect_detector_scores_on_fifty_boxes(limit, score):
    """Of 101 recalls only those up to 30 / 50 are reached within a limit of 30."""
    target = row_of(50)
    found = torch.cat([target, torch.linspace(0.9, 0.1, 53).view(1, -1, 1)], 2)
    metrics = Detection("t", ["car"], max_detections=limit).make_metrics()["boxes"]
    kept = target[..., 0] >= 0
    rows = as_rows(found, kept)
    metrics.update([{name: values[:limit] for name, values in row.items()} for row in rows], as_rows(target, kept))
    assert metrics.compute()["map"].item() == pytest.approx(score, abs=0.01)


def test_rows_with_more_boxes_than_count_are_refused():
    Detection("t", ["car"], max_detections=50).check(row_of(50))
    with pytest.raises(DataError, match=r"holds 50 boxes, .* set task\.tasks\.t\.max_detections=50"):
        Detection("t", ["car"], max_detections=49).check(row_of(50))


def test_scenes_with_more_boxes_than_count_are_refused_before_any_is_read():
    boxes = Boxes([[(0, 10.0, 10.0, 20.0, 20.0)] * 3, None], (100, 100), (100, 100), 3.0)
    assert counted(boxes, 3) is boxes
    with pytest.raises(DataError, match=r"holds 3 boxes, more than data\.max_boxes=2: set data\.max_boxes=3"):
        counted(boxes, 2)
