"""torchvision's ViT-B/16 as stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models.vision_transformer import VisionTransformer

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape
from mtlrun.backbones.torchvision_parts import PadTo, first_layer, load_network
from mtlrun.options import below, whole
from mtlrun.types import Feature

GRID = 14
"""Patches along a side of the images of 224 pixels that published weights are trained on."""

STAGES = 4


class ViT(Backbone):
    """Stages stem (patches and their positions) and blocks1 to blocks4 (three layers each): maps [B, 768, h, w].

    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, arXiv:2010.11929. The last stage ends with a layer
    norm. Deviations: there is no class token, since stages hand maps to each other and heads take their mean; in files
    of weights it is passed over. Positions of another number of patches are interpolated bicubically; images whose
    sides the patch does not divide are padded.

    Args:
        input_shape: (C, H, W); H and W are then fixed.
        patch: edge of a patch in pixels; 16 for published weights, 4 suits images of 32 x 32.
        dropout: probability of dropping a unit, in [0, 1).
        weights: file of a torchvision state dict to start from.

    Raises:
        ConfigError: if the rows are no images, an option is out of range, or the weights do not fit.
    """

    def __init__(
        self, input_shape: Sequence[int], patch: int = 16, dropout: float = 0.0, weights: str | None = None
    ) -> None:
        channels, height, width = image_shape(input_shape, "vit_b_16")
        network = build(whole("backbone.patch", patch), below("backbone.dropout", dropout, 0, 1))
        network.heads = nn.Identity()
        projection = network.conv_proj
        assert isinstance(projection, nn.Conv2d)
        network.conv_proj = projection = first_layer(projection, channels)
        load_network(network, weights, "heads.", _modern_name)
        grid = (-(-height // patch), -(-width // patch))
        layers, encoder = [*network.encoder.layers], network.encoder
        positions = _positions(encoder.pos_embedding, grid)
        stages: dict[str, nn.Module] = {"stem": _PatchEmbedding(projection, positions, patch, dropout)}
        each = len(layers) // STAGES
        for i in range(STAGES):
            last = [encoder.ln] if i == STAGES - 1 else []
            stages[f"blocks{i + 1}"] = _Layers(*layers[i * each : (i + 1) * each], *last)
        super().__init__(stages, [Feature(name, network.hidden_dim, patch) for name in stages], fixed_size=True)


def build(patch: int, dropout: float) -> VisionTransformer:
    """The whole network, freshly initialised."""
    return VisionTransformer(
        image_size=GRID * patch,
        patch_size=patch,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        mlp_dim=3072,
        dropout=dropout,
        num_classes=1,
    )


def _modern_name(name: str) -> str:
    """The layers of an MLP had names of their own until torchvision 0.14."""
    return name.replace(".mlp.linear_1.", ".mlp.0.").replace(".mlp.linear_2.", ".mlp.3.")


def _positions(table: Tensor, grid: tuple[int, int]) -> Tensor:
    """Positions [1, D, h, w] of a grid of patches from those of the class token and a square of them, [1, 1 + n, D]."""
    patches = table.detach()[:, 1:].transpose(1, 2)
    maps = patches.unflatten(2, (GRID, GRID))
    return maps.clone() if grid == (GRID, GRID) else interpolate(maps, grid, mode="bicubic", align_corners=True)


class _PatchEmbedding(nn.Module):
    """Image -> map of patches with their positions."""

    def __init__(self, projection: nn.Module, positions: Tensor, patch: int, dropout: float) -> None:
        super().__init__()
        self.pad, self.projection, self.dropout = PadTo(patch), projection, nn.Dropout(dropout)
        self.positions = nn.Parameter(positions)

    def forward(self, image: Tensor) -> Tensor:
        return self.dropout(self.projection(self.pad(image)) + self.positions)


class _Layers(nn.Sequential):
    """Map -> map, through layers on tokens [B, h * w, D]."""

    def forward(self, maps: Tensor) -> Tensor:
        tokens = super().forward(maps.flatten(2).transpose(1, 2))
        return tokens.transpose(1, 2).unflatten(2, torch.Size(maps.shape[2:]))
