"""How drawn rows are split among independent batches, processes and micro-batches; and random augmentation: of a row in
a step the same, however the step is split, and nobody else's draws change."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from mtlrun.data.source import Source, TensorSource
from mtlrun.gradients.ranks import Ranks
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.tasks.regression import Regression
from mtlrun.training.batches import BatchLoader, RowSplit, fetch
from mtlrun.training.evaluate import Evaluator, chosen_rows
from mtlrun.training.settings import Precision

CPU = torch.device("cpu")


def source(rows=20):
    """'even' is labelled everywhere, 'rare' on row 3 alone."""
    targets = {"even": torch.arange(rows), "rare": torch.arange(rows)}
    return TensorSource("data", torch.arange(rows * 2.0).view(rows, 2), targets, {"rare": torch.arange(rows) == 3})


def shared(drawn, size, batches=1, **options):
    splits = [RowSplit(batches, Ranks(rank, size)) for rank in range(size)]
    return [next(BatchLoader([source()], CPU, split, **options).batches([drawn])) for split in splits]


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("accumulate", [1, 4])
def test_every_row_goes_to_one_place(batches, size, accumulate):
    rows = torch.randperm(23)
    splits = [RowSplit(batches, Ranks(rank, size), accumulate) for rank in range(size)]
    whole = [splits[0].batch(rows, number) for number in range(batches)]
    parts = [part for split in splits for batch in whole for part in split.micro_batches(batch)]
    assert sorted(torch.cat(parts).tolist()) == list(range(23))
    assert len(parts) == batches * size * accumulate
    sizes = [len(batch) for batch in whole]
    assert max(sizes) - min(sizes) <= 1


def test_alone_and_in_one_batch_the_rows_keep_their_order():
    rows = torch.randperm(9)
    assert torch.equal(torch.cat(RowSplit(accumulate=2).micro_batches(rows)), rows)


@pytest.mark.parametrize("size", [2, 3])
def test_everybody_has_a_part_of_every_pool(size):
    """Rows come pool after pool: here 12 rows of one, then 6 of another."""
    rows = torch.arange(18)
    for rank in range(size):
        (mine,) = RowSplit(ranks=Ranks(rank, size)).micro_batches(rows)
        assert [int((mine < 12).sum()), int((mine >= 12).sum())] == [12 // size, 6 // size]


def test_counts_are_those_of_all_processes():
    drawn = BatchIndices({"data": torch.tensor([5, 3, 7])}, ("even", "rare"))
    for step in shared(drawn, size=2):
        assert step.counts == [{"even": 3, "rare": 1}]
        assert step.rows == {"even": 3, "rare": 1}
    first, second = shared(drawn, size=2)
    assert [*first.micro[0][0][0].targets] == ["even"]  # rows 5 and 7
    assert [*second.micro[0][0][0].targets] == ["even", "rare"]  # row 3


def test_a_task_may_be_in_one_independent_batch_only():
    drawn = BatchIndices({"data": torch.tensor([5, 3, 7])}, ("even", "rare"))
    (step,) = shared(drawn, size=1, batches=2)
    assert step.counts == [{"even": 2}, {"even": 1, "rare": 1}]
    assert step.rows == {"even": 3, "rare": 1}


@pytest.mark.parametrize("empty_parts", [False, True])
def test_empty_parts_are_made_where_asked_for(empty_parts):
    drawn = BatchIndices({"data": torch.tensor([3])}, ("even", "rare"))
    _, second = shared(drawn, size=2, empty_parts=empty_parts)
    if not empty_parts:
        assert second.micro == [[[]]]
        return
    batch = second.micro[0][0][0]
    assert batch.inputs.shape == (0, 2)
    assert {task: len(targets) for task, targets in batch.targets.items()} == {"even": 0, "rare": 0}


def test_a_task_without_a_row_in_any_process_is_not_active():
    drawn = BatchIndices({"data": torch.tensor([1, 2])}, ("even", "rare"))
    assert [step.rows for step in shared(drawn, size=2, empty_parts=True)] == [{"even": 2}] * 2


class Noisy(Source):
    """Rows of one number each: their own plus noise, drawn from every generator that libraries draw from."""

    name, tasks, input_shape = "noisy", ("size",), (1,)

    def __len__(self):
        return 12

    def labelled(self, task):
        return torch.ones(12, dtype=torch.bool)

    def fetch(self, rows):
        start = int(torch.randint(2**31, ())) ^ int(np.random.randint(2**31)) ^ random.getrandbits(31)
        noise = [torch.rand(1, generator=torch.Generator().manual_seed(start + row)) for row in rows.tolist()]
        return rows[:, None] + torch.stack(noise), {"size": rows.float()}


def inputs(steps, seed=0, size=1, accumulate=1, workers=0):
    """{row: input} of each step, over all processes and micro-batches."""
    found = [{} for _ in steps]
    for rank in range(size):
        split = RowSplit(ranks=Ranks(rank, size), accumulate=accumulate)
        loader = BatchLoader([Noisy()], CPU, split, workers, seed=seed)
        draws = [BatchIndices({"noisy": rows}, ("size",), step) for step, rows in steps.items()]
        for index, step in enumerate(loader.batches(draws)):
            for (batch,) in step.micro[0]:
                found[index] |= dict(zip(batch.targets["size"].tolist(), batch.inputs[:, 0].tolist()))
    return found


STEPS = {4: torch.tensor([3, 1, 5, 0, 9, 2]), 5: torch.tensor([3, 7, 1, 4, 8, 10])}


@pytest.mark.parametrize("dealt", [{"size": 2}, {"accumulate": 3}, {"workers": 2}])
def test_a_row_gets_the_same_augmentation_however_the_step_is_dealt_out(dealt):
    assert inputs(STEPS, **dealt) == inputs(STEPS)


def test_it_changes_with_the_step_and_the_seed():
    first, second = inputs(STEPS)
    assert first[3] != second[3]
    assert first != inputs(STEPS, seed=1)[0]
    assert inputs({5: STEPS[5]}) == [second]  # a resumed run goes on alike


def test_draws_outside_go_on_as_if_nothing_had_happened():
    torch_state, numpy_state, state = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    fetch(Noisy(), torch.tensor([1]), 0, 0)
    assert torch.equal(torch.get_rng_state(), torch_state)
    assert np.random.get_state()[1].tolist() == numpy_state
    assert random.getstate() == state


class _Model(nn.Module):
    def forward(self, inputs, rows):
        return {"size": inputs}


@pytest.mark.parametrize("sources", [[Noisy()], [TensorSource("memory", torch.rand(5, 1), {"size": torch.rand(5)})]])
def test_scores_do_not_depend_on_the_workers(sources):
    tasks = {"size": Regression("size")}
    alone, helped = (Evaluator(_Model(), tasks, CPU, Precision.fp32, 5, workers=count) for count in (0, 2))
    assert alone.evaluate(sources) == helped.evaluate(sources)


class _Second(Ranks):
    """The second of two processes, alone; keeps what it would send."""

    def __init__(self):
        super().__init__(1, 2)

    def all_gather_object(self, value):
        self.sent = value
        return [value]

    def copy_from_first(self, tensors):
        pass

    def broadcast_object(self, value):
        return value


class _First(_Second):
    """The first of two processes, which gets what the second has sent."""

    def __init__(self, second):
        Ranks.__init__(self, 0, 2)
        self._second = second

    def all_gather_object(self, value):
        return [value, self._second.sent]


def test_two_processes_score_the_rows_of_all_sources_as_one():
    sources = [
        TensorSource(name, torch.rand(rows, 1), {"size": torch.rand(rows)}) for name, rows in (("a", 5), ("b", 4))
    ]
    tasks, network, second = {"size": Regression("size")}, _Model(), _Second()
    alone, parts = (
        Evaluator(network, tasks, CPU, Precision.fp32, 3, ranks).evaluate(sources) for ranks in (Ranks(), second)
    )
    assert parts == {}  # the first one sums up
    assert second.sent["size"].positions.tolist() == [1, 3, 5 + 1, 5 + 3]
    together = Evaluator(network, tasks, CPU, Precision.fp32, 3, _First(second)).evaluate(sources)
    assert together["size"] == pytest.approx(alone["size"], rel=1e-5)


def test_the_loss_is_the_mean_over_all_rows():
    rows = TensorSource("rows", torch.rand(7, 1), {"size": torch.rand(7)})
    evaluator = Evaluator(_Model(), {"size": Regression("size")}, CPU, Precision.fp32, 3)
    found = evaluator.evaluate([rows])["size"]["loss"]
    assert found == pytest.approx(evaluator.row_losses(rows)["size"].mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("limit", "rows"), [(4, [0, 2, 5, 7]), (10, [*range(10)]), (99, [*range(10)]), (None, [*range(10)])]
)
def test_a_limited_evaluation_takes_rows_from_all_over_the_split(limit, rows):
    assert chosen_rows(10, limit).tolist() == rows
