"""Encoders of text of the package transformers as stages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.tokens import (
    POOLS,
    Reader,
    TokenPool,
    check_heads,
    join,
    one_at_least,
    take_apart,
    token_feature,
    token_length,
    visible,
)
from mtlrun.errors import ConfigError, choose, near_miss
from mtlrun.lines import reason
from mtlrun.options import below, local_path, whole
from mtlrun.types import Feature

ROUNDING = 1e-4
"""Differences up to this one between a model and its layers run one by one are rounding."""


class Bert(Backbone):
    """Stages embeddings, layer1, layer2, ...: maps [B, C + 1, 1, L]; and pool: vectors [B, C].

    Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding", NAACL 2019,
    arXiv:1810.04805, and its relatives (RoBERTa, ELECTRA, DistilBERT, ...), https://github.com/huggingface/transformers.
    A map's pixels are the tokens. Its last channel is their segment, 0 for padding. A model whose layers cannot be run
    one by one to the same end (ModernBERT, DeBERTa, ALBERT, MPNet, ...) is a single stage `encoder` before `pool`, so
    all of it is shared or none. What the model has after its layers, such as BERT's pooler, is left out.

    Args:
        input_shape: (L, 2): id and segment of each token; rows may be shorter.
        folder: with a model's config.json and its weights as safetensors; None for a fresh BERT.
        vocabulary: number of token ids of a fresh BERT.
        width: features C of a token in a fresh BERT.
        layers: number of its layers.
        heads: of its attention; a divisor of `width`.
        dropout: its probability of dropping a unit, in [0, 1).
        pool: vector of a row: that of its first token, or the mean over its tokens.

    Raises:
        ConfigError: if transformers is not installed, the rows are no text, the folder has no such model or one for
            shorter rows, or an option is none of these; in training, if a row has another token id.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        folder: str | None = None,
        vocabulary: int = 30522,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        pool: str = "first",
    ) -> None:
        length = token_length(input_shape, "bert")
        choose(pool, POOLS, "backbone.pool")
        package = _transformers()
        if folder is None:
            check_heads(width, heads)
            sizes = {
                "vocab_size": whole("backbone.vocabulary", vocabulary),
                "num_hidden_layers": whole("backbone.layers", layers),
                "hidden_size": width,
                "num_attention_heads": heads,
                "hidden_dropout_prob": below("backbone.dropout", dropout, 0, 1),
                "attention_probs_dropout_prob": dropout,
            }
            model = _fresh(package, sizes, length)
            remedy = f"backbone.vocabulary={vocabulary} must be that of the data"
        else:
            model = _read(package, local_path("backbone.folder", folder), length)
            remedy = f"data.tokenizer={folder} cuts texts into the tokens that the model knows"
        stages = _stages(model, Reader(model.config.vocab_size, remedy), length)
        channels = model.config.hidden_size
        features = [token_feature(name, channels) for name in stages]
        super().__init__({**stages, "pool": TokenPool(pool)}, [*features, Feature("pool", channels, None)])


def _transformers() -> ModuleType:
    try:
        package = import_module("transformers")
    except ImportError as error:
        raise ConfigError("backbone=bert needs the package transformers: pip install 'mtlrun[text]'") from error
    logging.getLogger("transformers").setLevel(logging.ERROR)
    package.utils.logging.disable_progress_bar()
    return package


def _fresh(package: ModuleType, sizes: dict[str, Any], length: int) -> Any:
    """A BERT with random weights."""
    inner = 4 * sizes["hidden_size"]
    config = package.BertConfig(**sizes, intermediate_size=inner, max_position_embeddings=length)
    return package.AutoModel.from_config(config)


def _read(package: ModuleType, folder: Path, length: int) -> Any:
    """The model in a folder, in single precision; whatever transformers refuses becomes one line."""
    where = f"backbone.folder={folder}"
    if not folder.is_dir():
        beside = [entry.name for entry in folder.parent.iterdir()] if folder.parent.is_dir() else []
        raise ConfigError(f"{where}: there is no such folder{near_miss(folder.name, beside)}")
    if not (folder / "config.json").is_file() or not [*folder.glob("*.safetensors")]:
        raise ConfigError(f"{where} must hold config.json and model.safetensors, as model.save_pretrained leaves them")
    options = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
    try:
        model, found = package.AutoModel.from_pretrained(folder, output_loading_info=True, **options)
    except Exception as error:  # transformers, its models and safetensors raise anything from OSError to their own
        raise ConfigError(f"{where}: {reason(error)}") from error
    missing = sorted(name for name in found["missing_keys"] if "pooler." not in name)
    if missing:
        raise ConfigError(f"{where}: its weights lack {len(missing)} of the model's tensors, such as {missing[0]}")
    if not hasattr(model.config, "vocab_size"):
        raise ConfigError(f"{where}: {type(model).__name__} is no model of text")
    most = getattr(model.config, "max_position_embeddings", length)
    if length > most:
        raise ConfigError(f"{where} takes up to {most} tokens, and rows have up to {length}: cut them with data.length")
    return model.float()


def _stages(model: Any, reader: Reader, length: int) -> dict[str, nn.Module]:
    """The model's embeddings and layers, if run in turn they put out what the model does; else all of it as one."""
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    model.eval()
    rows, encoder = _trial_rows(model.config, length), _Encoder(model, reader)
    try:
        with torch.no_grad():
            expected = encoder(rows)
    except Exception as error:  # too few positions, a decoder that wants more: anything may be raised
        name = type(model).__name__
        raise ConfigError(f"backbone=bert: {name} does not take texts of {length} tokens: {reason(error)}") from error
    stages = _chain(model, reader)
    alike = bool(stages) and _puts_out(nn.Sequential(*stages.values()), rows, expected)
    model.train()
    return stages if alike else {"encoder": encoder}


@torch.no_grad()
def _puts_out(layers: nn.Module, rows: Tensor, expected: Tensor) -> bool:
    """Whether the layers, given nothing but features and a mask, do what the model does."""
    try:
        return torch.allclose(layers(rows), expected, ROUNDING, ROUNDING)
    except (TypeError, ValueError, RuntimeError, AttributeError):  # they need more than that
        return False


def _chain(model: Any, reader: Reader) -> dict[str, nn.Module]:
    """The model's embeddings and layers where BERT's relatives have them."""
    body = getattr(model, "encoder", None) or getattr(model, "transformer", None)
    layers = getattr(body, "layer", None)
    if not isinstance(layers, nn.ModuleList) or not isinstance(getattr(model, "embeddings", None), nn.Module):
        return {}
    stages: dict[str, nn.Module] = {"embeddings": _Embeddings(model, reader)}
    for number, layer in enumerate(layers, start=1):
        stages[f"layer{number}"] = _Layer(layer)
    return stages


def _trial_rows(config: Any, length: int) -> Tensor:
    """Two rows of different tokens, [2, L, 2], one of them with a second text and padding."""
    ids = (_padding(config) + 1 + torch.arange(length)) % config.vocab_size
    segments = torch.ones(2, length, dtype=torch.long)
    segments[1, length // 3 + 1 :] = 2
    segments[1, length // 2 + 1 :] = 0
    return torch.stack([ids.expand(2, -1), segments], 2)


def _padding(config: Any) -> int:
    return getattr(config, "pad_token_id", None) or 0


class _Arguments(nn.Module):
    """Rows [B, L, 2] -> the arguments of `network` that say the same, and the segments [B, L]."""

    def __init__(self, network: nn.Module, config: Any, reader: Reader) -> None:
        super().__init__()
        self.read, self.padding = reader, _padding(config)
        takes = "token_type_ids" in signature(network.forward).parameters
        self.kinds = getattr(config, "type_vocab_size", 0) if takes else 0

    def forward(self, rows: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        ids, segments = self.read(rows)
        given = {"input_ids": ids.masked_fill(segments == 0, self.padding)}
        if self.kinds:
            given["token_type_ids"] = (segments - 1).clamp(0, self.kinds - 1)
        return given, segments


class _Embeddings(nn.Module):
    """Rows -> map; ELECTRA's small models widen their embeddings for the layers."""

    def __init__(self, model: Any, reader: Reader) -> None:
        super().__init__()
        self.arguments = _Arguments(model.embeddings, model.config, reader)
        self.embeddings = model.embeddings
        self.project = getattr(model, "embeddings_project", nn.Identity())

    def forward(self, rows: Tensor) -> Tensor:
        given, segments = self.arguments(rows)
        return join(self.project(self.embeddings(**given)), segments)


class _Layer(nn.Module):
    """Map -> map."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        features, segments = take_apart(one_at_least(values))
        hidden = (~visible(segments)).to(features.dtype) * torch.finfo(features.dtype).min  # is added to the scores
        output = self.layer(features, hidden)
        features = output[0] if isinstance(output, tuple) else output  # a tuple before transformers 5
        return join(features, segments)[: values.shape[0]]


class _Encoder(nn.Module):
    """Rows -> map, through a whole model."""

    def __init__(self, model: Any, reader: Reader) -> None:
        super().__init__()
        self.arguments = _Arguments(model, model.config, reader)
        self.model = model

    def forward(self, rows: Tensor) -> Tensor:
        given, segments = self.arguments(one_at_least(rows))
        output = self.model(**given, attention_mask=(segments > 0).long())
        return join(output.last_hidden_state, segments)[: rows.shape[0]]
