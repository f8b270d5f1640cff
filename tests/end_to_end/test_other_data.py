"""A checkpoint is not trained further, scored or started from on data whose test rows it may have seen."""

import json

import numpy as np
import pytest

from mtlrun.cli import main as command
from mtlrun.runs.jsonfile import read_json


@pytest.fixture
def coins(tmp_path):
    """Labels that nothing can know: whoever scores well has seen the rows."""

    def write(rows=240, name="coins.npz"):
        draw = np.random.default_rng(0)
        np.savez(tmp_path / name, inputs=draw.normal(size=(rows, 8)), coin=draw.integers(0, 2, rows))
        return tmp_path / name

    return write


@pytest.fixture
def trained(coins, tmp_path, capsys):
    words = [f"data.path={coins()}", f"hydra.run.dir={tmp_path}/run", *QUICK]
    assert command.main(words) == 0
    capsys.readouterr()
    return tmp_path / "run"


QUICK = ["task=arrays", "trainer.epochs=1", "trainer.device=cpu", "diagnostics.plots=false", "diagnostics.pictures=0"]


def refused(capsys, *words):
    assert command.main([str(word) for word in words]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    return lines[-1]


def test_resume_with_another_split(trained, capsys):
    line = refused(capsys, "resume", trained, "data.seed=1", "trainer.epochs=2")
    assert "knows other data: the train rows of 'arrays' are others" in line
    assert "allow_other_data=true" in line
    assert command.main(["resume", str(trained), "trainer.epochs=2"]) == 0  # nothing stands in the way now
    assert read_json(trained / "summary.json")["last_epoch"] == 1


def test_resume_and_eval_after_rows_were_appended(trained, coins, capsys):
    coins(rows=250)
    assert "train had 168 rows of 'arrays' and has 174 now" in refused(capsys, "resume", trained, "trainer.epochs=2")
    assert "train had 168 rows" in refused(capsys, "eval", trained)
    assert command.main(["eval", str(trained), "allow_other_data=true"]) == 0
    assert command.main(["resume", str(trained), "trainer.epochs=2", "allow_other_data=true"]) == 0
    assert command.main(["eval", str(trained), "checkpoint=last"]) == 0  # which has been trained on these


def test_a_file_that_only_moved(trained, coins, capsys):
    file = coins()
    moved = file.rename(file.with_name("moved.npz"))
    assert command.main(["resume", str(trained), "trainer.epochs=2", f"data.path={moved}"]) == 0


def test_init_from_with_another_split(trained, tmp_path, coins, capsys):
    words = [f"data.path={coins()}", f"init_from={trained}", *QUICK]
    line = refused(capsys, *words, "data.seed=1", f"hydra.run.dir={tmp_path}/other")
    assert "of the rows that would be tested on" in line
    assert command.main([*words, f"hydra.run.dir={tmp_path}/same"]) == 0


def test_other_data_are_scored_by_the_scale_of_training(tmp_path, capsys):
    """Labels that are 100 higher than those of training are missed by 100: their own mean has no say."""
    path, draw = tmp_path / "heights.npz", np.random.default_rng(0)
    inputs = draw.normal(size=(120, 4)).astype(np.float32)
    np.savez(path, inputs=inputs, height=inputs.sum(1))
    assert command.main([f"data.path={path}", f"hydra.run.dir={tmp_path}/run", *QUICK]) == 0
    np.savez(path, inputs=inputs, height=inputs.sum(1) + 100)
    capsys.readouterr()
    assert command.main(["eval", str(tmp_path / "run"), "allow_other_data=true", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["tasks"]["height"]["mae"] == pytest.approx(100, abs=5)
