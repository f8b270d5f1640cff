import pytest
import torch

from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.dselect_k import DSelectK
from mtlrun.sharing.selector import SelectorGate, smooth_step

TASKS = ["lane", "sign"]


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 3])


@pytest.mark.parametrize("gamma", [0.5, 1.0, 4.0])
def test_smooth_step(gamma: float) -> None:
    values = gamma * torch.tensor([-2.0, -0.5, -0.25, 0.0, 0.25, 0.5, 2.0])
    inner = -2 / gamma**3 * values**3 + 3 / (2 * gamma) * values + 0.5
    expected = torch.tensor([0, 0, inner[2], 0.5, inner[4], 1, 1])
    torch.testing.assert_close(smooth_step(values, gamma), expected)


def test_a_selector_finds_an_expert_by_its_code() -> None:
    gate = SelectorGate(experts=8, k=1, gamma=1)
    for expert in range(8):
        digits = [(expert >> index) % 2 for index in range(3)]
        gate.z.data = torch.tensor(digits).view(1, 1, 3) - 0.5
        assert gate.selectors().argmax() == expert
        torch.testing.assert_close(gate(torch.empty(2, 5)), torch.eye(8)[[expert, expert]])


def test_weights_are_a_mixture_of_selectors() -> None:
    gate = SelectorGate(experts=4, k=2, gamma=1)
    gate.z.data, gate.alpha.data = torch.tensor([[[0.1, -0.3]], [[-0.2, 0.4]]]), torch.tensor([0.3, -0.5])
    (a, b), (c, d) = smooth_step(gate.z.data, 1)[:, 0]
    first = torch.stack([(1 - a) * (1 - b), a * (1 - b), (1 - a) * b, a * b])
    second = torch.stack([(1 - c) * (1 - d), c * (1 - d), (1 - c) * d, c * d])
    share = gate.alpha.data.softmax(0)
    torch.testing.assert_close(gate(torch.empty(1, 5))[0], share[0] * first + share[1] * second)


def test_starts_almost_uniform_and_not_symmetric() -> None:
    scheme = DSelectK(build_mlp, TASKS)
    scheme(torch.randn(6, 5), dict.fromkeys(TASKS))
    for weights in scheme.gates().values():
        torch.testing.assert_close(weights, torch.full((4,), 0.25), rtol=0, atol=0.02)
        assert len({*weights.tolist()}) > 1


@pytest.mark.parametrize("experts", [4, 8])
def test_entropy_leaves_at_most_k_experts(experts: int) -> None:
    torch.manual_seed(0)
    scheme = DSelectK(build_mlp, TASKS, experts=experts, k=2, entropy=1.0)
    descend(scheme)
    scheme(torch.randn(6, 5), dict.fromkeys(TASKS))
    for weights in scheme.gates().values():
        assert 1 <= (weights > 1e-6).sum() <= 2
        torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    assert scheme.penalty() < 1e-3


def test_codes_without_an_expert_are_left() -> None:
    """Of 4 codes one has no expert; selectors that almost have settled on it must come back."""
    torch.manual_seed(0)
    scheme = DSelectK(build_mlp, TASKS, experts=3, entropy=1.0)
    for gate in scheme.gating.values():
        gate.z.data = 0.4 + 0.02 * torch.randn_like(gate.z)
        assert gate.selectors().sum(1).max() < 0.1
    descend(scheme)
    for gate in scheme.gating.values():
        assert gate.selectors().sum(1).min() > 0.98


def descend(scheme: DSelectK) -> None:
    optimizer = torch.optim.Adam(scheme.parameters(), lr=0.02)
    for _ in range(250):
        optimizer.zero_grad()
        scheme.penalty().backward()
        optimizer.step()


def test_penalty_written_out() -> None:
    scheme = DSelectK(build_mlp, TASKS, experts=3, entropy=0.3)
    terms = []
    for gate in scheme.gating.values():
        for weights in gate.selectors():
            terms += [-0.3 * (weights * weights.log()).sum(), 1 / weights.sum()]
    torch.testing.assert_close(scheme.penalty(), sum(terms))


def test_no_penalty_without_entropy() -> None:
    assert DSelectK(build_mlp, TASKS, entropy=0).penalty() is None
    assert DSelectK(build_mlp, TASKS, experts=3, entropy=0).penalty() is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"experts": 1, "k": 1}, "sharing.experts must be a whole number of at least 2, found 1"),
        ({"k": 0}, "sharing.k must be a whole number of at least 1, found 0"),
        ({"k": 5}, "sharing.k=5 must be at most sharing.experts=4"),
        ({"gamma": 0}, "sharing.gamma must be a number from 1e-06 to 1e+06, found 0"),
        ({"gamma": -1}, "sharing.gamma must be a number from 1e-06 to 1e+06, found -1"),
        ({"gamma": 1e300}, "sharing.gamma must be a number from 1e-06 to 1e+06, found 1e+300"),
        ({"entropy": -0.1}, "sharing.entropy must be a finite number of at least 0, found -0.1"),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        DSelectK(build_mlp, TASKS, **options)
    assert str(caught.value) == message
