"""A small data set of the user's own kind, and short commands on it."""

import numpy as np
import pytest

from mtlrun import run


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    """300 rows, three tasks of different kinds; a third of the rows lack one label."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(300, 6)).astype(np.float32)
    shape = (inputs[:, 0] + 0.3 * draw.normal(size=300) > 0).astype(np.int64)
    length = (3 * inputs[:, 1] - inputs[:, 0] + 20).astype(np.float32)
    length[::3] = np.nan
    marks = (inputs[:, 2:4] > 0.2).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "table.npz"
    np.savez(path, inputs=inputs, shape=shape, length=length, marks=marks)
    return path


@pytest.fixture
def train(table, tmp_path):
    """train(*settings, folder='run') -> Result of a run on the table: 7 steps of 32 rows an epoch."""

    def start(*settings, folder="run"):
        basics = ["task=arrays", f"data.path={table}", "trainer.epochs=3", "trainer.batch_size=32"]
        quiet = ["diagnostics.plots=false", "diagnostics.pictures=0", "trainer.device=cpu"]
        return run([*basics, *quiet, *settings], folder=tmp_path / folder)

    return start
