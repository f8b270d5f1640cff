"""Of what is measured on a device."""

import random
import sys

import numpy as np
import pytest
import torch

from mtlrun.seeds import mixed_seed
from mtlrun.training.devices import forget_peak_memory, peak_memory_bytes, reseed, seed_everything

CPU = torch.device("cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell the largest memory of a process alone")
def test_each_run_of_a_process_has_a_peak_of_its_own():
    forget_peak_memory(CPU)
    before = peak_memory_bytes(CPU)
    large = torch.ones(50_000_000, dtype=torch.uint8).sum()  # 50 MB, freed at once
    assert large == 50_000_000
    assert peak_memory_bytes(CPU) > before + 40e6
    forget_peak_memory(CPU)
    assert peak_memory_bytes(CPU) < before + 20e6


def test_a_step_draws_as_after_a_fresh_start_with_its_seed():
    draws = []
    for begin in (lambda: seed_everything(mixed_seed(3, 4, 1)), lambda: reseed(3, 4, 1)):
        begin()
        draws.append((random.random(), np.random.rand(), torch.rand(2).tolist()))
    assert draws[0] == draws[1]
