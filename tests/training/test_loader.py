"""How drawn rows are dealt out to independent batches, processes and micro-batches."""

import pytest
import torch

from mtlrun.data.source import TensorSource
from mtlrun.gradients.ranks import Ranks
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.training.loader import Deal, Loader

CPU = torch.device("cpu")


def source(rows=20):
    """'even' is labelled everywhere, 'rare' on row 3 alone."""
    targets = {"even": torch.arange(rows), "rare": torch.arange(rows)}
    return TensorSource("data", torch.arange(rows * 2.0).view(rows, 2), targets, {"rare": torch.arange(rows) == 3})


def dealt(draw, size, **options):
    ranks = [Ranks(rank, size) for rank in range(size)]
    return [next(iter(Loader([source()], CPU, ranks=each, **options).batches([draw]))) for each in ranks]


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_every_row_goes_to_one_place(batches, size, accumulate):
    rows = torch.randperm(23)
    deals = [Deal(batches, Ranks(rank, size), accumulate) for rank in range(size)]
    parts = [part for deal in deals for number in range(batches) for part in deal.micro(rows, number)]
    assert sorted(torch.cat(parts).tolist()) == list(range(23))
    assert len(parts) == batches * size * accumulate
    sizes = [len(deals[0].batch(rows, number)) for number in range(batches)]
    assert max(sizes) - min(sizes) <= 1


def test_alone_and_in_one_batch_the_rows_keep_their_order():
    rows = torch.randperm(9)
    assert torch.equal(torch.cat(Deal(1, Ranks(), 2).micro(rows, 0)), rows)


def test_counts_are_those_of_all_processes():
    draw = BatchIndices({"data": torch.tensor([5, 3, 7])}, ("even", "rare"))
    for step in dealt(draw, size=2):
        assert step.counts == [{"even": 3, "rare": 1}]
        assert step.rows == {"even": 3, "rare": 1}
    first, second = dealt(draw, size=2)
    assert [*first.micro[0][0][0].targets] == ["even"]  # rows 5 and 7
    assert [*second.micro[0][0][0].targets] == ["even", "rare"]  # row 3


def test_a_task_may_be_in_one_independent_batch_only():
    draw = BatchIndices({"data": torch.tensor([5, 3, 7])}, ("even", "rare"))
    (step,) = dealt(draw, size=1, batches=2)
    assert step.counts == [{"even": 2}, {"even": 1, "rare": 1}]
    assert step.rows == {"even": 3, "rare": 1}


@pytest.mark.parametrize("empty_parts", [False, True])
def test_empty_parts_are_made_where_asked_for(empty_parts):
    draw = BatchIndices({"data": torch.tensor([3])}, ("even", "rare"))
    _, second = dealt(draw, size=2, empty_parts=empty_parts)
    if not empty_parts:
        assert second.micro == [[[]]]
        return
    batch = second.micro[0][0][0]
    assert batch.inputs.shape == (0, 2)
    assert {task: len(targets) for task, targets in batch.targets.items()} == {"even": 0, "rare": 0}


def test_a_task_without_a_row_in_any_process_is_not_active():
    draw = BatchIndices({"data": torch.tensor([1, 2])}, ("even", "rare"))
    assert [step.rows for step in dealt(draw, size=2, empty_parts=True)] == [{"even": 2}] * 2
