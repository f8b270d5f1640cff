from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.transformer import Transformer
from mtlrun.errors import ConfigError
from mtlrun.sharing.lora import LoRA
from mtlrun.types import Feature

TASKS = ["ner", "mood"]
ALL = dict.fromkeys(TASKS)


def encoder() -> Transformer:
    return Transformer((6, 2), vocabulary=20, width=8, layers=2, heads=2, dropout=0.0)


def some_text() -> Tensor:
    return torch.stack([torch.randint(20, (4, 6)), torch.ones(4, 6, dtype=torch.long)], 2)


def moved(scheme: LoRA) -> LoRA:
    """With updates that are no longer 0."""
    for task in scheme.tasks:
        for parameter in scheme.task_parameters(task):
            nn.init.normal_(parameter)
    return scheme


def test_starts_as_the_body() -> None:
    plain = encoder()
    scheme, text = LoRA(lambda: deepcopy(plain), TASKS), some_text()
    # times 1 and plus 0 are exact
    torch.testing.assert_close(scheme(text, ALL), dict.fromkeys(TASKS, plain(text)), rtol=0, atol=0)


def layer_of(scheme: LoRA, task: str, stage: str) -> nn.Module:
    """The updated linear layer of a stage of an MLP."""
    return next(module for module in scheme.bodies[f"task_{task}"][stage].modules() if hasattr(module, "A"))


def test_equals_updated_weights_written_out() -> None:
    scheme = moved(LoRA(lambda: MLP((5,), hidden=[4, 3]), TASKS, rank=2, alpha=3.0, layers=None))
    inputs = torch.randn(6, 5)
    values, expected = inputs, []
    for stage in ("layer1", "layer2"):
        own, body = layer_of(scheme, "mood", stage), layer_of(scheme, "ner", stage).layer
        weight = body.weight + 3.0 / 2 * own.B @ own.A
        values = functional.relu(values @ weight.T + body.bias)
        expected.append(values)
        torch.testing.assert_close(own.weight, weight)
    torch.testing.assert_close(scheme(inputs, ALL)["mood"], expected)


def test_default_updates_query_and_value() -> None:
    scheme = LoRA(encoder, TASKS)
    updated = {name for name, module in scheme.bodies["task_ner"].named_modules() if hasattr(module, "A")}
    assert updated == {f"block{i}.attention.{name}" for i in (1, 2) for name in ("query", "value")}
    assert sum(parameter.numel() for parameter in scheme.task_parameters("ner")) == 4 * 2 * 8 * 8


@pytest.mark.parametrize(
    ("layers", "count"), [(["out"], 2), (["block2.attention.key"], 1), (["widen", "narrow"], 4), (None, 12)]
)
def test_chosen_layers(layers: list[str] | None, count: int) -> None:
    scheme = LoRA(encoder, TASKS, layers=layers)
    assert len(scheme.task_parameters("mood")) == 2 * count


def test_only_updates_learn() -> None:
    scheme = LoRA(encoder, TASKS)
    learning = {id(parameter) for parameter in scheme.parameters() if parameter.requires_grad}
    assert learning == {id(parameter) for task in TASKS for parameter in scheme.task_parameters(task)}
    before = {name: value.clone() for name, value in scheme.named_parameters()}
    optimizer = torch.optim.SGD([p for p in scheme.parameters() if p.requires_grad], lr=0.1)
    text = some_text()
    for _ in range(2):  # A learns once B has left 0
        optimizer.zero_grad()
        scheme(text, {"mood": None})["mood"][-1].pow(3).sum().backward()
        optimizer.step()
    changed = {name for name, value in scheme.named_parameters() if not torch.equal(value, before[name])}
    own = {id(parameter) for parameter in scheme.task_parameters("mood")}
    assert changed == {name for name, value in scheme.named_parameters() if id(value) in own}


def test_bodies_stay_one_when_moved_loaded_and_trained() -> None:
    scheme = LoRA(encoder, TASKS, freeze=False).double()
    scheme.load_state_dict(LoRA(encoder, TASKS).state_dict())
    optimizer = torch.optim.SGD(scheme.parameters(), lr=0.1)
    scheme(some_text(), ALL)["mood"][-1].pow(3).sum().backward()
    optimizer.step()
    ner, mood = (scheme.bodies[f"task_{task}"]["block1"] for task in TASKS)
    assert ner.attention.query.layer.weight is mood.attention.query.layer.weight
    assert ner.attention.query.A is not mood.attention.query.A
    assert ner.norm1.weight is mood.norm1.weight


def test_statistics_of_a_task_see_its_rows_only() -> None:
    scheme = LoRA(lambda: MLP((5,), hidden=[4], norm="batch"), TASKS, layers=None)
    buffers = {task: dict(scheme.bodies[f"task_{task}"].named_buffers()) for task in TASKS}
    before = deepcopy(buffers)
    scheme(torch.randn(5, 5), {"mood": torch.tensor([0, 3])})
    name = next(name for name in before["ner"] if name.endswith("running_mean"))
    assert torch.equal(buffers["ner"][name], before["ner"][name])
    assert not torch.equal(buffers["mood"][name], before["mood"][name])


def test_half_precision_keeps_small_updates() -> None:
    scheme = LoRA(lambda: MLP((64,), hidden=[1]), TASKS, rank=1, alpha=1.0, layers=None)
    layer, inputs = layer_of(scheme, "mood", "layer1"), torch.ones(1, 64)
    with torch.no_grad():
        layer.layer.weight.copy_(torch.tensor([1.0, -1.0]).repeat(32))
    nn.init.zeros_(layer.layer.bias)
    nn.init.ones_(layer.A)
    nn.init.constant_(layer.B, 1e-3)  # less than half the distance from 1 to the next number of bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(layer(inputs).float(), torch.tensor([[0.064]]), rtol=0.01, atol=0)
        assert functional.linear(inputs, layer.weight, layer.bias) != layer(inputs)


class _Attention(nn.Module):
    """torch's own attention, which reads the weights of its last layer without calling it."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, values: Tensor) -> Tensor:
        tokens = values[:, :, 0].transpose(1, 2)
        return self.attention(tokens, tokens, tokens)[0].transpose(1, 2)[:, :, None]


def test_layers_whose_weights_are_read_are_updated_too() -> None:
    plain = Backbone({"attention": _Attention()}, [Feature("attention", 8, 1)])
    scheme, inputs = LoRA(lambda: deepcopy(plain), TASKS, layers=["out_proj"]), torch.randn(3, 8, 1, 5)
    torch.testing.assert_close(scheme(inputs, ALL)["mood"], plain(inputs))
    layer = moved(scheme).bodies["task_mood"]["attention"].attention.out_proj
    with torch.no_grad():
        plain.stages["attention"].attention.out_proj.weight.copy_(layer.weight)
    torch.testing.assert_close(scheme(inputs, ALL)["mood"], plain(inputs))
    with pytest.raises(
        ConfigError, match=r"no linear layer for sharing\.layers 'query' \(there are: out_proj, or null"
    ):
        LoRA(lambda: deepcopy(plain), TASKS)


@pytest.mark.parametrize(
    ("backbone", "options", "message"),
    [
        (encoder, {"rank": 0}, "sharing.rank must be a whole number of at least 1, found 0"),
        (encoder, {"alpha": "big"}, "sharing.alpha must be a finite number of at least 1e-06, found 'big'"),
        (encoder, {"freeze": "yes"}, "sharing.freeze must be true or false, found 'yes'"),
        (
            encoder,
            {"layers": "query"},
            "sharing.layers must be a list of names such as [query,value], or null, found 'query'",
        ),
        (encoder, {"layers": []}, "sharing.layers must be a list of names such as [query,value], or null, found []"),
        (
            encoder,
            {"layers": ["query", "valeu"]},
            "no linear layer for sharing.layers 'valeu'; did you mean 'value'? "
            "(there are: query, key, value, out, widen, narrow, or null for all)",
        ),
        (
            lambda: CNN((3, 8, 8), channels=[4]),
            {},
            "sharing=lora updates linear layers, and this backbone has none: choose sharing=adapters",
        ),
    ],
)
def test_refuses(backbone: object, options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        LoRA(backbone, TASKS, **options)
    assert str(caught.value) == message
