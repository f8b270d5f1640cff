"""Fifty steps beside each method written anew from its paper's equations, as a weighted loss of the whole network."""

import itertools

import numpy as np
import pytest
import torch
from sampling import sampled
from scipy.optimize import brentq, least_squares
from torch import nn

from mtlrun.balancers import load
from mtlrun.gradients.base import EngineSettings, ParameterGroups
from mtlrun.gradients.engine import Engine

STEPS = 50
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.02, momentum=0.5),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.005),
}


class Net(nn.Module):
    """Two shared layers and a head per task, in float64: the tasks pull the same features to different targets."""

    def __init__(self, count):
        super().__init__()
        torch.manual_seed(3)
        self.first, self.last = nn.Linear(6, 10), nn.Linear(10, 8)
        self.heads = nn.ModuleDict({str(task): nn.Linear(8, 1) for task in range(count)})
        self.double()

    def losses(self, step):
        """Of a batch that follows from the number of the step; the scales differ by a factor of ten."""
        inputs = torch.randn(16, 6, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
        features = torch.tanh(self.last(torch.tanh(self.first(inputs))))
        found = {}
        for task, head in self.heads.items():
            target = torch.sin(inputs @ torch.arange(1.0, 7.0).to(inputs).roll(int(task)))
            found[task] = (head(features)[:, 0] - target).square().mean() * 10.0 ** (int(task) - 1)
        return found

    def shared(self):
        return [*self.first.parameters(), *self.last.parameters()]


def balanced(count, name, options, optimizer, **settings):
    """The parameters after the steps of our engine."""
    net = Net(count)
    own = {task: [*head.parameters()] for task, head in net.heads.items()}
    groups = ParameterGroups(net.shared(), own, [*net.last.parameters()])
    run = Engine(groups, load(name, **options), EngineSettings(**settings))
    moved = OPTIMIZERS[optimizer](net.parameters())
    for step in range(STEPS):
        moved.zero_grad()
        run.backward([net.losses(step)], tuple(net.heads))
        moved.step()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def written_anew(count, weigh, optimizer, last_layer=False):
    """The parameters after the steps of sum_t w_t L_t, with w = weigh(gradients [T, P], losses [T])."""
    net = Net(count)
    moved = OPTIMIZERS[optimizer](net.parameters())
    seen = [*net.last.parameters()] if last_layer else net.shared()
    for step in range(STEPS):
        losses = torch.stack([*net.losses(step).values()])
        rows = [torch.autograd.grad(loss, seen, retain_graph=True) for loss in losses]
        gradients = torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])
        weights = weigh(gradients, losses.detach())
        moved.zero_grad()
        (weights.detach() @ losses).backward()
        moved.step()
    return torch.cat([parameter.detach().flatten() for parameter in net.parameters()])


def mgda():
    """min |sum_t w_t g_t| on the simplex: of every face the point where all its g_t . d are equal, if inside it."""

    def weigh(gradients, losses):
        gram, count = gradients @ gradients.T, len(gradients)
        best = None
        for size in range(1, count + 1):
            for face in map(list, itertools.combinations(range(count), size)):
                found = torch.linalg.solve(gram[face][:, face], torch.ones(size, dtype=gram.dtype))
                w = gram.new_zeros(count).index_copy(0, torch.tensor(face), found / found.sum())
                if w.min() >= 0 and (best is None or w @ gram @ w < best @ gram @ best):
                    best = w
        return best

    return weigh


def imtl_g():
    """Eq. 2's closed form: alpha_2.. = g_1 U^T (D U^T)^-1 with D = g_1 - g_i, U = u_1 - u_i."""

    def weigh(gradients, losses):
        unit = gradients / gradients.norm(dim=1, keepdim=True)
        apart, turned = gradients[:1] - gradients[1:], unit[:1] - unit[1:]
        rest = gradients[0] @ turned.T @ torch.linalg.inv(apart @ turned.T)
        return torch.cat([1 - rest.sum(0, keepdim=True), rest])

    return weigh


def fair(alpha):
    """FairGrad's Eq. 4, G w = w^(-1/alpha), solved for log w; for alpha 1 the bargaining solution of Nash-MTL."""

    def weigh(gradients, losses):
        gram = (gradients @ gradients.T).numpy()
        alone = gram.diagonal() ** (-alpha / (1 + alpha))  # the solution for orthogonal gradients

        def residual(log_w):
            w = np.exp(log_w)
            return alone ** (1 / alpha) * (gram @ w - w ** (-1 / alpha))

        def slope(log_w):
            w = np.exp(log_w)
            return alone[:, None] ** (1 / alpha) * (gram * w + np.diag(w ** (-1 / alpha) / alpha))

        found = least_squares(residual, np.log(alone), slope, method="lm", xtol=1e-15, ftol=1e-15, gtol=1e-15)
        assert abs(found.fun).max() < 1e-10
        return torch.from_numpy(np.exp(found.x))

    return weigh


def cagrad(c):
    """Eq. 3 for two tasks: the zero of the derivative of g_w . g_0 + c |g_0| |g_w| along w = (x, 1 - x)."""

    def weigh(gradients, losses):
        mean, apart = gradients.mean(0), gradients[0] - gradients[1]
        radius = c * mean.norm()

        def mixed(x):
            return x * gradients[0] + (1 - x) * gradients[1]

        def slope(x):
            return float(apart @ mean + radius * (apart @ mixed(x)) / mixed(x).norm())

        x = 0.0 if slope(0.0) >= 0 else 1.0 if slope(1.0) <= 0 else brentq(slope, 0.0, 1.0, xtol=1e-15, rtol=1e-14)
        share = torch.tensor([x, 1 - x], dtype=gradients.dtype)
        return 0.5 + radius / mixed(x).norm() * share

    return weigh


def gradnorm(alpha, lr):
    """Algorithm 1: the loss of the norms by autograd, a step of Adam on w, and w renormalised to sum T."""
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    adam, first = torch.optim.Adam([w], lr=lr), []

    def weigh(gradients, losses):
        first.append(losses)
        used = w.detach().clone()
        lengths = w * gradients.norm(dim=1)
        rate = losses / first[0]
        target = (lengths.mean() * (rate / rate.mean()) ** alpha).detach()
        adam.zero_grad()
        (lengths - target).abs().sum().backward()
        adam.step()
        with torch.no_grad():
            w.mul_(len(w) / w.sum())
        return used

    return weigh


def excess_mtl(eta):
    """Eq. 6, 7 and 9, relative to the first step's excess risks."""
    state = {"squares": 0.0, "w": torch.full((3,), 1 / 3, dtype=torch.float64)}

    def weigh(gradients, losses):
        state["squares"] = state["squares"] + gradients.square()
        excess = (gradients.square() / state["squares"].sqrt()).sum(1)
        reference = state.setdefault("reference", excess)
        moved = state["w"] * (eta * excess / reference).exp()
        state["w"] = moved / moved.sum()
        return state["w"]

    return weigh


METHODS = {
    "mgda": (3, {}, mgda),
    "imtl_g": (3, {}, imtl_g),
    "nash_mtl": (3, {}, lambda: fair(1.0)),
    "fairgrad": (3, {"alpha": 2.0}, lambda: fair(2.0)),
    "cagrad": (2, {"c": 0.4}, lambda: cagrad(0.4)),
    "gradnorm": (3, {"alpha": 1.5, "lr": 0.01}, lambda: gradnorm(1.5, 0.01)),
    "excess_mtl": (3, {"eta": 0.5}, lambda: excess_mtl(0.5)),
}
"""balancer -> (tasks, its options, what makes the reference's weights)."""
SETTINGS = {"gradnorm": {"gradients": "last_stage"}}


@pytest.mark.parametrize(
    ("name", "optimizer"),
    sampled(
        itertools.product(METHODS, OPTIMIZERS),
        [*itertools.product(METHODS, ("sgd",)), ("gradnorm", "adam"), ("nash_mtl", "adam")],
    ),
)
def test_weighted_heads_train_as_the_paper_s_weighted_loss(name, optimizer):
    count, options, make = METHODS[name]
    settings = SETTINGS.get(name, {})
    expected = written_anew(count, make(), optimizer, last_layer=name == "gradnorm")
    found = balanced(count, name, options, optimizer, heads="weighted", **settings)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    unweighted = balanced(count, name, options, optimizer, heads="own", **settings)
    assert (unweighted - expected).abs().max() > 1e-3
