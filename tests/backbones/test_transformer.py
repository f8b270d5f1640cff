import math
from types import SimpleNamespace

import pytest
import torch
import yaml
from hydra.utils import get_class
from omegaconf import OmegaConf
from schemes import ON_ANY_BACKBONE
from torch import Tensor
from torch.nn import functional

from mtlrun.backbones.tokens import Reader
from mtlrun.backbones.transformer import Transformer
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

SIZES = [(9, 0), (2, 4), (1, 0), (3, 3)]
"""Tokens of the first and the second text of some rows."""


def some_text(sizes: list[tuple[int, int]], length: int = 9, vocabulary: int = 30) -> Tensor:
    """Random tokens and their segments, [B, length, 2], with padding."""
    rows = torch.zeros(len(sizes), length, 2, dtype=torch.long)
    for row, (first, second) in enumerate(sizes):
        rows[row, : first + second, 0] = torch.randint(1, vocabulary, (first + second,))
        rows[row, :first, 1], rows[row, first : first + second, 1] = 1, 2
    return rows


def network(length: int = 9, **options: object) -> Transformer:
    torch.manual_seed(0)
    return Transformer(
        (length, 2), **{"vocabulary": 30, "width": 8, "layers": 2, "heads": 2, "dropout": 0.0, **options}
    )


def real(maps: Tensor, rows: Tensor) -> Tensor:
    """The features of all tokens that are no padding, [tokens, C]."""
    return maps[:, :-1, 0].transpose(1, 2)[rows[:, :, 1] > 0]


@pytest.mark.parametrize("pool", ["first", "mean"])
def test_padding_does_not_change_the_other_tokens(pool: str) -> None:
    model, rows = network(14, pool=pool), some_text(SIZES)
    longer = torch.cat([rows, torch.zeros(4, 5, 2, dtype=torch.long)], 1)
    before, after = model(rows), model(longer)
    torch.testing.assert_close(after[-1], before[-1])
    for one, other in zip(before[:-1], after[:-1]):
        torch.testing.assert_close(real(other, longer), real(one, rows))


@pytest.mark.parametrize("pool", ["first", "mean"])
def test_ids_at_padding_are_not_read(pool: str) -> None:
    model, rows = network(pool=pool), some_text(SIZES)
    other = rows.clone()
    other[:, :, 0] += 7 * (rows[:, :, 1] == 0)
    for one, two in zip(model(rows), model(other)):
        assert torch.equal(one, two)  # the same layers on the same rows: the same bits


def test_maps_are_zero_at_padding_and_carry_segments() -> None:
    rows = some_text(SIZES)
    for maps in network()(rows)[:-1]:
        assert torch.equal(maps[:, -1, 0], rows[:, :, 1].float())
        features = maps[:, :-1, 0].transpose(1, 2)
        assert features[rows[:, :, 1] == 0].abs().max() == 0
        assert features[rows[:, :, 1] > 0].abs().amax(1).min() > 0


def test_rows_of_a_batch_do_not_meet() -> None:
    model, rows = network(), some_text(SIZES)
    alone = torch.cat([model(rows[i : i + 1])[-1] for i in range(len(rows))])
    torch.testing.assert_close(model(rows)[-1], alone)


@pytest.mark.parametrize("what", ["a token", "its segment", "their order"])
def test_another_text_reads_otherwise(what: str) -> None:
    model, rows = network(pool="mean"), some_text(SIZES)
    other = rows.clone()
    if what == "a token":
        other[1, 4, 0] = rows[1, 4, 0] % 29 + 1
    elif what == "its segment":
        other[1, 2, 1] = 1
    else:
        other[1, 1:4] = rows[1, 1:4].flip(0)
    difference = (model(other)[-1] - model(rows)[-1]).abs().amax(1)
    assert difference[1] > 1e-3
    assert difference[[0, 2, 3]].max() < 1e-5  # no kernel promises the same bits beside other rows


def test_equals_a_block_written_out() -> None:
    model, rows = network(layers=1).double(), some_text([(5, 4)])
    block, x = model.stages["block1"], model(rows)[0][0, :-1, 0].T
    y = functional.layer_norm(x, (8,))
    query, key, value = (
        (y @ layer.weight.T + layer.bias).view(9, 2, 4)
        for layer in (block.attention.query, block.attention.key, block.attention.value)
    )
    mixed = torch.zeros(9, 2, 4).double()
    for token in range(9):
        for head in range(2):
            scores = torch.stack([query[token, head] @ key[other, head] for other in range(9)]) / math.sqrt(4)
            mixed[token, head] = scores.softmax(0) @ value[:, head]
    x = x + block.attention.out(mixed.flatten(1))
    x = x + block.narrow(functional.gelu(block.widen(functional.layer_norm(x, (8,)))))
    expected = functional.layer_norm(x, (8,))
    torch.testing.assert_close(model(rows)[1][0, :-1, 0].T, expected)
    torch.testing.assert_close(model(rows)[-1][0], expected[0])


def test_embeddings_are_summed_and_normalised() -> None:
    model, rows = network(), some_text([(2, 3)])
    tables = model.stages["embedding"]
    ids, segments = rows[0, :5].T
    total = tables.tokens.weight[ids] + tables.segments.weight[segments] + tables.positions[:5]
    torch.testing.assert_close(model(rows)[0][0, :-1, 0, :5].T, functional.layer_norm(total, (8,)))


def test_mean_is_over_tokens() -> None:
    model, rows = network(pool="mean"), some_text([(2, 3)])
    *_, maps, vector = model(rows)
    torch.testing.assert_close(vector[0], maps[0, :-1, 0, :5].mean(1))


@pytest.mark.parametrize("sizes", [SIZES, [(1, 0)], [(0, 0), (3, 0)], []])
@pytest.mark.parametrize("pool", ["first", "mean"])
def test_gradients_are_finite_and_reach_every_parameter(sizes: list[tuple[int, int]], pool: str) -> None:
    model = network(pool=pool, dropout=0.1).train()
    outputs = model(some_text(sizes))
    sum((output * torch.randn_like(output)).sum() for output in outputs).backward()
    assert all(output.isfinite().all() for output in outputs)
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in model.parameters())
    if sizes == SIZES:
        # a key's bias adds the same to all scores of a query, which softmax does not see
        still = {f"stages.block{i}.attention.key.bias" for i in (1, 2)}
        small = {name for name, value in model.named_parameters() if value.grad.abs().max() < 1e-6}
        assert small <= still


def test_features_describe_the_outputs() -> None:
    model = network(layers=3)
    assert [feature.name for feature in model.features] == ["embedding", "block1", "block2", "block3", "pool"]
    assert [*model.stages] == [feature.name for feature in model.features]
    outputs = model(some_text(SIZES))
    for feature, output in zip(model.features[:-1], outputs):
        assert output.shape == (4, feature.channels + feature.carried, 1, 9)
    assert outputs[-1].shape == (4, model.features[-1].channels)
    assert model.features[-1].stride is None


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16])
def test_half_precision_keeps_the_segments(precision: torch.dtype) -> None:
    model, rows = network(), some_text(SIZES)
    with torch.autocast("cpu", precision):
        outputs = model(rows)
    assert all(torch.equal(maps[:, -1, 0].long(), rows[:, :, 1]) for maps in outputs[:-1])
    torch.testing.assert_close(outputs[-1].float(), model(rows)[-1], rtol=0.1, atol=0.1)


@pytest.mark.parametrize(("wrong", "position"), [(30, 2), (-1, 0), (31, 8)])
def test_a_token_beyond_the_vocabulary_is_one_line(wrong: int, position: int) -> None:
    model, rows = network(), some_text(SIZES)
    model(rows)
    rows[3, position, 0] = wrong
    remedy = "backbone.vocabulary=30 must be that of the data"
    message = f"a row has the token id {wrong}, and token ids go from 0 to 29: {remedy}"
    with pytest.raises(ConfigError) as caught:
        model(rows)
    assert str(caught.value) == message


def test_vocabulary_is_that_of_the_data() -> None:
    settings = OmegaConf.load(CONF / "backbone" / "transformer.yaml")
    assert settings.vocabulary == 8000
    assert OmegaConf.create({"data": {"vocabulary": 123}, "backbone": settings}).backbone.vocabulary == 123


def test_weights_are_loaded(tmp_path) -> None:
    first = network()
    torch.save({name.removeprefix("stages."): value for name, value in first.state_dict().items()}, tmp_path / "w.pt")
    torch.manual_seed(7)
    options = {"vocabulary": 30, "width": 8, "layers": 2, "heads": 2}
    second = Transformer((9, 2), **options, weights=str(tmp_path / "w.pt")).eval()
    rows = some_text(SIZES)
    assert torch.equal(second(rows)[-1], first(rows)[-1])  # the same layers on the same rows: the same bits


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 32, 32), {}, "found rows of shape (3, 32, 32): choose backbone=cnn"),
        ((12,), {}, "found rows of shape (12,): choose backbone=mlp"),
        ((12, 3), {}, "found rows of shape (12, 3)"),
        ((12, 2), {"vocabulary": 0}, "backbone.vocabulary must be a whole number of at least 1, found 0"),
        ((12, 2), {"vocabulary": None}, "backbone.vocabulary must be a whole number of at least 1, found None"),
        ((12, 2), {"layers": 1.5}, "backbone.layers must be a whole number of at least 1, found 1.5"),
        ((12, 2), {"width": "wide"}, "backbone.width must be a whole number of at least 1, found 'wide'"),
        ((12, 2), {"heads": 3}, "backbone.heads=3 must divide backbone.width=128; try backbone.heads=4"),
        ((12, 2), {"dropout": 1}, "backbone.dropout must be at least 0 and below 1, found 1"),
        ((12, 2), {"pool": "men"}, "no backbone.pool 'men'; did you mean 'mean'?"),
    ],
)
def test_refuses(shape: tuple[int, ...], options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Transformer(shape, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_number_of_parameters() -> None:
    block = 4 * 129 * 128 + 129 * 512 + 513 * 128 + 2 * 256
    expected = (8000 + 3 + 64) * 128 + 256 + 4 * block + 256
    assert sum(parameter.numel() for parameter in Transformer((64, 2)).parameters()) == expected


@pytest.mark.parametrize("name", ON_ANY_BACKBONE)
def test_ids_at_padding_are_not_read_whatever_is_shared(name: str) -> None:
    settings = yaml.safe_load((CONF / "sharing" / f"{name}.yaml").read_text())
    torch.manual_seed(0)
    scheme = get_class(settings.pop("_target_"))(backbone=network, tasks=["ner", "mood"], **settings)
    with torch.no_grad():
        for parameter in scheme.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    text, rows = some_text(SIZES), {"ner": None, "mood": torch.tensor([2, 0])}
    other = text.clone()
    other[:, :, 0] += 7 * (text[:, :, 1] == 0)
    before, after = scheme.eval()(text, rows), scheme(other, rows)
    for task in rows:
        for one, two in zip(before[task], after[task]):
            torch.testing.assert_close(one, two)


class _OnAccelerator:
    """Rows that count how often somebody waits for their ids."""

    device = SimpleNamespace(type="accelerator")

    def __init__(self) -> None:
        self.looks = 0

    def unbind(self, dimension: int) -> tuple["_OnAccelerator", None]:
        return self, None

    def numel(self) -> int:
        return 1

    def aminmax(self) -> tuple[int, int]:
        self.looks += 1
        return 0, 29


def test_ids_on_an_accelerator_are_looked_at_once() -> None:
    reader, rows = Reader(30, "").forward, _OnAccelerator()
    for _ in range(3):
        reader(rows)
    assert rows.looks == 1
