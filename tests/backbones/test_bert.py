import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import get_class
from torch import Tensor

from mtlrun.backbones.bert import Bert
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "Bert": {},
    "Roberta": {"type_vocab_size": 1},  # pads with 1, and counts positions from 2
    "Electra": {"embedding_size": 8},  # narrow embeddings
    "DistilBert": {},  # no segments
    "Albert": {"embedding_size": 8},  # its layers are one
    "MPNet": {},  # its attention also sees distances, which its layers do not compute themselves
    "ModernBert": {"pad_token_id": 0, "local_attention": 4, "cls_token_id": 2, "sep_token_id": 3},
}
WHOLE = {"Albert", "MPNet", "ModernBert"}


def some_text(length: int = 9) -> Tensor:
    """Tokens above those with a meaning of their own, and their segments, [4, length, 2]; three rows have padding."""
    rows = torch.zeros(4, length, 2, dtype=torch.long)
    for row, (first, second) in enumerate([(length, 0), (2, 4), (1, 0), (3, 3)]):
        rows[row, : first + second, 0] = torch.randint(5, 40, (first + second,))
        rows[row, :first, 1], rows[row, first : first + second, 1] = 1, 2
    return rows


@pytest.fixture
def package() -> Any:
    return pytest.importorskip("transformers")


@pytest.fixture
def saved(package: Any, tmp_path: Path) -> Callable[..., tuple[Any, str]]:
    """saved(family) -> (model, the folder it lies in); random numbers large enough to tell its parts."""

    def save(family: str, kind: str = "Model", **options: object) -> tuple[Any, str]:
        sizes = {name: SIZES[name] for name in SIZES if family != "ViT" or name != "vocab_size"}
        config = getattr(package, f"{family}Config")(**{**sizes, **FAMILIES.get(family, {}), **options})
        model = getattr(package, f"{family}{kind}")(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(tmp_path / "model")
        return model, str(tmp_path / "model")

    return save


def hidden_state(model: Any, rows: Tensor) -> Tensor:
    """What the model itself puts out, [B, L, C]."""
    ids, real = rows[:, :, 0], rows[:, :, 1] > 0
    given = {"input_ids": torch.where(real, ids, model.config.pad_token_id), "attention_mask": real.long()}
    if getattr(model.config, "type_vocab_size", 0) == 2:
        given["token_type_ids"] = (rows[:, :, 1] == 2).long()
    return model(**given).last_hidden_state


def test_absence_of_the_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    message = r"^backbone=bert needs the package transformers: pip install 'mtlrun\[text\]'$"
    with pytest.raises(ConfigError, match=message):
        Bert((9, 2))


@pytest.mark.parametrize("family", FAMILIES)
def test_equals_the_model_in_the_folder(saved: Any, family: str) -> None:
    model, folder = saved(family)
    backbone, rows = Bert((9, 2), folder).eval(), some_text()
    stages = ["encoder"] if family in WHOLE else ["embeddings", "layer1", "layer2"]
    assert [feature.name for feature in backbone.features] == [*stages, "pool"]
    outputs, real = backbone(rows), rows[:, :, 1] > 0
    expected = hidden_state(model, rows)
    features = outputs[-2][:, :-1, 0].transpose(1, 2)
    torch.testing.assert_close(features[real], expected[real])
    torch.testing.assert_close(outputs[-1], expected[:, 0])
    assert features[~real].abs().max() == 0
    for feature, output in zip(backbone.features[:-1], outputs):
        assert output.shape == (4, feature.channels + feature.carried, 1, 9)
        assert torch.equal(output[:, -1, 0], rows[:, :, 1].float())


@pytest.mark.parametrize("family", FAMILIES)
def test_gradients_reach_every_parameter(saved: Any, family: str) -> None:
    _, folder = saved(family)
    backbone = Bert((9, 2), folder, pool="mean")
    assert backbone.training
    sum((output * torch.randn_like(output)).sum() for output in backbone(some_text())).backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in backbone.parameters())
    assert not [name for name, _ in backbone.named_parameters() if "pooler" in name]


@pytest.mark.parametrize("family", ["Bert", "MPNet"])
def test_padding_does_not_change_the_other_tokens(saved: Any, family: str) -> None:
    backbone, rows = Bert((14, 2), saved(family)[1], pool="mean").eval(), some_text()
    longer = torch.cat([rows, torch.zeros(4, 5, 2, dtype=torch.long)], 1)
    longer[:, :, 0] += 7 * (longer[:, :, 1] == 0)
    for one, other in zip(backbone(rows), backbone(longer)):
        torch.testing.assert_close(other if other.dim() == 2 else other[..., :9], one)


def test_rows_of_padding_do_no_harm(saved: Any) -> None:
    backbone, rows = Bert((9, 2), saved("Bert")[1]), some_text()
    rows[1] = 0
    outputs = backbone(rows)
    sum(output.sum() for output in outputs).backward()
    assert all(output.isfinite().all() for output in outputs)
    assert all(parameter.grad.isfinite().all() for parameter in backbone.parameters())


@pytest.mark.parametrize("family", FAMILIES)
def test_no_rows_have_a_gradient_of_zero(saved: Any, family: str) -> None:
    backbone = Bert((9, 2), saved(family)[1])
    outputs = backbone(some_text()[:0])
    assert [output.shape for output in outputs] == [output[:0].shape for output in backbone(some_text())]
    sum(output.sum() for output in outputs).backward()
    assert all(parameter.grad.abs().max() == 0 for parameter in backbone.parameters())


def test_a_fresh_bert_has_the_sizes_asked_for(package: Any) -> None:
    backbone = Bert((9, 2), vocabulary=50, width=24, layers=3, heads=2, dropout=0.0)
    assert [*backbone.stages] == ["embeddings", "layer1", "layer2", "layer3", "pool"]
    assert backbone(some_text())[-1].shape == (4, 24)
    layer = 4 * 25 * 24 + 25 * 96 + 97 * 24 + 2 * 48
    assert sum(parameter.numel() for parameter in backbone.parameters()) == (50 + 9 + 2) * 24 + 48 + 3 * layer
    rows = some_text()
    assert torch.equal(backbone(rows)[-1], backbone.eval()(rows)[-1])  # the same layers on the same rows: the same bits


def test_a_model_saved_with_another_head_is_read(saved: Any) -> None:
    model, folder = saved("Bert", "ForMaskedLM")
    rows = some_text()
    torch.testing.assert_close(Bert((9, 2), folder).eval()(rows)[-1], hidden_state(model.bert, rows)[:, 0])


def test_half_precision_in_a_file_is_read_as_single(saved: Any) -> None:
    model, folder = saved("Bert")
    model.to(torch.bfloat16).save_pretrained(folder)
    assert {parameter.dtype for parameter in Bert((9, 2), folder).parameters()} == {torch.float32}


def test_autocast_keeps_the_segments(saved: Any) -> None:
    backbone, rows = Bert((9, 2), saved("Bert")[1]).eval(), some_text()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = backbone(rows)
    assert all(torch.equal(maps[:, -1, 0].long(), rows[:, :, 1]) for maps in outputs[:-1])
    torch.testing.assert_close(outputs[-1].float(), backbone(rows)[-1], rtol=0.2, atol=0.2)


def test_random_state_does_not_depend_on_the_trial(saved: Any) -> None:
    folder = saved("Bert")[1]
    state = torch.get_rng_state()
    Bert((9, 2), folder)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_token_beyond_the_vocabulary_is_one_line(saved: Any) -> None:
    folder, rows = saved("Bert")[1], some_text()
    rows[0, 4, 0] = 40
    for backbone, remedy in (
        (Bert((9, 2), folder), f"data.tokenizer={folder} cuts texts into the tokens that the model knows"),
        (Bert((9, 2), vocabulary=40), "backbone.vocabulary=40 must be that of the data"),
    ):
        with pytest.raises(ConfigError) as caught:
            backbone(rows)
        assert str(caught.value) == f"a row has the token id 40, and token ids go from 0 to 39: {remedy}"


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 32, 32), {}, "found rows of shape (3, 32, 32): choose backbone=cnn"),
        ((9, 2), {"vocabulary": -1}, "backbone.vocabulary must be a whole number of at least 1, found -1"),
        ((9, 2), {"heads": 5}, "backbone.heads=5 must divide backbone.width=128"),
        ((9, 2), {"pool": "max"}, "no backbone.pool 'max' (there are: first, mean)"),
        ((9, 2), {"folder": 5}, "backbone.folder should be a path, found 5; try backbone.folder=./5"),
        ((9, 2), {"dropout": 2}, "backbone.dropout must be at least 0 and below 1, found 2"),
    ],
)
def test_refuses_options(package: Any, shape: tuple[int, ...], options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Bert(shape, **options)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("another name", r"backbone\.folder=.*/modle: there is no such folder; did you mean 'model'\?"),
        ("no config", "must hold config.json and model.safetensors"),
        ("no weights", "must hold config.json and model.safetensors"),
        ("torn weights", r"backbone\.folder=.*/model: .*header"),
        ("part of the weights", r"its weights lack 16 of the model's tensors, such as .*layer\.1\."),
        ("an unknown kind", r"backbone\.folder=.*/model: .*model_type"),
    ],
)
def test_refuses_damaged_folders(saved: Any, damage: str, message: str) -> None:
    folder = Path(saved("Bert")[1])
    config, weights = folder / "config.json", folder / "model.safetensors"
    if damage == "no config":
        config.unlink()
    elif damage == "no weights":
        weights.unlink()
    elif damage == "torn weights":
        weights.write_bytes(weights.read_bytes()[:4])
    elif damage == "part of the weights":
        safetensors = pytest.importorskip("safetensors.torch")
        kept = {name: value for name, value in safetensors.load_file(weights).items() if ".layer.1." not in name}
        safetensors.save_file(kept, weights, {"format": "pt"})
    elif damage == "an unknown kind":
        config.write_text("{}")
    given = folder.parent / "modle" if damage == "another name" else folder
    with pytest.raises(ConfigError, match=message) as caught:
        Bert((9, 2), str(given))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("family", "options", "message"),
    [
        (
            "Bert",
            {"max_position_embeddings": 8},
            "takes up to 8 tokens, and rows have up to 9: cut them with data.length",
        ),
        ("Roberta", {"max_position_embeddings": 10}, "RobertaModel does not take texts of 9 tokens: index out of"),
        ("T5", {"d_model": 16, "d_ff": 24, "d_kv": 8, "num_layers": 1}, "T5Model does not take texts of 9 tokens: "),
        ("ViT", {"image_size": 32}, "ViTModel is no model of text"),
    ],
)
def test_refuses_other_models(saved: Any, family: str, options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Bert((9, 2), saved(family, **options)[1])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options"), [("hard", {"split": "layer1"}), ("soft", {}), ("adapters", {}), ("lora", {}), ("ple", {})]
)
def test_is_shared(package: Any, name: str, options: dict) -> None:
    settings = yaml.safe_load((CONF / "sharing" / f"{name}.yaml").read_text()) | options
    scheme = get_class(settings.pop("_target_"))(
        backbone=lambda: Bert((9, 2), vocabulary=40, width=16, layers=2, heads=2), tasks=["ner", "mood"], **settings
    )
    outputs = scheme(some_text(), {"ner": None, "mood": torch.tensor([0, 2])})
    sum(output.sum() for stages in outputs.values() for output in stages).backward()
    assert outputs["mood"][-1].shape == (2, 16)
    learning = [parameter for parameter in scheme.parameters() if parameter.requires_grad]
    assert learning
    assert all(parameter.grad is not None for parameter in learning)
