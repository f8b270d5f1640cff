import math

import pytest
import torch

from mtlrun.tasks.boxes import centre_targets, decode, focal_loss, shape_loss

PADDING = [-1.0, 0.0, 0.0, 0.0, 0.0]


def perfect_output(boxes: torch.Tensor, grid: tuple[int, int], num_classes: int, stride: int) -> torch.Tensor:
    """What a network that knows the boxes would put out."""
    targets = centre_targets(boxes, grid, num_classes, stride)
    shapes = torch.zeros(len(boxes), 4, grid[0] * grid[1])
    for row, box in targets.present.nonzero().tolist():
        shapes[row, :, targets.cells[row, box]] = targets.shapes[row, :, box]
    heat = torch.where(targets.heat == 1, 8.0, -8.0)
    return torch.cat([heat, shapes.view(len(boxes), 4, *grid)], 1)


def test_targets_by_hand() -> None:
    """A box from (4, 2) to (12, 18) on cells of 4 pixels: centre (8, 10) is (2, 2.5) in cells."""
    boxes = torch.tensor([[[1.0, 4.0, 2.0, 12.0, 18.0], PADDING]])
    targets = centre_targets(boxes, (5, 7), 3, 4)
    assert targets.cells[0, 0] == 2 * 7 + 2
    torch.testing.assert_close(targets.shapes[0, :, 0], torch.tensor([math.log(2), math.log(4), 0.0, 0.5]))
    assert targets.present.tolist() == [[True, False]]
    assert targets.heat[0, 1, 2, 2] == 1
    beside, below = 0.54 / 6 * 2, 0.54 / 6 * 4
    assert targets.heat[0, 1, 2, 3] == pytest.approx(math.exp(-0.5 / beside**2), abs=1e-6)
    assert targets.heat[0, 1, 3, 2] == pytest.approx(math.exp(-0.5 / below**2), abs=1e-6)
    assert targets.heat[0, [0, 2]].abs().max() == 0


def test_overlapping_bumps_take_the_larger() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 0.0, 16.0, 16.0], [0.0, 4.0, 0.0, 20.0, 16.0]]])
    both = centre_targets(boxes, (4, 6), 1, 4).heat
    each = [centre_targets(boxes[:, k : k + 1], (4, 6), 1, 4).heat for k in range(2)]
    torch.testing.assert_close(both, torch.maximum(*each))


def test_focal_loss_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])  # chances 1/2 and 3/4
    heat = torch.tensor([[[[1.0, 0.5]]]])
    expected = 0.25 * math.log(2) + 0.5**4 * 0.75**2 * math.log(4)
    assert focal_loss(logits, heat).item() == pytest.approx(expected)


def test_shape_loss_by_hand() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 0.0, 8.0, 8.0], PADDING], [PADDING, PADDING]])
    targets = centre_targets(boxes, (3, 3), 1, 4)  # log 2, log 2, 0, 0 at cell (1, 1)
    shapes = torch.ones(2, 4, 3, 3)
    torch.testing.assert_close(shape_loss(shapes, targets), torch.tensor([2 * (1 - math.log(2)) + 2, 0.0]))


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_boxes_survive_encoding_and_decoding(stride: int) -> None:
    boxes = torch.tensor(
        [
            [[0.0, 1.0, 2.0, 6.5, 9.0], [2.0, 14.0, 3.0, 20.0, 21.0], PADDING],
            [PADDING, [1.0, 0.0, 0.0, 3.0, 3.0], PADDING],
        ]
    )
    grid = (-(-21 // stride), -(-23 // stride))
    found = decode(perfect_output(boxes, grid, 3, stride), 3, stride, most=5)
    kept = found[..., 5] > 0.5
    assert kept.sum(1).tolist() == [2, 1]
    first = found[0][kept[0]]
    torch.testing.assert_close(first[first[:, 0].argsort(), :5], boxes[0, :2])
    torch.testing.assert_close(found[1][kept[1], :5], boxes[1, 1:2])


@pytest.mark.parametrize("grid", [(1, 1), (1, 4), (3, 5)])
def test_fewer_cells_than_boxes_wanted(grid: tuple[int, int]) -> None:
    found = decode(torch.randn(2, 6, *grid), 2, 4, most=100)
    assert found.shape == (2, 2 * grid[0] * grid[1], 6)
    assert (found[..., 3] <= grid[1] * 4).all()


def test_centres_outside_the_picture_stay_on_the_grid() -> None:
    targets = centre_targets(torch.tensor([[[0.0, 90.0, 90.0, 110.0, 110.0]]]), (3, 3), 1, 4)
    assert targets.cells.item() == 8
    assert targets.heat.max() == 1
