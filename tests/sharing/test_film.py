import pytest
import torch

from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.film import FiLM

TASKS = ["lane", "sign", "car"]
ALL = dict.fromkeys(TASKS)


def build_mlp() -> MLP:
    return MLP((5,), hidden=[4, 4, 4])


def perturbed(scheme: FiLM) -> FiLM:
    with torch.no_grad():
        for parameter in scheme.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return scheme


def test_starts_as_the_plain_backbone() -> None:
    torch.manual_seed(0)
    scheme = FiLM(build_mlp, TASKS)
    torch.manual_seed(0)
    inputs = torch.randn(6, 5)
    torch.manual_seed(0)
    plain = build_mlp()(inputs)
    # times 1 and plus 0 are exact
    torch.testing.assert_close(scheme(inputs, ALL), dict.fromkeys(TASKS, plain), rtol=0, atol=0)


def test_equals_gamma_h_plus_beta_written_out() -> None:
    scheme = perturbed(FiLM(lambda: CNN((3, 8, 8), channels=[4, 6], norm="none"), TASKS, hidden=None))
    inputs = torch.randn(2, 3, 8, 8)
    values, expected = inputs, []
    for name, stage in scheme.stages.items():
        layer = scheme.scale_and_shift[name]
        delta, beta = (layer.weight[:, 1] + layer.bias).view(2, -1, 1, 1)  # the second one-hot vector looks it up
        values = (1 + delta) * stage(values) + beta
        expected.append(values)
    torch.testing.assert_close(scheme(inputs, ALL)["sign"], expected)


def test_descriptors_decide() -> None:
    """Tasks with the same descriptor are the same to the network."""
    descriptors = {"lane": [1, 0.5], "sign": [0, -2], "car": [1, 0.5]}
    outputs = perturbed(FiLM(build_mlp, TASKS, descriptors=descriptors))(torch.randn(6, 5), ALL)
    torch.testing.assert_close(outputs["lane"], outputs["car"])
    assert not torch.allclose(outputs["lane"][-1], outputs["sign"][-1])


def test_common_stages_run_once_and_later_ones_on_all_tasks_together() -> None:
    scheme = perturbed(FiLM(build_mlp, TASKS, split="layer2"))
    seen: dict[str, list[int]] = {name: [] for name in scheme.stages}
    for name, stage in scheme.stages.items():
        stage.register_forward_hook(lambda _, inputs, output, name=name: seen[name].append(len(output)))
    outputs = scheme(torch.randn(6, 5), {"lane": None, "sign": torch.tensor([4, 5])})
    assert seen == {"layer1": [6], "layer2": [6], "layer3": [8]}
    assert torch.equal(outputs["lane"][0][4:], outputs["sign"][0])  # computed once, for both
    assert not torch.allclose(outputs["lane"][1][4:], outputs["sign"][1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "layer9"}, "no stage for sharing.split 'layer9'; did you mean 'layer3'?"),
        ({"hidden": 0}, "sharing.hidden must be a whole number of at least 1, found 0"),
        ({"descriptors": [1]}, "sharing.descriptors must give each task a list of numbers, found [1]"),
        ({"descriptors": {"lanes": [1]}}, "no task for sharing.descriptors 'lanes'; did you mean 'lane'?"),
        (
            {"descriptors": {"lane": [1], "sign": [2]}},
            "sharing.descriptors must give each task a list of numbers, and has none for 'car'",
        ),
        (
            {"descriptors": {"lane": [1], "sign": "two", "car": [1]}},
            "sharing.descriptors.sign must be a list of numbers, found 'two'",
        ),
        (
            {"descriptors": {"lane": [1], "sign": [float("nan")], "car": [1]}},
            "sharing.descriptors.sign must be a list of numbers, found [nan]",
        ),
        (
            {"descriptors": {"lane": [1], "sign": [1, 2], "car": [1]}},
            "sharing.descriptors must have the same length for all tasks, found lane 1, sign 2, car 1",
        ),
    ],
)
def test_bad_options(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        FiLM(build_mlp, TASKS, **options)
    assert str(caught.value).startswith(message)
