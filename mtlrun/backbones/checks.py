"""Checks that every backbone makes of its input shape and options."""

from __future__ import annotations

from collections.abc import Sequence

from mtlrun.errors import ConfigError


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
            f"backbone={backbone} takes images (C, H, W), found rows of shape {shape}: choose backbone=mlp"
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


def sizes(values: Sequence[int], option: str) -> list[int]:
    """A list of one or more positive whole numbers.

    Raises:
        ConfigError: naming backbone.`option`, if it is anything else.
    """
    listed = [] if isinstance(values, str | int | float) else list(values)
    if not listed or any(not isinstance(value, int) or value < 1 for value in listed):
        raise ConfigError(
            f"backbone.{option} should be a list of positive whole numbers, found {values}; "
            f"try backbone.{option}=[64,128]"
        )
    return listed


def probability(value: float, option: str) -> float:
    """A number from 0 up to but not including 1.

    Raises:
        ConfigError: naming backbone.`option`, if it is anything else.
    """
    if isinstance(value, str) or not 0 <= value < 1:
        raise ConfigError(
            f"backbone.{option} should be at least 0 and below 1, found {value}; try backbone.{option}=0.1"
        )
    return float(value)
