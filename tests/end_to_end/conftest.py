"""The real command in processes of its own, on a small table."""

import numpy as np
import pytest
from commands import Command


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(400, 6)).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "table.npz"
    np.savez(path, inputs=inputs, sign=(inputs[:, 0] > 0).astype(np.int64), size=inputs[:, 1] - inputs[:, 2])
    return path


@pytest.fixture
def start(tmp_path, tmp_path_factory):
    """start(*words) -> a running `mtlrun WORDS` in tmp_path; killed at the end of the test if still there."""
    running = []

    def begin(*words):
        outputs = tmp_path_factory.mktemp("outputs")
        running.append(Command(list(words), tmp_path, outputs))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def finish(start):
    """finish(*words) -> (exit code, stdout, stderr) of `mtlrun WORDS`."""

    def complete(*words):
        process = start(*words)
        out, err = process.communicate(timeout=240)
        return process.returncode, out, err

    return complete
