"""The shape of the rows that a backbone is built for."""

from __future__ import annotations

from collections.abc import Sequence

from mtlrun.errors import ConfigError


def suited(shape: Sequence[int]) -> str:
    """The backbone to choose for rows of this shape: images (C, H, W), text (L, 2), molecules (A, 4), or any other."""
    if len(shape) == 3:
        return "cnn"
    if len(shape) == 2 and shape[1] == shape[0] + 9:  # atoms with their bonds
        return "mpnn"
    return {2: "transformer", 4: "molecule"}.get(shape[-1], "mlp") if len(shape) == 2 else "mlp"


def image_shape(input_shape: Sequence[int], backbone: str, smallest: int = 1) -> tuple[int, int, int]:
    """`input_shape` as (C, H, W).

    Args:
        input_shape: of one row.
        backbone: name that the message gives.
        smallest: least height and width in pixels.

    Raises:
        ConfigError: if the rows are no images, or too small.
    """
    shape = tuple(input_shape)
    if len(shape) != 3:
        raise ConfigError(
            f"backbone={backbone} takes images (C, H, W), found rows of shape {shape}: choose backbone={suited(shape)}"
        )
    channels, height, width = shape
    if min(height, width) < smallest:
        raise ConfigError(
            f"backbone={backbone} takes images of at least {smallest}x{smallest} pixels, "
            f"found {height}x{width}: choose backbone=cnn or backbone=mlp"
        )
    return channels, height, width


def is_small(image: tuple[int, int, int], stride: int, small_input: bool | None) -> bool:
    """Whether to keep more resolution in the first stage.

    Args:
        image: (C, H, W)
        stride: input pixels per pixel of the last map if nothing is kept.
        small_input: the user's choice; None for yes where the last map would be under 2 x 2.

    Raises:
        ConfigError: if `small_input` is no truth value.
    """
    if small_input not in (True, False, None):
        raise ConfigError(f"backbone.small_input should be true, false or null, found {small_input!r}")
    return min(image[1:]) < 2 * stride if small_input is None else bool(small_input)
