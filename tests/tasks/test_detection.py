import math
import warnings
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.boxes import centre_targets, focal_loss, shape_loss
from mtlrun.tasks.detection import Detection
from mtlrun.types import Feature

CLASSES = ["car", "pedestrian", "cyclist"]
FEATURES = [Feature("a", 12, 2), Feature("b", 24, 4), Feature("v", 7, None)]


def scenes(count: int, most: int = 3, size: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Noise with bright rectangles whose colour is their class; every other row has a free slot."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(count, 3, size, size, generator=generator)
    boxes = torch.full((count, most, 5), -1.0)
    for row in range(count):
        for slot in range(most - row % 2):
            y, width, height, kind = torch.randint(0, 12, (4,), generator=generator).tolist()
            left, top = slot * size // most, y + 4
            right, bottom = min(left + 5 + width // 3, size), top + 5 + height
            images[row, kind % 3, top:bottom, left:right] = 1
            boxes[row, slot] = torch.tensor([kind % 3, left, top, right, bottom])
    return images, boxes


def output_for(boxes: Tensor, grid: tuple[int, int] = (8, 8), stride: int = 4) -> Tensor:
    """What a perfect network puts out for boxes with all centres in different cells."""
    targets = centre_targets(boxes, grid, len(CLASSES), stride)
    shapes = torch.zeros(len(boxes), 4, grid[0] * grid[1])
    for row, box in targets.present.nonzero().tolist():
        shapes[row, :, targets.cells[row, box]] = targets.shapes[row, :, box]
    return torch.cat([torch.where(targets.heat == 1, 6.0, -6.0), shapes.view(len(boxes), 4, *grid)], 1)


def scores(task: Detection, output: Tensor, boxes: Tensor) -> dict[str, float]:
    metrics = task.make_metrics()
    for part in (slice(0, 1), slice(1, None)):
        task.update_metrics(metrics, output[part], boxes[part])
    return compute_metrics(metrics)


def test_loss_is_centres_plus_shapes_per_box() -> None:
    _, boxes = scenes(2)
    output = torch.randn(2, 7, 8, 8)
    targets = centre_targets(boxes, (8, 8), 3, 4)
    expected = focal_loss(output[:, :3], targets.heat) + 0.5 * shape_loss(output[:, 3:], targets)
    losses = Detection("t", CLASSES, size_weight=0.5).losses(output, boxes)
    torch.testing.assert_close(losses, expected / torch.tensor([3.0, 2.0]))


def test_rows_are_independent_and_padding_does_not_count() -> None:
    _, boxes = scenes(3)
    task, output = Detection("t", CLASSES), torch.randn(3, 7, 8, 8)
    padded = torch.cat([torch.full((3, 2, 5), -1.0), boxes], 1)
    losses = task.losses(output, boxes)
    torch.testing.assert_close(task.losses(output, padded), losses)
    torch.testing.assert_close(task.losses(output[1:2], boxes[1:2]), losses[1:2])


@pytest.mark.parametrize("slots", [0, 2])
def test_rows_without_boxes(slots: int) -> None:
    task, boxes = Detection("t", CLASSES), torch.full((2, slots, 5), -1.0)
    output = torch.randn(2, 7, 8, 8, requires_grad=True)
    losses = task.losses(output, boxes)
    losses.sum().backward()
    assert losses.isfinite().all()
    assert output.grad is not None
    assert output.grad[:, :3].abs().sum() > 0
    assert output.grad[:, 3:].abs().sum() == 0
    assert all(math.isnan(value) for value in scores(task, output, boxes).values())


def test_half_precision_gives_float32() -> None:
    _, boxes = scenes(2)
    task, output = Detection("t", CLASSES), torch.randn(2, 7, 8, 8).bfloat16()
    losses = task.losses(output, boxes)
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, task.losses(output.float(), boxes))


def test_perfect_boxes_score_one_silently(capsys: pytest.CaptureFixture[str]) -> None:
    _, boxes = scenes(4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(Detection("t", CLASSES), output_for(boxes), boxes)
    names = ["map", "map_50", "map_75", *(f"ap_{name}" for name in CLASSES)]
    assert found == pytest.approx(dict.fromkeys(names, 1.0))
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("most", [5, 30, 100, 120])
def test_mean_average_precision_by_hand(most: int) -> None:
    """Two cars in two rows, one of them found: a box 8 x 8 found as 8 x 6.2 has IoU 0.775.

    Recall 1/2 with precision 1 is 51 of 101 recall points; the IoU passes 6 of the 10 thresholds.
    """
    boxes = torch.tensor([[[0.0, 8.0, 8.0, 16.0, 16.0]], [[0.0, 8.0, 8.0, 16.0, 16.0]]])
    output = output_for(torch.tensor([[[0.0, 8.0, 8.0, 16.0, 14.2]], [[-1.0, 0, 0, 0, 0]]]))
    found = scores(Detection("t", CLASSES, max_detections=most), output, boxes)
    half = 51 / 101
    assert found["map_50"] == pytest.approx(half)
    assert found["map_75"] == pytest.approx(half)
    assert [found["map"], found["ap_car"]] == pytest.approx([0.6 * half] * 2)
    assert math.isnan(found["ap_cyclist"])


def test_boxes_of_a_class_without_labels_do_not_change_the_others() -> None:
    boxes = torch.tensor([[[2.0, 8.0, 8.0, 16.0, 16.0]]])
    wrong = torch.tensor([[[2.0, 8.0, 8.0, 16.0, 16.0], [0.0, 20.0, 20.0, 28.0, 28.0]]])
    found = scores(Detection("t", CLASSES), output_for(wrong), boxes)
    assert [found["map"], found["ap_cyclist"]] == pytest.approx([1, 1])
    assert math.isnan(found["ap_car"])


@pytest.mark.parametrize("judge", ["map", "map_50", "ap_cyclist"])
def test_every_score_can_be_the_judge(judge: str) -> None:
    assert Detection("t", CLASSES, judge=judge).higher_is_better()


@pytest.mark.parametrize(("height", "width"), [(64, 112), (33, 47), (1, 1)])
@pytest.mark.parametrize("stride", [2, 4, 8])
def test_head_puts_out_a_grid_of_its_stride(height: int, width: int, stride: int) -> None:
    task = Detection("t", CLASSES, stride=stride)
    head = task.make_head(FEATURES, (3, height, width))
    halves, quarters = ((-(-height // step), -(-width // step)) for step in (2, 4))
    output = head([torch.randn(2, 12, *halves), torch.randn(2, 24, *quarters), torch.randn(2, 7)])
    assert output.shape == (2, task.outputs, -(-height // stride), -(-width // stride))
    assert task.losses(output, torch.tensor([[[0.0, 0, 0, 1, 1]]]).expand(2, 1, 5)).isfinite().all()


def test_head_needs_maps() -> None:
    with pytest.raises(ConfigError, match="put out vectors: choose backbone=cnn or backbone=resnet18"):
        Detection("t", CLASSES).make_head(FEATURES[2:], (3, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 0}, "stride of task 't' must be a whole number of at least 1, found 0"),
        ({"min_score": 1.0}, "min_score of task 't' must be at least 0 and below 1, found 1.0"),
        ({"judge": "map50"}, "did you mean 'map_50'?"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Detection("t", CLASSES, **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([3.0, 0, 0, 1, 1], "classes of task 't' must be 0 to 2, -1 for padding, or -2 - c for a region"),
        ([0.5, 0, 0, 1, 1], "found 0.5"),
        ([0.0, 5, 0, 5, 1], "boxes of task 't' must be finite with x1 < x2 and y1 < y2"),
        ([0.0, 0, 0, math.nan, 1], "must be finite"),
        ([0.0, 0, 0, 1], "must have shape [N, M, 5], found (1, 1, 4)"),
    ],
)
def test_bad_labels(row: list[float], message: str) -> None:
    with pytest.raises(DataError) as error:
        Detection("t", CLASSES).check(torch.tensor([[row]]))
    assert message in str(error.value)


class Trunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = [3, 12, 24]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(4, after), nn.ReLU())
            for before, after in pairwise(widths)
        )

    def forward(self, values: Tensor) -> list[Tensor]:
        outputs = []
        for stage in self.stages:
            values = stage(values)
            outputs.append(values)
        return outputs


def test_four_pictures_can_be_learnt() -> None:
    torch.manual_seed(0)
    images, boxes = scenes(4)
    task, trunk = Detection("t", CLASSES), Trunk()
    task.check(boxes)
    head = task.make_head(FEATURES[:2], (3, 32, 32))
    optimizer = torch.optim.AdamW([*trunk.parameters(), *head.parameters()], lr=5e-3)
    for _ in range(150):
        optimizer.zero_grad()
        task.losses(head(trunk(images)), boxes).mean().backward()
        optimizer.step()
    assert scores(task, head(trunk(images)), boxes)["map_50"] > 0.9
