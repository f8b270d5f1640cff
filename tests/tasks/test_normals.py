import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.normals import SurfaceNormals
from mtlrun.types import Feature

NAMES = ("mean", "median", "within_11.25", "within_22.5", "within_30")


def scores(task: SurfaceNormals, output: Tensor, target: Tensor, batch: int = 3) -> dict[str, float]:
    metrics = task.make_metrics()
    for part, labels in zip(output.split(batch), target.split(batch)):
        task.update_metrics(metrics, part, labels)
    return compute_metrics(metrics)


def example(rows: int = 7) -> tuple[Tensor, Tensor]:
    """Outputs some 20 degrees off the labels, with unknown pixels in uneven numbers."""
    draw = torch.Generator().manual_seed(0)
    target = normalize(torch.randn(rows, 3, 30, 25, generator=draw), dim=1)
    output = (target + 0.25 * torch.randn(target.shape, generator=draw)) * 5
    target *= torch.rand(rows, 1, 30, 25, generator=draw) > 0.8 * torch.rand(rows, 1, 1, 1, generator=draw)
    return output, target


def benchmark(output: Tensor, target: Tensor, batch: int) -> list[float]:
    """Means over the batches of a test loader, as the papers print them."""
    found = []
    for part, labels in zip(output.split(batch), target.split(batch)):
        cosine = (part / part.norm(dim=1, keepdim=True) * labels).sum(1)[labels.abs().sum(1) > 0]
        angles = np.degrees(np.arccos(cosine.clamp(-1, 1).numpy()))
        found.append([np.mean(angles), np.median(angles), *(np.mean(angles < limit) for limit in (11.25, 22.5, 30))])
    return np.mean(found, 0).tolist()


def test_loss_by_hand() -> None:
    """Cosines 1, 0 and (unknown): 1 - 1/2; a row without labels gives 0; lengths of the output do not matter."""
    output = torch.tensor([3.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(2, 3, 1, 3)
    target = torch.zeros(2, 3, 1, 3)
    target[0, 0, 0, 0] = target[0, 1, 0, 1] = 1.0
    torch.testing.assert_close(SurfaceNormals("n").losses(output, target), torch.tensor([0.5, 0.0]))


def test_gradient_is_finite_at_a_zero_output() -> None:
    output = torch.zeros(1, 3, 2, 2, requires_grad=True)
    SurfaceNormals("n").losses(output, torch.ones(1, 3, 2, 2) / math.sqrt(3)).sum().backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()


@pytest.mark.parametrize("pool", [1, 2, 7])
@pytest.mark.parametrize("batch", [1, 3, 7])
def test_metrics_are_those_of_the_benchmark_however_rows_are_batched(pool: int, batch: int) -> None:
    output, target = example()
    found = scores(SurfaceNormals("n", pool=pool), output, target, batch)
    expected = dict(zip(NAMES, benchmark(output, target, pool)))
    median = expected.pop("median")
    assert found.pop("median") == pytest.approx(median, abs=0.03)
    assert found == pytest.approx(expected, rel=1e-5)


def test_by_default_the_whole_split_is_one_pool() -> None:
    output, target = example()
    found = scores(SurfaceNormals("n"), output, target)
    assert [found[name] for name in NAMES] == pytest.approx(benchmark(output, target, 7), rel=1e-3)


@pytest.mark.parametrize(("metric", "higher"), [("mean", False), ("median", False), ("within_22.5", True)])
def test_directions(metric: str, higher: bool) -> None:
    assert SurfaceNormals("n", judge=metric).higher_is_better() is higher
    assert SurfaceNormals("n").judge == "mean"
    with pytest.raises(ConfigError, match="did you mean 'within_30'"):
        SurfaceNormals("n", judge="within_3")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.zeros(2, 1, 4, 4), r"must have shape \[N, 3, H, W\], found \(2, 1, 4, 4\)"),
        (torch.full((2, 3, 4, 4), 0.9), "must be unit vectors"),
        (torch.full((2, 3, 4, 4), torch.nan), "must be unit vectors"),
    ],
)
def test_bad_labels(target: Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        SurfaceNormals("n").check(target)


def test_vectors_rounded_to_bytes_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """(byte - 128) / 127, as some files have them: lengths reach 1.015."""
    unit = normalize(torch.randn(2, 3, 40, 40), dim=1)
    SurfaceNormals("n").check(unit)
    assert not caplog.records
    rounded = ((unit * 127.5 + 127.5).round() - 128) / 127
    assert 1.01 < rounded.norm(dim=1).max() < 1.02
    SurfaceNormals("n").check(rounded)
    assert "lengths up to 1.01" in caplog.text
    with pytest.raises(DataError, match=r"must be unit vectors.*found a length of 1\.06"):
        SurfaceNormals("n").check(unit * 1.06)


def test_head_and_prediction() -> None:
    head = SurfaceNormals("n", width=8).make_head([Feature("a", 4, 2)], (3, 13, 10))
    predicted = SurfaceNormals("n").predict(head([torch.randn(2, 4, 7, 5)]))
    torch.testing.assert_close(predicted.norm(dim=1), torch.ones(2, 13, 10))


def test_picture_leaves_unknown_pixels_clear() -> None:
    figure, axes = plt.subplots()
    target = torch.zeros(3, 2, 2)
    target[2, 0, 0] = 1.0
    SurfaceNormals("n").draw(axes, target)
    SurfaceNormals("n").draw(axes, target, target)
    label, prediction = (image.get_array() for image in axes.images)
    assert label[0, 0].tolist() == [0.5, 0.5, 1.0, 1.0]
    assert label[1, 1, 3] == 0
    assert (prediction[..., 3] == 1).all()
    plt.close(figure)
