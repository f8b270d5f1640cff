"""What a step adds to the gradients of the losses."""

import torch
from torch import nn

from mtlrun.training.step import add_penalty


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
