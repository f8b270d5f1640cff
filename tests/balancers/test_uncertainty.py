import math

import pytest
import torch

from mtlrun.balancers import load


@pytest.mark.parametrize(("form", "factor"), [("regression", 0.5), ("classification", 1.0)])
def test_first_weights(form, factor):
    weights, _ = load("uncertainty", form=form).combine(torch.tensor([3.0, 0.1]), torch.eye(2))
    assert weights.tolist() == [factor, factor]


def test_follows_torch_adam_on_the_paper_objective():
    """The same s as torch.optim.Adam with autograd on L exp(-s)/2 + s/2."""
    balancer = load("uncertainty", lr=0.1)
    s = torch.zeros(2, requires_grad=True, dtype=torch.float64)
    adam = torch.optim.Adam([s], lr=0.1)
    for step in range(20):
        losses = torch.tensor([2.0 + step, 0.3], dtype=torch.float64)
        weights, _ = balancer.combine(losses, torch.eye(2, dtype=torch.float64))
        torch.testing.assert_close(weights, 0.5 * torch.exp(-s.detach()))
        adam.zero_grad()
        (losses * torch.exp(-s) / 2 + s / 2).sum().backward()
        adam.step()


@pytest.mark.parametrize(("form", "minimiser"), [("regression", math.log(4.0)), ("classification", math.log(8.0))])
def test_settles_at_the_minimiser(form, minimiser):
    """d/ds (f L exp(-s) + s/2) = 0 at exp(s) = 2 f L."""
    balancer = load("uncertainty", lr=0.05, form=form)
    for _ in range(2000):
        weights, _ = balancer.combine(torch.tensor([4.0]), torch.ones(1, 1))
    factor = 0.5 if form == "regression" else 1.0
    assert -math.log(weights.item() / factor) == pytest.approx(minimiser, abs=1e-3)


@pytest.mark.parametrize(
    ("option", "word"), [({"lr": 0.0}, "lr"), ({"form": "regresion"}, "did you mean 'regression'")]
)
def test_bad_options(option, word):
    with pytest.raises(ValueError, match=word):
        load("uncertainty", **option)
