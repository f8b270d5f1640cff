"""Of what is measured on a device."""

import sys

import pytest
import torch

from mtlrun.training.devices import forget_peak_memory, peak_memory_bytes

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
