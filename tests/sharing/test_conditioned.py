import pytest
import torch

from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.mlp import MLP
from mtlrun.errors import ConfigError
from mtlrun.sharing.conditioned import Conditioned

TASKS = ["lane", "sign"]
ALL = dict.fromkeys(TASKS)
DESCRIPTORS = {"lane": [1.0, -1.0, 0.5], "sign": [0.0, 2.0, 0.5]}


def build_cnn() -> CNN:
    return CNN((3, 8, 8), channels=[4, 6], norm="none")


def perturbed(scheme: Conditioned) -> Conditioned:
    with torch.no_grad():
        for parameter in scheme.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return scheme


@pytest.mark.parametrize("join", ["concat", "multiply", "both"])
@pytest.mark.parametrize("build", [build_cnn, lambda: MLP((3, 8, 8), hidden=[4, 6])])
def test_starts_as_the_plain_backbone(join: str, build: object) -> None:
    torch.manual_seed(0)
    scheme = Conditioned(build, TASKS, join=join)
    inputs = torch.randn(2, 3, 8, 8)
    torch.manual_seed(0)
    plain = build()(inputs)
    torch.testing.assert_close(scheme(inputs, ALL), dict.fromkeys(TASKS, plain))


def test_concat_is_a_linear_layer_on_features_and_descriptor() -> None:
    scheme = perturbed(Conditioned(build_cnn, TASKS, descriptors=DESCRIPTORS))
    inputs = torch.randn(2, 3, 8, 8)
    features = scheme.stages["block1"](inputs)
    planes = torch.tensor(DESCRIPTORS["sign"]).view(1, 3, 1, 1).expand(2, -1, *features.shape[2:])
    weight = torch.cat([scheme.of_features["block1"].weight, scheme.shift["block1"].weight[:, :, None, None]], 1)
    expected = torch.nn.functional.conv2d(torch.cat([features, planes], 1), weight, scheme.shift["block1"].bias)
    torch.testing.assert_close(scheme(inputs, ALL)["sign"][0], expected)


def test_multiply_scales_channels() -> None:
    scheme = perturbed(Conditioned(build_cnn, TASKS, descriptors=DESCRIPTORS, join="multiply"))
    inputs = torch.randn(2, 3, 8, 8)
    scale = 1 + scheme.scale["block1"].weight @ torch.tensor(DESCRIPTORS["sign"])
    expected = scheme.stages["block1"](inputs) * scale.view(1, -1, 1, 1)
    torch.testing.assert_close(scheme(inputs, ALL)["sign"][0], expected)


def test_joins_from_the_split_on() -> None:
    scheme = perturbed(Conditioned(build_cnn, TASKS, split="block2", join="both"))
    assert [*scheme.shift] == [*scheme.scale] == ["block2"]
    outputs = scheme(torch.randn(2, 3, 8, 8), ALL)
    assert torch.equal(outputs["lane"][0], outputs["sign"][0])  # computed once, for both
    assert not torch.allclose(outputs["lane"][1], outputs["sign"][1])


def test_no_task_has_parameters_of_its_own() -> None:
    scheme = Conditioned(build_cnn, TASKS, join="both")
    assert scheme.task_parameters("lane") == []
    assert len(scheme.shared_parameters()) == len([*scheme.parameters()])


def test_bad_join() -> None:
    with pytest.raises(ConfigError) as caught:
        Conditioned(build_cnn, TASKS, join="concatenate")
    assert str(caught.value) == (
        "no sharing.join 'concatenate'; did you mean 'concat'? (there are: concat, multiply, both)"
    )
