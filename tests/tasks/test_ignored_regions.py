"""Regions that are ignored: neither trained on nor scored, as crowds in COCO."""

import pytest
import torch

from mtlrun.errors import DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.boxes import centre_targets, focal_loss
from mtlrun.tasks.detection import Detection
from mtlrun.types import region_of

CAR = [0.0, 4.0, 4.0, 12.0, 12.0]
REGION = [-2.0, 16.0, 0.0, 32.0, 16.0]
"""Cars are ignored in the right upper quarter of 32 x 32 pixels, columns 4 to 7 and rows 0 to 3 of the grid."""


def rows(*boxes: list[float]) -> torch.Tensor:
    return torch.tensor([[*boxes, [-1.0, 0, 0, 0, 0]]])


def scores(target: torch.Tensor, *found: list[float]) -> dict[str, float]:
    """Of predictions (class, x1, y1, x2, y2, score)."""
    task = Detection("t", ["car", "person"])
    task.predict = lambda output: output  # type: ignore[method-assign]
    metrics = task.make_metrics()
    task.update_metrics(metrics, torch.tensor([[*found]]), target)
    return compute_metrics(metrics)


def test_a_class_and_its_region_are_told_apart_from_padding() -> None:
    assert [region_of(index) for index in (0, 1, 7)] == [-2, -3, -9]
    assert region_of(region_of(torch.arange(5))).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("ignored", "expected"), [(True, 1.0), (False, 0.5)])
def test_a_detection_in_a_region_is_no_false_positive(ignored: bool, expected: float) -> None:
    target = rows(CAR, REGION) if ignored else rows(CAR)
    found = scores(target, [0.0, 18, 2, 28, 12, 0.9], [*CAR, 0.8])
    assert found["ap_car"] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(
    "found",
    [
        [1.0, 18, 2, 28, 12, 0.9],  # of another class
        [0.0, 4, 18, 28, 30, 0.9],  # outside the region
    ],
)
def test_other_detections_stay_wrong(found: list[float]) -> None:
    person = [1.0, 20, 20, 30, 30]
    values = scores(rows(CAR, person, REGION), found, [*CAR, 0.8], [*person, 0.8])
    assert values["ap_car" if found[0] == 0 else "ap_person"] == pytest.approx(0.5, abs=0.01)


def test_a_region_need_not_be_found_and_is_no_label() -> None:
    assert scores(rows(CAR, REGION), [*CAR, 0.8])["ap_car"] == pytest.approx(1)
    assert torch.tensor(scores(rows(REGION), [*CAR, 0.8])["ap_car"]).isnan()


def test_the_loss_is_silent_in_the_region_for_its_class_alone() -> None:
    targets = centre_targets(rows(CAR, REGION), (8, 8), 2, 4)
    expected = torch.zeros(2, 8, 8, dtype=torch.bool)
    expected[0, :4, 4:] = True
    assert torch.equal(targets.ignored[0], expected)
    assert targets.present.tolist() == [[True, False, False]]
    logits = torch.randn(1, 2, 8, 8, requires_grad=True)
    focal_loss(logits, targets.heat, targets.ignored).sum().backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad[0] == 0, expected)


def test_a_box_within_a_region_is_still_trained_on() -> None:
    inside = [0.0, 18, 2, 26, 10]
    targets = centre_targets(rows(inside, REGION), (8, 8), 1, 4)
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    focal_loss(logits, targets.heat, targets.ignored).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 0, 1, 5] < 0  # the cell of its centre is pushed up
    assert (logits.grad[0, 0, :4, 4:] != 0).sum() == 1


def test_nothing_changes_without_regions() -> None:
    targets, logits = centre_targets(rows(CAR), (8, 8), 2, 4), torch.randn(1, 2, 8, 8)
    assert not targets.ignored.any()
    assert torch.equal(focal_loss(logits, targets.heat, targets.ignored), focal_loss(logits, targets.heat))


def test_regions_are_checked_and_do_not_count_as_boxes() -> None:
    Detection("t", ["car"], max_detections=1).check(rows(CAR, REGION, REGION))
    with pytest.raises(DataError, match=r"0 to 0, -1 for padding, or -2 - c for a region .*, found -3"):
        Detection("t", ["car"]).check(rows([-3.0, 0, 0, 4, 4]))
