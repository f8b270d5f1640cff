"""Look at a network as if one had not: afterwards no number of the run can differ."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from torch import nn

from mtlrun.backbones.id_bounds import IdBounds
from mtlrun.training.devices import rng_state, set_rng_state


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """In evaluation mode, so that nothing is dropped, no statistics move and no processes need to meet.

    Afterwards random generators, buffers, modes and plain attributes of all modules are what they were. What `IdBounds`
    looks at once, it looks at again.
    """
    kept = [_Kept(module) for module in network.modules()]
    python, numpys, torchs = random.getstate(), np.random.get_state(), rng_state()
    network.eval()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)
        set_rng_state(torchs)
        for module in kept:
            module.restore()


class _Kept:
    """What a module holds, except for its parameters' numbers, which nothing here writes to."""

    def __init__(self, module: nn.Module) -> None:
        self._module, self._attributes = module, dict(vars(module))
        self._entries = [(value, dict(value)) for value in vars(module).values() if isinstance(value, dict)]
        self._numbers = [(buffer, buffer.clone()) for buffer in module._buffers.values() if buffer is not None]

    def restore(self) -> None:
        """Attributes, entries of dictionaries and numbers of buffers; the mode is one of the attributes."""
        now = vars(self._module)
        for name in now.keys() - self._attributes.keys():
            del now[name]
        now.update(self._attributes)
        for dictionary, entries in self._entries:
            dictionary.clear()
            dictionary.update(entries)
        for buffer, numbers in self._numbers:
            buffer.copy_(numbers)
        for value in self._attributes.values():
            if isinstance(value, IdBounds):
                value.checked = False
