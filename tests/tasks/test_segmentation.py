import math

import pytest
import torch
from sklearn.metrics import jaccard_score
from torch.nn.functional import cross_entropy

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.class_weights import ClassWeights
from mtlrun.tasks.dice import dice_loss
from mtlrun.tasks.segmentation import Segmentation
from mtlrun.types import Feature

MAPS = [Feature("a", 4, 2), Feature("b", 6, 4), Feature("v", 5, None)]


def outputs_for(height: int, width: int) -> list[torch.Tensor]:
    halves = (-(-height // 2), -(-width // 2))
    quarters = (-(-height // 4), -(-width // 4))
    return [torch.randn(2, 4, *halves), torch.randn(2, 6, *quarters), torch.randn(2, 5)]


def scores(task: Segmentation, logits: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    metrics = task.make_metrics()
    for row in range(len(target)):
        task.update_metrics(metrics, logits[row : row + 1], target[row : row + 1])
    return compute_metrics(metrics)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_loss_is_the_mean_over_valid_pixels(dtype: torch.dtype) -> None:
    logits, target = torch.randn(3, 4, 5, 7), torch.randint(4, (3, 5, 7)).to(dtype)
    target[0, :2], target[2] = 255, 255
    losses = Segmentation("t", 4).losses(logits, target)
    rows = [slice(0, 1), slice(1, 2)]
    expected = [cross_entropy(logits[row], target[row].long(), ignore_index=255) for row in rows]
    torch.testing.assert_close(losses, torch.stack([*expected, torch.tensor(0.0)]))


def test_weights_multiply_the_pixels_of_their_class() -> None:
    target = torch.tensor([[[0, 1], [1, 1]]])
    losses = Segmentation("t", 2, class_weights=[1.0, 5.0]).losses(torch.zeros(1, 2, 2, 2), target)
    assert losses.item() == pytest.approx(math.log(2) * (1 + 3 * 5) / 4)


def test_balanced_weights_ignore_ignored_pixels() -> None:
    task = Segmentation("t", 2, class_weights="balanced")
    task.fit(torch.tensor([[[0, 0, 0], [1, 255, 255]]], dtype=torch.uint8))
    weights = task.class_weights.like(torch.zeros(1))
    assert weights is not None
    torch.testing.assert_close(weights, torch.tensor([4 / 6, 4 / 2]))


def test_a_class_with_the_number_of_ignored_pixels_is_not_counted() -> None:
    weights = ClassWeights("t", "balanced", 257)
    weights.fit(torch.tensor([[0, 0, 255, 255, 256]]), ignored=255)
    found = weights.like(torch.zeros(1))
    assert found is not None
    assert found[255] == found[1]  # as if it occurred once


def test_dice_by_hand() -> None:
    """Two valid pixels of class 1 with chance 3/4: (2 * 3/2 + 1) / (3/2 + 2 + 1); class 0 is not shown."""
    logits = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    target = torch.tensor([[[1, 1, 255]]])
    torch.testing.assert_close(dice_loss(logits, target, 255), torch.tensor([1 - 4 / 4.5]))


def test_dice_of_a_perfect_map_and_of_a_row_without_labels_is_zero() -> None:
    target = torch.randint(3, (2, 6, 6))
    logits = 60 * torch.nn.functional.one_hot(target, 3).permute(0, 3, 1, 2).float()
    target[1] = 255
    torch.testing.assert_close(dice_loss(logits, target, 255), torch.zeros(2))


def test_dice_is_added_with_its_weight() -> None:
    logits, target = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    with_dice, without = (Segmentation("t", 3, dice=weight).losses(logits, target) for weight in (0.5, 0.0))
    torch.testing.assert_close(with_dice, without + 0.5 * dice_loss(logits, target, 255))


def test_metrics_agree_with_scikit_learn() -> None:
    logits, target = torch.randn(5, 3, 8, 9), torch.randint(3, (5, 8, 9), dtype=torch.uint8)
    target[torch.rand(5, 8, 9) < 0.2] = 255
    valid = target != 255
    chosen, truth = logits.argmax(1)[valid], target[valid]
    per_class = jaccard_score(truth, chosen, average=None)
    expected = {f"iou_{name}": value for name, value in zip("abc", per_class)}
    expected |= {"miou": per_class.mean(), "pixel_accuracy": (chosen == truth).float().mean().item()}
    assert scores(Segmentation("t", ["a", "b", "c"]), logits, target) == pytest.approx(expected)


def test_perfect_maps_and_a_class_that_never_occurs() -> None:
    target = torch.randint(2, (2, 5, 5))
    logits = torch.nn.functional.one_hot(target, 3).permute(0, 3, 1, 2).float()
    found = scores(Segmentation("t", ["a", "b", "c"]), logits, target)
    assert (found["miou"], found["iou_a"], found["pixel_accuracy"]) == (1, 1, 1)
    assert math.isnan(found["iou_c"])


def test_one_class_can_be_the_judge() -> None:
    task = Segmentation("t", ["background", "lane"], judge="iou_lane")
    assert task.higher_is_better()
    with pytest.raises(ConfigError, match="did you mean 'iou_lane'"):
        Segmentation("t", ["background", "lane"], judge="iou_lanes")


@pytest.mark.parametrize(("height", "width"), [(16, 28), (13, 21), (1, 1), (2, 5)])
@pytest.mark.parametrize("stride", [1, 2, 4, 8])
def test_head_puts_out_the_input_size(height: int, width: int, stride: int) -> None:
    head = Segmentation("t", 3, width=12, stride=stride).make_head(MAPS, (3, height, width))
    outputs = head(outputs_for(height, width))
    assert outputs.shape == (2, 3, height, width)
    assert outputs.isfinite().all()


def test_a_row_does_not_depend_on_the_others() -> None:
    task = Segmentation("t", 3, class_weights=[1.0, 2.0, 3.0], dice=1.0)
    head = task.make_head(MAPS, (3, 13, 21))
    outputs, target = outputs_for(13, 21), torch.randint(3, (2, 13, 21))
    alone = task.losses(head([output[:1] for output in outputs]), target[:1])
    torch.testing.assert_close(task.losses(head(outputs), target)[:1], alone)


@pytest.mark.parametrize(
    ("features", "shape", "message"),
    [
        (MAPS[2:], (3, 8, 8), "stages (v) put out vectors: choose backbone=cnn or backbone=resnet18"),
        (MAPS[2:], (12,), "task 't' predicts per pixel and needs images (C, H, W), found inputs (12,)"),
    ],
)
def test_head_needs_maps(features: list[Feature], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Segmentation("t", 2).make_head(features, shape)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.full((1, 2, 2), 7, dtype=torch.uint8), "must be 0 to 2, or 255 for ignored, found 7"),
        (torch.zeros(2, 2, dtype=torch.long), "must have shape [N, H, W], found (2, 2)"),
    ],
)
def test_bad_labels(target: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError) as error:
        Segmentation("t", 3).check(target)
    assert message in str(error.value)
