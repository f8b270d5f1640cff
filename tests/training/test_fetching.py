"""Random augmentation: of a row in a step the same, however the step is dealt out, and nobody else's draws change."""

import pytest
import torch
from torch import nn

from mtlrun.data.source import Source, TensorSource
from mtlrun.gradients.ranks import Ranks
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.tasks.regression import Regression
from mtlrun.training.evaluate import Evaluator
from mtlrun.training.fetching import fetch
from mtlrun.training.loader import Loader
from mtlrun.training.settings import Precision

CPU = torch.device("cpu")


class Noisy(Source):
    """Rows of one number each: their own plus noise."""

    name, tasks, input_shape = "noisy", ("size",), (1,)

    def __len__(self):
        return 12

    def labelled(self, task):
        return torch.ones(12, dtype=torch.bool)

    def fetch(self, rows):
        start = int(torch.randint(2**31, ()))
        noise = [torch.rand(1, generator=torch.Generator().manual_seed(start + row)) for row in rows.tolist()]
        return rows[:, None] + torch.stack(noise), {"size": rows.float()}


def inputs(steps, seed=0, size=1, accumulate=1, workers=0):
    """{row: input} of each step, over all processes and micro-batches."""
    found = [{} for _ in steps]
    for rank in range(size):
        loader = Loader([Noisy()], CPU, accumulate, workers, ranks=Ranks(rank, size), seed=seed)
        draws = [BatchIndices({"noisy": rows}, ("size",), step) for step, rows in steps.items()]
        for place, step in enumerate(loader.batches(draws)):
            for (batch,) in step.micro[0]:
                found[place] |= dict(zip(batch.targets["size"].tolist(), batch.inputs[:, 0].tolist()))
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
    state = torch.get_rng_state()
    fetch(Noisy(), torch.tensor([1]), 0, 0)
    assert torch.equal(torch.get_rng_state(), state)


class _Model(nn.Module):
    def forward(self, inputs, rows):
        return {"size": inputs}


@pytest.mark.parametrize("sources", [[Noisy()], [TensorSource("memory", torch.rand(5, 1), {"size": torch.rand(5)})]])
def test_scores_do_not_depend_on_the_workers(sources):
    tasks = {"size": Regression("size")}
    alone, helped = (Evaluator(_Model(), tasks, CPU, Precision.fp32, 5, workers=count) for count in (0, 2))
    assert alone.evaluate(sources) == helped.evaluate(sources)
