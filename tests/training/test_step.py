"""What a step adds to the gradients of the losses, and what it finds after the update."""

from types import SimpleNamespace

import torch
from torch import nn

from mtlrun.gradients.ranks import Ranks
from mtlrun.training import step
from mtlrun.training.step import add_penalty, losses_after


class Pulled(nn.Module):
    """Stands for a network whose sharing scheme pulls its one parameter towards zero."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.sharing = self

    def penalty(self):
        return self.weight.square().sum()


def test_the_penalty_has_the_scale_of_the_losses():
    """Under mixed precision all gradients are divided by the scale before the update."""
    model = Pulled()
    model.weight.grad = torch.tensor([1.0, 1.0])
    add_penalty(model, 8.0)
    assert model.weight.grad.tolist() == [17.0, -31.0]


def test_losses_after_the_step_are_the_mean_over_its_batches(monkeypatch):
    """As those before it are. Two batches of two micro-batches, whose losses add up; a task may be absent."""
    found = [{"a": 1.0}, {"a": 2.0, "b": 4.0}, {"b": 6.0}, {"a": 5.0}]
    losses = [{task: torch.tensor(value) for task, value in part.items()} for part in found]
    monkeypatch.setattr(step, "micro_losses", lambda stepper, batch: losses)
    stepper = SimpleNamespace(device=torch.device("cpu"), engine=SimpleNamespace(ranks=Ranks()))
    batch = SimpleNamespace(counts=[{"a": 2, "b": 1}, {"a": 1, "b": 1}])
    assert losses_after(stepper, batch, ("a", "b")).tolist() == [4.0, 5.0]
