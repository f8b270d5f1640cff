import pytest
import torch

from mtlrun.data.source import TensorSource
from mtlrun.errors import DataError


def bytes_images(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_fetch_gathers_rows_in_the_order_asked_for():
    source = TensorSource("s", torch.arange(10.0).view(5, 2), {"t": torch.arange(5)})
    inputs, targets = source.fetch(torch.tensor([4, 0, 4]))
    assert inputs.tolist() == [[8, 9], [0, 1], [8, 9]]
    assert targets["t"].tolist() == [4, 0, 4]
    assert (len(source), source.input_shape, source.tasks) == (5, (2,), ("t",))


def test_bytes_are_divided_by_255_then_normalised_per_channel():
    images = bytes_images(6, 3, 4, 5)
    mean, std = [0.1, 0.2, 0.3], [0.5, 0.25, 2.0]
    prepared = TensorSource("s", images, {}, mean=mean, std=std).prepare(images)
    expected = (images.double() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    assert prepared.dtype == torch.float32
    torch.testing.assert_close(prepared, expected.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("mean", "std", "expected"),
    [(None, None, [0.0, 1.0]), ([1.0], None, [-1.0, 0.0]), (None, [0.5], [0.0, 2.0])],
)
def test_each_of_mean_and_deviation_may_be_absent(mean, std, expected):
    images = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)
    prepared = TensorSource("s", images, {}, mean=mean, std=std).prepare(images)
    torch.testing.assert_close(prepared.flatten(), torch.tensor(expected))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize("mean", [None, [0.5, 0.5]])
def test_floats_become_float32_and_are_not_divided(dtype, mean):
    vectors = torch.ones(3, 2, dtype=dtype)
    prepared = TensorSource("s", vectors, {}, mean=mean).prepare(vectors)
    assert prepared.dtype == torch.float32
    assert prepared.unique().tolist() == ([1.0] if mean is None else [0.5])


def test_prepare_leaves_the_data_as_it_was():
    vectors = torch.ones(3, 2)
    TensorSource("s", vectors, {}, mean=[5.0, 5.0], std=[2.0, 2.0]).prepare(vectors)
    assert vectors.unique().tolist() == [1.0]


def test_integers_without_statistics_stay_integers():
    tokens = torch.tensor([[3, 4]])
    assert TensorSource("s", tokens, {}).prepare(tokens).dtype == torch.int64


def test_targets_are_those_of_labelled_rows():
    mask = torch.tensor([True, False, True])
    targets = {"all": torch.tensor([1, 2, 3]), "some": torch.tensor([4, 5, 6])}
    source = TensorSource("s", torch.zeros(3, 1), targets, {"some": mask})
    assert source.targets("all").tolist() == [1, 2, 3]
    assert source.targets("some").tolist() == [4, 6]
    assert source.labelled("all").tolist() == [True, True, True]
    assert source.labelled("some").tolist() == [True, False, True]


def test_moving_keeps_masks_and_statistics():
    images = bytes_images(4, 1, 2, 2)
    source = TensorSource("s", images, {"t": torch.arange(4)}, {"t": torch.arange(4) > 1}, mean=[0.5], std=[0.5])
    moved = source.to(torch.device("cpu"))
    rows = torch.tensor([2, 3])
    assert torch.equal(moved.prepare(moved.fetch(rows)[0]), source.prepare(source.fetch(rows)[0]))
    assert moved.labelled("t").tolist() == [False, False, True, True]
    assert moved.nbytes() == images.nbytes + 4 * 8


@pytest.mark.parametrize(
    ("targets", "labelled", "message"),
    [
        ({"t": torch.zeros(2)}, {}, "3 inputs but 2 labels for 't'"),
        ({"cars": torch.zeros(3)}, {"car": torch.ones(3, dtype=torch.bool)}, "did you mean 'cars'"),
        ({"t": torch.zeros(3)}, {"t": torch.ones(3)}, "mask of 3 bools"),
        ({"t": torch.zeros(3)}, {"t": torch.ones(2, dtype=torch.bool)}, "mask of 3 bools"),
    ],
)
def test_inconsistent_rows_are_refused(targets, labelled, message):
    with pytest.raises(DataError, match=message):
        TensorSource("s", torch.zeros(3, 1), targets, labelled)
