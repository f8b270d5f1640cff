"""Random draws that follow from (seed, step) alone: the same on every process, and again after a resume."""

from __future__ import annotations

import torch

from mtlrun.errors import ConfigError
from mtlrun.options import is_whole
from mtlrun.seeds import mixed_seed

WHOLE = 1 << 64


def check_seed(seed: int) -> int:
    """Return a seed that is a whole number; otherwise raise ConfigError."""
    if not is_whole(seed):
        raise ConfigError(f"balancer.seed must be a whole number, found {seed!r}")
    return seed


def step_seed(seed: int, step: int) -> int:
    """A well-mixed seed, so that neighbouring seeds and steps have nothing in common."""
    return mixed_seed(seed % WHOLE, step, bits=64)


def step_generator(seed: int, step: int, device: torch.device) -> torch.Generator:
    """A generator on `device` for the draws of one step."""
    return torch.Generator(device=device).manual_seed(step_seed(seed, step))
