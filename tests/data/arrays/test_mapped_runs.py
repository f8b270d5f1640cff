"""A run on a folder of .npy files has the scores of the run on the same arrays in memory."""

import json

import numpy as np
import pytest

import mtlrun
from mtlrun.cli.main import main

SETTINGS = ["task=arrays", "trainer.epochs=2", "trainer.batch_size=32", "trainer.device=cpu", "diagnostics=off"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("mapped"), np.random.default_rng(0)
    inputs = draw.normal(size=(160, 6)) + np.array([0, 0, 0, 0, 0, 1.7e9])
    labels = {"length": 3 * inputs[:, 1] + 20, "shape": (inputs[:, 0] > 0).astype(np.int64)}  # as files are listed
    labels["length"][::5] = np.nan
    (folder / "mine").mkdir()
    for name, values in {"inputs": inputs, **labels}.items():
        np.save(folder / "mine" / f"{name}.npy", values)
    np.savez(folder / "mine.npz", inputs=inputs, **labels)
    return folder


@pytest.fixture(scope="module")
def held(folder):
    return mtlrun.run([*SETTINGS, f"data.path={folder}/mine.npz"], folder=folder / "held")


def numbers(values):
    """Nested results whose numbers may differ in their last digits."""
    if isinstance(values, dict):
        return {name: numbers(value) for name, value in values.items()}
    return pytest.approx(values, rel=1e-5) if isinstance(values, float) else values


@pytest.mark.parametrize("workers", [0, 2])
def test_equal_scores(folder, held, workers):
    run = folder / f"mapped{workers}"
    mapped = mtlrun.run([*SETTINGS, f"data.path={folder}/mine", f"trainer.workers={workers}"], folder=run)
    assert len(held.summary["tasks"]) == 2
    assert mapped.summary["tasks"] == numbers(held.summary["tasks"])


def test_a_folder_of_new_rows_is_scored(folder, held, capsys):
    found = []
    for place in ("mine.npz", "mine"):
        assert main(["eval", str(held.folder), f"data.test_path={folder / place}", "--json"]) == 0
        [record] = json.loads(capsys.readouterr().out)
        found.append(record["tasks"])
    assert found[1] == numbers(found[0])
