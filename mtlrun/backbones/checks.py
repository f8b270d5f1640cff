"""Checks that every backbone makes of its input shape and options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.errors import ConfigError


def suited(shape: Sequence[int]) -> str:
    """The backbone to choose for rows of this shape: images (C, H, W), text (L, 2), molecules (A, 4), or any other."""
    if len(shape) == 3:
        return "cnn"
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


def local_path(value: str, option: str) -> Path:
    """A path on this machine, where ~ is the home folder.

    Raises:
        ConfigError: naming backbone.`option`, if it is a number or another thing that is no path.
    """
    if not isinstance(value, str | Path):
        raise ConfigError(f"backbone.{option} should be a path, found {value!r}; try backbone.{option}=./{value}")
    return Path(value).expanduser()


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


def one_line(error: Exception) -> str:
    """What another package says of its error."""
    return " ".join(str(error).split())[:300] or type(error).__name__


class Bounds:
    """Refuses numbers that a table of embeddings has no row for.

    They are looked at in every batch on the CPU. On an accelerator, where looking at them waits for the device, they
    are looked at in the first batch only.

    Args:
        count: of the table's rows; numbers go from 0 to the one below it.
        what: one of them is called.
        remedy: what the message says to do.
    """

    def __init__(self, count: int, what: str, remedy: str) -> None:
        self.count, self.what, self.remedy = count, what, remedy
        self.checked = False

    def check(self, numbers: Tensor) -> None:
        """Raise ConfigError if one of them is beyond the table."""
        waits = numbers.device.type != "cpu"
        if not numbers.numel() or (waits and self.checked) or torch.compiler.is_compiling():
            return
        self.checked = waits
        least, most = (float(value) for value in numbers.aminmax())
        if not 0 <= least <= most < self.count:  # both are NaN if one of the numbers is
            wrong = most if least >= 0 else least
            raise ConfigError(
                f"a row has the {self.what} {wrong:.0f}, and {self.what}s go from 0 to {self.count - 1}: {self.remedy}"
            )
