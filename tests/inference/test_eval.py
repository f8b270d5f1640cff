"""`mtlrun eval` on rows that the run has never seen, without its training data."""

import json

import numpy as np
import pytest

from mtlrun.cli.main import main


def scores(capsys, *words):
    assert main(["eval", *map(str, words), "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    return record["tasks"]


@pytest.fixture
def alone(table, moved):
    return moved(table, "npz")


def test_new_rows_are_prepared_as_the_training_rows_were(alone, capsys):
    found = scores(capsys, "run", "data.test_path=new.npz")
    for task, values in alone.items():
        assert found[task] == pytest.approx(values["best"]["test"], rel=1e-5)


def test_a_part_of_the_tasks_and_of_the_classes_is_enough(alone, capsys, tmp_path):
    rows = np.load("new.npz")
    zero = rows["shape"] == 0
    np.savez("zero.npz", inputs=rows["inputs"][zero], shape=rows["shape"][zero])
    assert [*scores(capsys, "run", "data.test_path=zero.npz")] == ["shape"]


def test_other_data_of_the_same_tasks(alone, capsys):
    found = scores(capsys, "run", "data=arrays", "data.path=new.npz", "data.test_path=new.npz")
    assert found["length"]["mae"] == pytest.approx(alone["length"]["best"]["test"]["mae"], rel=1e-5)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["data.test_path=gone.npz"], "data.test_path=gone.npz: no such file or folder"),
        (["data.tst_path=new.npz"], "no setting 'tst_path' in data; did you mean 'test_path'?"),
        (["data=study_conflict"], "the data have none of the run's tasks (shape, length, marks), but "),
        (["data.test_path=narrow.npz"], "rows of 'arrays' are 5, and the network takes 6 numbers"),
    ],
)
def test_what_does_not_suit_is_told(words, told, alone, capsys):
    rows = dict(np.load("new.npz"))
    np.savez("narrow.npz", **{**rows, "inputs": rows["inputs"][:, :5]})
    assert main(["eval", "run", *words]) == 2
    assert told in capsys.readouterr().err


def test_an_older_run_is_told(alone, capsys, tmp_path):
    (tmp_path / "run" / "model.json").unlink()
    assert main(["eval", "run", "data.test_path=new.npz"]) == 2
    assert "has no model.json (an older version has written it)" in capsys.readouterr().err


def test_a_run_is_evaluated_from_any_folder(table, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = scores(capsys, table.folder)
    assert found["shape"] == pytest.approx(table.summary["tasks"]["shape"]["best"]["test"])
