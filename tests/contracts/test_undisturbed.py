"""Looking at a network changes nothing of it, nor of the random numbers to come."""

import random

import numpy as np
import torch
from torch import Tensor, nn

from mtlrun.backbones.id_bounds import IdBounds
from mtlrun.contracts.undisturbed import undisturbed


class Noting(nn.Module):
    """Notes what it sees, in an attribute, an entry, a buffer and a check that looks once."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Tensor | None = None
        self.notes: dict[str, int] = {"kept": 1}
        self.bounds = IdBounds(4, "token", "take others")
        self.register_buffer("count", torch.zeros(()))
        self.norm, self.drop, self.fixed = nn.BatchNorm1d(3), nn.Dropout(0.5), nn.Dropout(0.5).eval()

    def forward(self, inputs: Tensor) -> Tensor:
        self.seen, self.fresh = inputs, True
        self.notes |= {"new": 2}
        self.count += 1
        self.bounds.checked = True
        return self.fixed(self.drop(self.norm(inputs)))


def test_everything_is_as_before() -> None:
    network, inputs = Noting(), torch.randn(5, 3)
    count, state = network.count, {name: value.clone() for name, value in network.state_dict().items()}
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    expected = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    with undisturbed(network):
        torch.testing.assert_close(network(inputs), network(inputs))  # nothing is dropped
        random.random(), np.random.rand(), torch.rand(())
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == expected
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert network.count is count
    assert (network.seen, network.notes, network.bounds.checked) == (None, {"kept": 1}, False)
    assert not hasattr(network, "fresh")
    assert [module.training for module in (network, network.norm, network.drop, network.fixed)] == [True] * 3 + [False]
