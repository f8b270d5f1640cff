"""Look at a network as if one had not: afterwards no number of the run can differ."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from torch import Tensor, nn

from mtlrun.backbones.checks import Bounds
from mtlrun.training.devices import rng_state, set_rng_state


@contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """In evaluation mode, so that nothing is dropped, no statistics move and no processes need to meet.

    Afterwards random generators, buffers, modes and plain attributes of all modules are what they were. What `Bounds`
    looks at once, it looks at again.
    """
    kept = [(module, dict(vars(module)), _copies(module)) for module in network.modules()]
    python, numpys, torchs = random.getstate(), np.random.get_state(), rng_state()
    network.eval()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)
        set_rng_state(torchs)
        for module, attributes, buffers in kept:
            _restore(module, attributes, buffers)


Buffers = dict[str, tuple[Tensor, Tensor]]
"""name -> (the tensor itself, a copy of its numbers)"""


def _copies(module: nn.Module) -> Buffers:
    return {name: (value, value.clone()) for name, value in module._buffers.items() if value is not None}


def _restore(module: nn.Module, attributes: dict[str, Any], buffers: Buffers) -> None:
    now = vars(module)
    for name in now.keys() - attributes.keys():
        del now[name]
    now.update(attributes)  # the modes among them: a part that its author put into evaluation mode stays there
    for name, (value, numbers) in buffers.items():
        value.copy_(numbers)
        module._buffers[name] = value
    for value in attributes.values():
        if isinstance(value, Bounds):
            value.checked = False
