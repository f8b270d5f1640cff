"""`mtlrun.run([...], data=...)`: a data frame or arrays, kept in the run's folder."""

import numpy as np
import pandas as pd
import pytest

import mtlrun
from mtlrun.cli.main import main
from mtlrun.config.saved import load_config
from mtlrun.errors import ConfigError, DataError

N = 60
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "file": RANDOM.normal(size=N),  # a word that numpy.savez keeps for itself
        "city": RANDOM.choice(["Oslo", "Rome", None], N),
        "churn": RANDOM.choice(["no", "yes"], N),
    }
)
SHORT = ["trainer.epochs=1", "trainer.device=cpu", "diagnostics.plots=false", "diagnostics.pictures=0"]


def test_a_run_on_a_frame_resumes_from_a_folder_that_moved(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["task=table", "data.targets=[churn]", "backbone.hidden=[8]", *SHORT]
    result = mtlrun.run(words, folder=tmp_path / "first", data=FRAME)
    assert "accuracy" in result.summary["tasks"]["churn"]["best"]["test"]
    moved = result.folder.rename(tmp_path / "moved")
    assert load_config(moved).data.path == str(moved / "data.npz")
    assert main(["resume", str(moved), "trainer.epochs=2"]) == 0


def test_arrays_by_name_are_inputs_and_labels(tmp_path):
    data = {"inputs": RANDOM.normal(size=(N, 3)), "colour": np.arange(N) % 3}
    result = mtlrun.run(["task=arrays", "backbone.hidden=[8]", *SHORT], folder=tmp_path / "run", data=data)
    assert [*result.summary["tasks"]] == ["colour"]


def test_words_are_not_taken_for_numbers(tmp_path):
    with pytest.raises(ConfigError, match=r"backbone MLP takes numbers, .* such as 'city': choose backbone=tabular"):
        mtlrun.run(["task=arrays", "data.targets=[churn]", *SHORT], folder=tmp_path / "run", data=FRAME)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2], "takes a pandas data frame, or a mapping from names to arrays, found a list"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns called 'a'"),
        (pd.DataFrame({"a": [[1], [2, 3]]}), "column 'a' holds a list of another length"),
    ],
)
def test_other_data_are_told(data, message):
    with pytest.raises(DataError, match=message):
        mtlrun.run(["task=table"], data=data)


@pytest.mark.parametrize(
    ("words", "data", "message"),
    [
        (["task=table", "data.targets=[churn]", "data.group=churn"], FRAME, "churn"),
        (["task=arrays", "data.targets=[churn]"], FRAME, "takes numbers"),
    ],
)
def test_a_refused_run_leaves_nothing(words, data, message, tmp_path):
    for folder in (tmp_path / "new", tmp_path / "there"):
        (tmp_path / "there").mkdir(exist_ok=True)
        (tmp_path / "there" / "notes.txt").write_text("mine")
        with pytest.raises((ConfigError, DataError), match=message):
            mtlrun.run([*words, *SHORT], folder=folder, data=data)
    assert [path.name for path in tmp_path.rglob("*")] == ["there", "notes.txt"]


@pytest.mark.parametrize(
    ("words", "data", "message"),
    [
        (["task=table"], {"x": [1, 2], "y": [1]}, "data has 2 rows of 'x' but 1 of 'y'"),
        (["task=arrays", "data.targets=[y]"], {"inputs": [[1], [2]], "y": 3}, "'y' is a single number"),
        (["task=multidigits"], FRAME, "data= goes with task=table, task=texts or task=arrays"),
        (["task=pictures"], FRAME, "pictures are files: name their folder with data.path=FOLDER"),
        (["task=table", "data.path=mine.csv"], FRAME, "data= gives the data, and data.path=mine.csv names others"),
        (["task=table", "data.pth=2"], FRAME, "pth"),
    ],
)
def test_what_does_not_go_with_data_is_told_before_a_folder_is_made(words, data, message, tmp_path):
    with pytest.raises((ConfigError, DataError), match=message):
        mtlrun.run([*words, *SHORT], folder=tmp_path / "run", data=data)
    assert not (tmp_path / "run").exists()


def test_a_file_of_the_users_is_not_replaced(tmp_path):
    (tmp_path / "data.npz").write_text("mine")
    with pytest.raises(ConfigError, match=r"data\.npz is there already, and data= would replace it"):
        mtlrun.run(["task=table", "data.targets=[churn]", *SHORT], folder=tmp_path, data=FRAME)
    assert (tmp_path / "data.npz").read_text() == "mine"
