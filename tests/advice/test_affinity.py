"""The look-ahead affinity against a computation by hand on a linear network."""

import pytest
import torch

from mtlrun.advice.affinity import LookAhead, measured_along
from mtlrun.advice.look import built
from mtlrun.samplers.base import TrainingProgress
from mtlrun.training.step import train_step

WORDS = [
    "task=study_conflict",
    "data.rows=40",
    "data.held_out=20",
    "data.noise=0.5",
    "trainer.batch_size=10",
    "optimizer=sgd",
    "optimizer.lr=0.05",
    "sharing=hard",
]


@pytest.fixture
def trainer():
    with built(WORDS) as made:
        yield made


def first_batch(trainer):
    return next(iter(trainer.loader.batches(iter([trainer.sampler.next(TrainingProgress(0, 0, 0.0))]))))


def test_it_is_what_a_step_on_one_task_does_to_held_out_losses(trainer):
    batch = first_batch(trainer)
    (parts,) = batch.micro[0]
    inputs, targets = parts[0].inputs.double(), [parts[0].targets[task].double().flatten() for task in trainer.tasks]
    (source,) = trainer.splits.val
    held, labels = source.fetch(torch.arange(len(source)))
    held, labels = held.double(), [labels[task].double().flatten() for task in trainer.tasks]
    (weight,) = [parameter.detach().double().flatten() for parameter in trainer.model.parameters()]

    gradients = [2 * inputs.T @ (inputs @ weight - target) / len(inputs) for target in targets]
    length = (0.05 * sum(gradients)).norm()  # of the step that the run takes
    losses = lambda at: torch.stack([(held @ at - label).square().mean() for label in labels])  # noqa: E731
    ahead = torch.stack([losses(weight - length * own / own.norm()) for own in gradients])
    expected = 1 - ahead / losses(weight)

    table = LookAhead(trainer).step(batch)
    torch.testing.assert_close(table, expected, rtol=1e-4, atol=1e-6)
    assert (table.diagonal() > 0).all()
    assert (table - table.diagonal().diag() < 0).fill_diagonal_(True).all()  # opposite tasks undo each other


def test_the_network_has_taken_the_step_of_the_run_and_no_other(trainer):
    LookAhead(trainer).step(first_batch(trainer))
    with built(WORDS) as other:
        train_step(other.stepper, first_batch(other), measure=False)
        for ours, theirs in zip(trainer.model.state_dict().values(), other.model.state_dict().values()):
            torch.testing.assert_close(ours, theirs)


def test_every_tenth_step_of_the_joint_run_is_measured(trainer):
    found = measured_along(trainer, steps=11)
    assert (found.tasks, found.steps) == (("plus", "minus"), 2)
    assert found.on("plus", ["minus"]) < 0 < found.on("plus", ["plus"])
