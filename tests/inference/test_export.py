"""Exported networks give what PyTorch gives, for any number of rows, and say how to use them."""

import csv
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from schemes import ON_ANY_BACKBONE

import mtlrun
from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.mlp import MLP
from mtlrun.cli.main import main
from mtlrun.data.source import Normalisation
from mtlrun.inference.description import InputDescription
from mtlrun.inference.graph import BATCHES, TRACED, Graph, check_alike, differences, example, recorded
from mtlrun.inference.trained import TrainedNetwork
from mtlrun.instantiate import instantiate
from mtlrun.paths import CONF
from mtlrun.runs.yamlfile import read_yaml
from mtlrun.sharing.base import Sharing
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.detection import Detection
from mtlrun.tasks.regression import Regression
from mtlrun.tasks.segmentation import Segmentation
from mtlrun.training.model import MultiTaskModel

onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")), reason="mtlrun[export] is absent"
)
OPTIONS = {"lora": {"layers": None}, "groups": {"groups": [["sign", "speed"], ["lane"]]}}


def network(scheme, backbone, shape, tasks, normalisation):
    """A fresh network of a scheme, in evaluation mode."""
    settings = {k: v for k, v in read_yaml(CONF / "sharing" / f"{scheme}.yaml").items() if k != "defaults"}
    sharing = instantiate(
        {**settings, **OPTIONS.get(scheme, {})}, "sharing", Sharing, backbone=backbone, tasks=tuple(tasks)
    )
    heads = {name: task.make_head(sharing.features, shape) for name, task in tasks.items()}
    entry = InputDescription("rows", tuple(tasks), shape, normalisation)
    return TrainedNetwork(MultiTaskModel(sharing, heads), tasks, [entry]), entry


@pytest.mark.parametrize("scheme", ON_ANY_BACKBONE)
def test_every_scheme_has_a_graph_for_any_number_of_rows(scheme):
    tasks = {"sign": Classification("sign", 3), "speed": Regression("speed"), "lane": Classification("lane", 2)}
    statistics = Normalisation("float64", mean=[0.0, 5.0, 1e9], deviation=[1.0, 2.0, 3.0], early=True)
    made, entry = network(scheme, lambda: MLP((3,), hidden=[8, 6]), (3,), tasks, statistics)
    graph = Graph(made, entry, raw=False)
    found = differences(recorded(graph, example(entry, TRACED, 0)).module(), graph, entry, 0)
    assert {*found} == {str(rows) for rows in BATCHES}
    check_alike(found, "pt2")


def test_maps_and_boxes_have_a_graph():
    tasks = {"lane": Segmentation("lane", 2), "cars": Detection("cars", ["car"])}
    statistics = Normalisation("uint8", 255.0, [0.5, 0.4, 0.3], [0.2, 0.2, 0.2])
    made, entry = network(
        "film", lambda: CNN((3, 16, 16), channels=[4, 6], norm="group"), (3, 16, 16), tasks, statistics
    )
    graph = Graph(made, entry, raw=False)
    check_alike(differences(recorded(graph, example(entry, TRACED, 0)).module(), graph, entry, 0), "pt2")


def test_a_run_is_exported_for_pt2(texts, tmp_path, capsys):
    assert main(["export", str(texts.folder), "--to", str(tmp_path), "tasks=[sentiment,pos]"]) == 0
    said = capsys.readouterr()
    assert re.search(r"model.pt2  \d+\.\d\d MB\n.*: [\d,]+ parameters, .* ms a row in PyTorch", said.out)
    assert "torch" not in said.err
    program = torch.export.load(str(tmp_path / "model.pt2"))
    sentiment = mtlrun.load(texts.folder).network()
    (entry,) = sentiment.inputs.values()
    rows = example(entry, 7, 20)
    with torch.no_grad():
        wanted = sentiment.answers(rows)
        pos, found = program.module()(rows)
    torch.testing.assert_close(found, wanted["sentiment"])
    torch.testing.assert_close(pos, wanted["pos"])
    assert {*json.loads((tmp_path / "model.json").read_text())["tasks"]} == {"sentiment", "pos"}
    assert {*json.loads((tmp_path / "check.json").read_text())["pt2"]} == {"1", "5", "64"}


@onnx
def test_onnx_predicts_what_the_run_predicts(images, table, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for result, name in ((images, "images"), (table, "table")):
        test = str(result.folder.parent / "test.npz")
        assert main(["export", str(result.folder), "--to", name, "--format", "onnx"]) == 0
        assert main(["predict", str(result.folder), test, "--csv", "one.csv"]) == 0
        assert main(["predict", f"{name}/model.onnx", test, "--csv", "two.csv"]) == 0
        one, two = ([*csv.DictReader((tmp_path / file).open())] for file in ("one.csv", "two.csv"))
        assert len(one) == len(two) == 30
        for mine, theirs in zip(one, two):
            assert mine.keys() == theirs.keys()
            for key in mine.keys() - {"file", "marks"}:
                assert float(mine[key]) == pytest.approx(float(theirs[key]), rel=1e-3, abs=1e-4)
    capsys.readouterr()


@onnx
def test_use_md_runs_as_printed(table, tmp_path):
    assert main(["export", str(table.folder), "--to", str(tmp_path), "--format", "onnx,pt2,safetensors"]) == 0
    blocks = re.findall(r"```python\n(.*?)```", (tmp_path / "USE.md").read_text(), re.DOTALL)
    assert len(blocks) == 3
    done = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "shape (2, 2) ['0', '1']" in done.stdout
    assert "length (2, 1)" in done.stdout
    assert (tmp_path / "model.safetensors").stat().st_size > 1000


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "onx"], "no format 'onx'; did you mean 'onnx'?"),
        (["tasks=[shap]"], "no task 'shap'; did you mean 'shape'?"),
        (["--to"], "--to needs a value: mtlrun export RUN"),
        (["checkpoint=first"], "no checkpoint 'first'"),
    ],
)
def test_mistakes_are_told(words, told, table, capsys):
    assert main(["export", str(table.folder), *words]) == 2
    assert told in capsys.readouterr().err


def test_what_no_graph_holds_is_refused(table, tmp_path, capsys, monkeypatch):
    def broken(self, inputs):
        return (inputs.sum().item() * inputs,) if inputs.sum() > 0 else (inputs,)

    monkeypatch.setattr(Graph, "forward", broken)
    assert main(["export", str(table.folder), "--to", str(tmp_path / "out")]) == 2
    assert "this network cannot be exported (MMoE): " in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_a_difference_is_refused(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mtlrun.inference.graph._relative", lambda one, two, centre: 2e-4)
    assert main(["export", str(table.folder), "--to", str(tmp_path / "out")]) == 2
    assert "model.pt2 differs from PyTorch by 2.0e-04 in task 'shape' with 1 rows" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []


def test_raw_outputs_are_those_of_the_heads(table, tmp_path):
    assert main(["export", str(table.folder), "--to", str(tmp_path), "--raw"]) == 0
    inputs = np.load(table.folder.parent / "test.npz")["inputs"]
    with torch.no_grad():
        found = torch.export.load(str(tmp_path / "model.pt2")).module()(torch.from_numpy(inputs))
        wanted = mtlrun.load(table.folder).network()(torch.from_numpy(inputs))
    for one, two in zip(found, wanted.values()):
        torch.testing.assert_close(one, two)
    shutil.rmtree(tmp_path)
