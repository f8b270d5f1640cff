"""One thread per test process, since two workers with a thread pool each would fight over the cores; and one seed."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # also for the commands that tests start

import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded():
    """A test that draws numbers draws the same ones each time, whatever ran before it."""
    torch.manual_seed(0)
