"""Numbers in a row that a table of embeddings is asked for."""

from __future__ import annotations

import torch
from torch import Tensor

from mtlrun.errors import ConfigError


class IdBounds:
    """Refuses numbers that a table of embeddings has no row for.

    They are looked at in every batch on the CPU. On an accelerator, where looking at them waits for the device, they
    are looked at in the first batch only.

    Args:
        count: of the table's rows; numbers go from 0 to the one below it.
        what: one of them is called.
        remedy: what the message says to do.
        where: what the message says of where it stands.
    """

    def __init__(self, count: int, what: str, remedy: str, where: str = "") -> None:
        self.count, self.what, self.remedy, self.where = count, what, remedy, where
        self.checked = False

    def check(self, numbers: Tensor) -> None:
        """Raise ConfigError if one of them is beyond the table."""
        if torch.compiler.is_compiling():
            return
        waits = numbers.device.type != "cpu"
        if not numbers.numel() or (waits and self.checked):
            return
        self.checked = waits
        least, most = (float(value) for value in numbers.aminmax())
        if not 0 <= least <= most < self.count:  # both are NaN if one of the numbers is
            wrong = most if least >= 0 else least
            raise ConfigError(
                f"a row has the {self.what} {wrong:.0f}{self.where}, and {self.what}s go from 0 to {self.count - 1}: "
                f"{self.remedy}"
            )
