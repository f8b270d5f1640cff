"""Networks of the package timm as stages."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from math import nan
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape
from mtlrun.backbones.torchvision_parts import replace_norms
from mtlrun.backbones.weights import check_fit, weights_file
from mtlrun.errors import ConfigError, near_miss
from mtlrun.lines import reason
from mtlrun.types import Feature


class TimmModel(Backbone):
    """A network of timm by its name, without its classifier: maps [B, C, H, W].

    Wightman, "PyTorch Image Models", https://github.com/huggingface/pytorch-image-models. A network that timm can take
    apart as a chain of layers (resnet*, convnext*, resnext*, ...) is cut where it gives a feature map: stages stage1,
    stage2, ... Any other one (efficientnet*, vit*, ...), and one whose maps have their channels last (swin*, ...), is a
    single stage `network` that puts out its last map, so all of it is shared or none. Batch norms of torch's own kind
    cope with a single value per channel.

    Args:
        input_shape: (C, H, W), then fixed; some networks take one size only, see their documentation.
        model: name of the network.
        options: further arguments of `timm.create_model`, such as {img_size: [64, 64]} for a ViT.
        weights: file of timm's weights to start from.

    Raises:
        ConfigError: if timm is not installed, has no such network or none with feature maps, the weights do not fit, or
            the network does not take such images.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        model: str = "resnet18",
        options: Mapping[str, Any] | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "timm")
        network = _create(_timm(), model, image[0], dict(options or {}), weights)
        replace_norms(network, "batch")
        widths, strides = network.feature_info.channels(), network.feature_info.reduction()
        stages = _chain(network)
        if stages is None:
            stages, widths, strides = {"network": _Last(network)}, widths[-1:], strides[-1:]
        features = [Feature(name, width, stride) for name, width, stride in zip(stages, widths, strides)]
        super().__init__(stages, features, fixed_size=True)
        self._try(model, image)

    @torch.no_grad()
    def _try(self, model: str, image: tuple[int, int, int]) -> None:
        """Raise ConfigError unless the stages take one image and put out what the features say."""
        _, height, width = image
        where = f"backbone=timm backbone.model={model} does not take images of {height}x{width} pixels"
        self.eval()
        try:
            outputs = self(torch.zeros(1, *image))
        except Exception as error:  # networks raise anything from AssertionError on
            raise ConfigError(
                f"{where}: {reason(error)}; for networks such as ViTs try "
                f"backbone.options={{img_size:[{height},{width}]}}"
            ) from error
        self.train()
        for feature, output in zip(self.features, outputs):
            if output.dim() != 4 or output.shape[1] != feature.channels:
                found = f"{feature.name} puts out {tuple(output.shape[1:])} and not {feature.channels} channels"
                raise ConfigError(f"{where}: {found}")


def _timm() -> ModuleType:
    try:
        return import_module("timm")
    except ImportError as error:
        raise ConfigError("backbone=timm needs the package timm: pip install 'mtlrun[timm]'") from error


def _create(timm: ModuleType, model: str, channels: int, options: dict[str, Any], weights: str | None) -> Any:
    """The network as timm's feature extractor; whatever timm refuses becomes one line."""
    if not timm.is_model(model):
        known = timm.list_models()
        close = get_close_matches(str(model), known, n=3)
        likely = f" (there are: {', '.join(close)}, ...)" if close else ""
        raise ConfigError(f"backbone.model: timm has no network '{model}'{near_miss(model, known)}{likely}")
    path = None if weights is None else weights_file(weights)
    log = logging.getLogger("timm")
    log.setLevel(logging.WARNING)
    make = partial(timm.create_model, model, features_only=True, in_chans=channels, **options)
    try:
        if path is None:
            return make()
        log.setLevel(logging.ERROR)  # or it says twice which names in the file are not used
        _check_weights(timm, make, path)
        log.setLevel(logging.WARNING)
        return make(pretrained=True, pretrained_cfg_overlay={"file": str(path)})
    except ConfigError:
        raise
    except Exception as error:  # timm and its networks raise anything from AssertionError to pickle's errors
        file = "" if path is None else f" backbone.weights={path}"
        raise ConfigError(f"backbone=timm backbone.model={model}{file}: {reason(error)}") from error


def _check_weights(timm: ModuleType, make: Callable[..., Any], path: Path) -> None:
    """Raise ConfigError if the file lacks some of the network's numbers.

    timm renames what is in files of other origin, fits it to the network and keeps silent about what is missing. So it
    is given the same names with NaN in place of every number, and what holds none afterwards has not been loaded.
    """
    state = timm.models.load_state_dict(str(path))
    marked = {name: torch.full_like(value, nan) if _has_fractions(value) else value for name, value in state.items()}
    network = make(pretrained=True, pretrained_cfg_overlay={"state_dict": marked, "file": str(path)})
    own = {name: value for name, value in network.state_dict().items() if _has_fractions(value)}
    check_fit(path, own, {name: value for name, value in own.items() if value.isnan().any()})


def _has_fractions(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _chain(network: Any) -> dict[str, nn.Module] | None:
    """The layers between two feature maps as a stage each; None if the network is no chain of maps [B, C, H, W]."""
    ends = getattr(network, "return_layers", None)
    if ends is None or type(network).__name__ != "FeatureListNet" or _channels_last(network):
        return None
    stages: dict[str, nn.Module] = {}
    layers: list[nn.Module] = []
    for name, layer in network.items():
        layers.append(layer)
        if name in ends:
            stages[f"stage{len(stages) + 1}"] = nn.Sequential(*layers)
            layers = []
    return stages


class _Last(nn.Module):
    """Image -> the last feature map, [B, C, H, W]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        last = self.network(image)[-1]
        return last.permute(0, 3, 1, 2) if _channels_last(self.network) else last


def _channels_last(network: Any) -> bool:
    """Whether it puts out maps [B, H, W, C]."""
    return getattr(network, "output_fmt", None) == "NHWC"
