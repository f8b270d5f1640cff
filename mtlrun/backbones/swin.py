"""torchvision's Swin-T as stages."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torchvision.models.swin_transformer import SwinTransformer

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import image_shape, is_small
from mtlrun.backbones.torchvision_parts import PadTo, doubling_features, first_layer, load_network
from mtlrun.options import below

STRIDE = 32
"""Input pixels per pixel of the last map, with the usual patches."""


class Swin(Backbone):
    """Stages stem, stage1, stage2, stage3, stage4: maps [B, C, H, W] of 96, 96, 192, 384 and 768 channels.

    Liu et al., "Swin Transformer", ICCV 2021, arXiv:2103.14030, the tiny one with windows of 7 x 7. The stem cuts the
    image into patches; stages 2 to 4 begin with the merging of patches, the last one ends with a layer norm. Deviation:
    images whose sides 4 does not divide are padded, where torchvision drops the last pixels.

    Args:
        input_shape: (C, H, W); other H and W may follow.
        drop_path: probability of skipping the last block, in [0, 1); earlier blocks have less.
        small_input: a 3x3 stem of stride 1 instead of patches of 4 x 4, so that the last map has 1/8 of the input's
            resolution instead of 1/32; None for automatic: below 64 pixels.
        weights: file of a torchvision state dict to start from.

    Raises:
        ConfigError: if the rows are no images, an option is out of range, or the weights do not fit.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        drop_path: float = 0.2,
        small_input: bool | None = None,
        weights: str | None = None,
    ) -> None:
        image = image_shape(input_shape, "swin_t")
        small = is_small(image, STRIDE, small_input)
        network = build(below("backbone.drop_path", drop_path, 0, 1))
        network.head = nn.Identity()
        stem, *parts = network.features
        stem[0] = first_layer(stem[0], image[0], 3 if small else None)
        load_network(network, weights, "head.")
        stages: dict[str, nn.Module] = {"stem": _PaddedPatches(stem, 1 if small else 4), "stage1": _Blocks(parts[0])}
        for i, (merge, blocks) in enumerate(zip(parts[1::2], parts[2::2]), start=2):
            stages[f"stage{i}"] = _Blocks(merge, blocks, *([network.norm] if i == 4 else []))
        super().__init__(stages, doubling_features(stem[0].out_channels, 1 if small else 4))


def build(drop_path: float) -> SwinTransformer:
    """The whole network, freshly initialised."""
    return SwinTransformer(
        patch_size=[4, 4],
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=[7, 7],
        stochastic_depth_prob=drop_path,
        num_classes=1,
    )


class _PaddedPatches(nn.Module):
    """Image -> map."""

    def __init__(self, embed: nn.Module, edge: int) -> None:
        super().__init__()
        self.pad, self.embed = PadTo(edge), embed

    def forward(self, image: Tensor) -> Tensor:
        return self.embed(self.pad(image)).permute(0, 3, 1, 2).contiguous()


class _Blocks(nn.Sequential):
    """Map -> map, through layers that keep the channels last."""

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2).contiguous()
