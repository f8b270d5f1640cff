"""A run folder is enough to use its network: from any folder, without its data, with the scores of `eval`."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch

import mtlrun
from mtlrun.cli.main import main
from mtlrun.config.saved import load_config
from mtlrun.data.source import Normalisation, Splits, TensorSource
from mtlrun.errors import ConfigError, DataError, ResumeError
from mtlrun.experiment.run import evaluate
from mtlrun.inference.description import describe


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """moved(result) -> a copy of the run folder alone, from which nothing of its data can be found."""
    monkeypatch.chdir(tmp_path)

    def copy(result, *without):
        shutil.copytree(result.folder, tmp_path / "moved")
        for name in without:
            (tmp_path / "moved" / name).unlink()
        return tmp_path / "moved"

    return copy


def alike(rows):
    """Equal but for the rounding of numbers."""
    return [{key: near(value) if isinstance(value, float) else value for key, value in row.items()} for row in rows]


def near(value):
    return pytest.approx(value, rel=1e-4, abs=1e-6)


def rows_of(path):
    with path.open() as file:
        return [*csv.DictReader(file)]


def test_predictions_of_test_rows_have_the_scores_of_eval(table, moved, tmp_path):
    test = table.folder.parent / "test.npz"
    assert main(["predict", str(moved(table)), str(test), "--csv", "said.csv"]) == 0
    said, truth = rows_of(tmp_path / "said.csv"), np.load(test)
    scores = table.summary["tasks"]
    right = np.mean([int(row["shape"]) == label for row, label in zip(said, truth["shape"])])
    assert right == pytest.approx(scores["shape"]["best"]["test"]["accuracy"])
    errors = [abs(float(row["length"]) - length) for row, length in zip(said, truth["length"])]
    assert np.mean(errors) == pytest.approx(scores["length"]["best"]["test"]["mae"], rel=1e-4)
    marks = [[float(row["marks_0"]) > 0.5, float(row["marks_1"]) > 0.5] for row in said]
    assert np.mean(np.array(marks) == truth["marks"]) == pytest.approx(scores["marks"]["best"]["test"]["accuracy"])
    assert [*said[0]] == ["file", "row", "shape", "shape_p", "length", "marks", "marks_0", "marks_1"]


def test_images_of_every_form_are_answered_alike(images, moved, tmp_path):
    data, run = images.folder.parent, moved(images)
    array = np.load(data / "test.npz")["inputs"][:3]
    np.save(tmp_path / "three.npy", array)
    np.save(tmp_path / "one.npy", array[0])
    from_files = mtlrun.load(run).predict([data / "pictures", tmp_path / "three.npy", tmp_path / "one.npy"])
    answers = [{key: value for key, value in row.items() if key not in ("file", "row")} for row in from_files]
    assert answers[:3] == alike(answers[3:6])
    assert answers[:1] == alike(answers[6:])
    network = mtlrun.load(run).network()
    assert network.predict(array.transpose(0, 3, 1, 2)) == alike(answers[:3])
    assert isinstance(network, torch.nn.Module)
    scores = images.summary["tasks"]["left"]["best"]["test"]["accuracy"]
    every = mtlrun.load(run).predict(data / "test.npz")
    labels = np.load(data / "test.npz")["left"]
    assert np.mean([int(row["left"]) == label for row, label in zip(every, labels)]) == pytest.approx(scores)


def test_bad_files_are_told_and_the_others_go_on(images, moved, tmp_path, capsys):
    run = moved(images)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"no picture")
    shutil.copy(images.folder.parent / "pictures" / "0.png", tmp_path / "in" / "b.png")
    np.save(tmp_path / "in" / "c.npy", np.zeros((2, 5, 5, 3), np.uint8))
    np.save(tmp_path / "in" / "d.npy", np.zeros((2, 16, 16, 3), np.float32))
    (tmp_path / "in" / "e.txt").write_text("a text\n")
    assert main(["predict", str(run), "in", "--to", "out"]) == 1
    (said,) = rows_of(tmp_path / "out" / "predictions.csv")
    assert said["file"] == "in/b.png"
    assert (tmp_path / "out" / "b.png").stat().st_size > 1000
    told = capsys.readouterr().err
    assert "a.png is damaged, or no picture" in told
    assert "c.npy holds 2x5x5x3 numbers, and a row should be an image of 3 x 16 x 16 (uint8)" in told
    assert "d.npy holds float32, and the network was trained on images of uint8" in told
    assert "e.txt is a text, and the network takes an image" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b\n1,2\n", "holds 1x2 numbers, and a row should be 6 numbers"),
        ("1,2,3,4,5,six\n1,2,3,4,5,x\n", "line 2: found 'x', which is no number"),
        ("1,2,3,4,5,nan\n", "NaN or infinite values in 1 of 1 rows"),
        ("", "has no row"),
    ],
)
def test_a_wrong_table_is_told(text, words, table, moved, tmp_path):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        mtlrun.load(moved(table)).predict("table.csv")


def test_a_table_gives_what_the_array_gives(table, moved, tmp_path):
    run, inputs = moved(table), np.load(table.folder.parent / "test.npz")["inputs"]
    np.savetxt(tmp_path / "rows.csv", inputs, delimiter=",", header="a,b,c,d,e,f", comments="", fmt="%.17g")
    np.save(tmp_path / "rows.npy", inputs)
    one, two = (mtlrun.load(run).predict(name) for name in ("rows.csv", "rows.npy"))
    assert [{**row, "file": ""} for row in one] == alike([{**row, "file": ""} for row in two])
    (only,) = mtlrun.load(run)
    assert only.network("last").predict(inputs[:2])[0].keys() == one[0].keys() - {"file", "row"}


def test_texts_are_answered_in_words(texts, moved, tmp_path):
    run = moved(texts)
    (tmp_path / "lines.txt").write_text("Who sings?\tAnna sings in Rome .\n\nAnna was glad .\n")
    first, second = mtlrun.load(run).predict("lines.txt")
    assert (first["row"], second["row"]) == (1, 3)
    assert first["pos"].startswith("Who/")
    assert len(second["ner"].split()) == 4
    assert first["sentiment"] in ("negative", "positive")
    assert first["qa"] in "Who sings ? Anna sings in Rome ." or first["qa"] == "no answer"
    (run / "vocabulary.json").unlink()
    with pytest.raises(ResumeError, match=r"no .*vocabulary.json: the words that the network knows"):
        mtlrun.load(run).predict("lines.txt")


def test_a_subset_of_the_tasks(table, moved, capsys):
    run, test = moved(table), str(table.folder.parent / "test.npz")
    assert main(["predict", str(run), test, "tasks=[shape]"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "file,row,shape,shape_p"
    assert main(["predict", test, test]) == 2
    assert "is a file: name the folder of a run, or a .onnx file" in capsys.readouterr().err
    assert main(["predict", str(run), test, "tasks=[shap]"]) == 2
    assert "no task 'shap'; did you mean 'shape'?" in capsys.readouterr().err


def test_model_json_says_what_goes_in_and_comes_out(table):
    said = json.loads((table.folder / "model.json").read_text())
    (entry,) = said["inputs"]
    inputs = np.load(table.folder.parent / "train.npz")["inputs"]
    assert entry["input_shape"] == [6]
    assert entry["normalisation"]["mean"][5] == pytest.approx(inputs[:, 5].mean(), abs=1)
    assert said["tasks"]["shape"]["names"] == ["0", "1"]
    assert said["tasks"]["marks"]["threshold"] == 0.5
    assert said["tasks"]["length"]["constants"]["mean"][0] == pytest.approx(20, abs=2)


def test_an_older_run_needs_its_data(table, moved, monkeypatch):
    run = moved(table, "model.json")
    monkeypatch.chdir(table.folder.parent)
    test = np.load("test.npz")["inputs"]
    assert mtlrun.load(run).network().predict(test) == alike(mtlrun.load(table.folder).network().predict(test))
    config = (run / ".hydra" / "config.yaml").read_text().replace("train.npz", "gone.npz")
    (run / ".hydra" / "config.yaml").write_text(config)
    with pytest.raises(DataError, match=r"has no model.json \(an older version .* its data are needed: no data file"):
        mtlrun.load(run).network()


def test_a_source_that_prepares_in_its_own_way_must_tell():
    class Silent(TensorSource):
        def prepare(self, inputs):
            return inputs * 2

    class Told(Silent):
        def normalisation(self):
            return Normalisation("float32", unit=0.5)

    rows = torch.ones(2, 3), {"a": torch.ones(2)}
    entries = [describe(Splits([kind("s", *rows)], [], [], ""), {}).inputs[0] for kind in (TensorSource, Silent, Told)]
    assert [entry.told for entry in entries] == [True, False, True]
    assert entries[2].normalisation.unit == 0.5


def test_several_runs_are_not_one(table, moved):
    run = moved(table)
    shutil.copytree(run, run.parent / "second")
    with pytest.raises(ConfigError, match=r"there are 2 runs: choose one, such as load\(...\)\[0\]"):
        mtlrun.load(run.parent).network()


def test_the_network_is_that_of_eval(images, monkeypatch):
    """From raw images to outputs."""
    from mtlrun.config.build import build_evaluator
    from mtlrun.training.checkpoint import load

    monkeypatch.chdir(images.folder.parent)
    evaluator, model, splits = build_evaluator(load_config(images.folder))
    model.load_state_dict(load(images.folder / "checkpoints" / "best.pt")["model"])
    network = mtlrun.load(images.folder).network()
    _, rows, outputs = next(evaluator.outputs(splits.test))
    with torch.no_grad():
        found = network(splits.test[0].fetch(rows)[0])
    assert found.keys() == outputs.keys()
    for task, output in outputs.items():
        torch.testing.assert_close(found[task], output)
    assert evaluate(load_config(images.folder), images.folder) == {
        task: images.summary["tasks"][task]["best"]["test"] for task in found
    }
