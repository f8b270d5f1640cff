"""A small network with its gradients worked out separately by autograd, and an engine on it."""

import torch
from torch import nn

from mtlrun.balancers.base import GramBalancer
from mtlrun.gradients.base import EngineSettings, FeatureTap, ParameterGroups
from mtlrun.gradients.engine import Engine

TASKS = ("a", "b", "c")


class Net(nn.Module):
    """Two shared layers and one head per task; float64, so that equalities are sharp."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(5, 7), nn.Linear(7, 6)
        self.heads = nn.ModuleDict({task: nn.Linear(6, 1) for task in TASKS})
        self.double()

    def losses(self, inputs, tasks=TASKS):
        features = torch.tanh(self.second(torch.tanh(self.first(inputs))))
        return {t: ((self.heads[t](features) - k) ** 2).mean() * 10**k for k, t in enumerate(TASKS) if t in tasks}

    def shared(self):
        return [*self.first.parameters(), *self.second.parameters()]

    def own(self):
        return {task: [*self.heads[task].parameters()] for task in TASKS}


class Descending(GramBalancer):
    """Weights 1, 2, 3, ... by row, or half of that when told."""

    def solve(self, gram, losses, tasks):
        return torch.arange(1.0, len(gram) + 1, dtype=torch.float64) * (1 + (gram.diagonal() > 0).double())


INPUTS = torch.randn(12, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def engine(net, balancer, **settings):
    settings = EngineSettings(**settings)
    tap = FeatureTap(net.second) if settings.gradients == "features" else None
    return Engine(ParameterGroups(net.shared(), net.own(), [*net.second.parameters()], tap), balancer, settings)


def step(net, run, inputs=INPUTS, tasks=TASKS, parts=1, **options):
    net.zero_grad()
    pieces = [part for batch in inputs.tensor_split(run.balancer.batches) for part in batch.tensor_split(parts)]
    losses = ({t: loss / parts for t, loss in net.losses(piece, tasks).items()} for piece in pieces)
    return run.backward(losses, tasks, parts, **options)


def expected(net, tasks=TASKS, inputs=INPUTS):
    """(jacobian [T, P], own gradients) one task at a time."""
    rows, own = [], {}
    for task in tasks:
        loss = net.losses(inputs)[task]
        found = torch.autograd.grad(loss, [*net.shared(), *net.own()[task]])
        rows.append(torch.cat([g.flatten() for g in found[: len(net.shared())]]))
        own[task] = torch.cat([g.flatten() for g in found[len(net.shared()) :]])
    return torch.stack(rows), own


def shared_grad(net):
    return torch.cat([parameter.grad.flatten() for parameter in net.shared()])


def own_grad(net, task):
    return torch.cat([parameter.grad.flatten() for parameter in net.own()[task]])
