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


@pytest.fixture(scope="session")
def short_run(table):
    """short_run(folder, *settings) -> Result of a run on the table: 7 steps of 32 rows an epoch."""

    def start(folder, *settings):
        basics = ["task=arrays", f"data.path={table}", "trainer.epochs=3", "trainer.batch_size=32"]
        quiet = ["diagnostics.plots=false", "diagnostics.pictures=0", "trainer.device=cpu"]
        return run([*basics, *quiet, *settings], folder=folder)

    return start


@pytest.fixture
def train(short_run, tmp_path):
    """train(*settings, folder='run') -> Result of such a run."""

    def start(*settings, folder="run"):
        return short_run(tmp_path / folder, *settings)

    return start


@pytest.fixture(scope="session")
def undisturbed(short_run, tmp_path_factory):
    """undisturbed(*settings) -> Result of such a run, trained once for all tests of a process; they only look at it."""
    known = {}

    def trained(*settings):
        if settings not in known:
            known[settings] = short_run(tmp_path_factory.mktemp("undisturbed") / "run", *settings)
        return known[settings]

    return trained
