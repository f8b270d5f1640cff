"""Exported networks give what PyTorch gives, for any number of rows, and say how to use them."""

import csv
import json
import re
import shutil
from contextlib import redirect_stderr, redirect_stdout
from importlib.util import find_spec
from io import StringIO

import numpy as np
import pytest
import torch
from PIL import Image
from sampling import sampled
from schemes import ON_ANY_BACKBONE

import mtlrun
from mtlrun.backbones.cnn import CNN
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.molecule import Molecule
from mtlrun.backbones.mpnn import MPNN
from mtlrun.cli.main import main
from mtlrun.data.source import Normalisation
from mtlrun.inference.description import WORDS, InputDescription
from mtlrun.inference.export import _slim
from mtlrun.inference.graph import (
    BATCHES,
    TOLERANCE,
    TRACED,
    Graph,
    _relative,
    check_alike,
    differences,
    example,
    recorded,
)
from mtlrun.inference.predict import predictor
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

ONNX_IS_THERE = all(find_spec(name) is not None for name in ("onnx", "onnxscript", "onnxruntime"))
SAFETENSORS_IS_THERE = find_spec("safetensors") is not None
FORMATS = ["pt2", *["safetensors"] * SAFETENSORS_IS_THERE, *["onnx"] * ONNX_IS_THERE]
onnx = pytest.mark.skipif(not ONNX_IS_THERE, reason="mtlrun[export] is absent")
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


RECORDED_APART = ["adapters", "conditioned", "cross_stitch", "lora", "ple"]
"""One of each sort of layers; those of film and mmoe are in the files of whole runs below."""


@pytest.mark.parametrize("scheme", sampled(ON_ANY_BACKBONE, RECORDED_APART))
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


@pytest.mark.parametrize(
    ("backbone", "shape"), [pytest.param(Molecule, (9, 4), marks=pytest.mark.slow), (MPNN, (9, 18))]
)
def test_molecules_have_a_graph(backbone, shape):
    """How many atoms there are hangs on the rows."""
    tasks = {"gap": Regression("gap")}
    made, entry = network("hard", lambda: backbone(shape, channels=8), shape, tasks, Normalisation("float32"))
    graph = Graph(made, entry, raw=False)
    check_alike(differences(recorded(graph, example(entry, TRACED, 0)).module(), graph, entry, 0), "pt2")


def test_a_large_mean_hides_no_difference():
    """Of numbers in the targets' own unit a difference counts beside how far they vary."""
    wanted = 1e6 + torch.tensor([[0.0], [3.0]], dtype=torch.float64)
    assert _relative(wanted + 0.3, wanted, torch.tensor([1e6])) == pytest.approx(0.1)
    assert _relative(wanted + 0.3, wanted, 0.0) < 1e-6
    rounded = wanted.float()
    assert _relative(torch.nextafter(rounded, 2 * rounded), rounded, torch.tensor([1e6])) < TOLERANCE


@pytest.fixture(scope="module")
def _exported(table, tmp_path_factory):
    """The table's run in every format."""
    folder = tmp_path_factory.mktemp("exported") / "table"
    assert main(["export", str(table.folder), "--to", str(folder), "--format", ",".join(FORMATS)]) == 0
    return folder


@pytest.fixture
def exported(_exported, tmp_path):
    """A copy of that folder."""
    return shutil.copytree(_exported, tmp_path / "table")


def test_files_hold_what_the_kept_tasks_need(table, exported, tmp_path):
    """Heads, and parts of the sharing scheme that serve others alone, are in no file."""
    formats = [name for name in FORMATS if name != "onnx"]
    words = ["tasks=[shape]", "--format", ",".join(formats), "--to", str(tmp_path / "one")]
    assert main(["export", str(table.folder), *words]) == 0
    for file in (f"model.{name}" for name in formats):
        assert (tmp_path / "one" / file).stat().st_size < (exported / file).stat().st_size
    kept = torch.export.load(str(tmp_path / "one" / "model.pt2")).state_dict
    assert any("heads" in name for name in kept)
    assert not [name for name in kept if "length" in name or "marks" in name]


@pytest.mark.parametrize("scheme", ["adapters", "hard"])
def test_layers_that_tasks_share_stay_when_a_task_is_left_out(scheme):
    """In the bodies of adapters a shared layer has a name for each task."""
    tasks = {"sign": Classification("sign", 3), "speed": Regression("speed")}
    made, entry = network(scheme, lambda: MLP((3,), hidden=[8, 6]), (3,), tasks, Normalisation("float32"))
    whole = [*made.state_dict()]
    made.keep(["sign"])
    graph = Graph(made, entry, raw=False)
    slim, program = _slim(graph, example(entry, TRACED, 0))
    check_alike(differences(program.module(), graph, entry, 0), "pt2")
    check_alike(differences(slim, graph, entry, 0), "slim")
    assert not [name for name in slim.state_dict() if "heads.task_speed" in name or "adapters.task_speed" in name]
    assert [*graph.network.state_dict()] == whole


def test_what_a_scheme_looks_at_for_all_tasks_stays(monkeypatch):
    tasks = {"sign": Classification("sign", 3), "speed": Regression("speed")}
    made, entry = network("hard", lambda: MLP((3,), hidden=[8]), (3,), tasks, Normalisation("float32"))
    made.keep(["sign"])
    forward = Graph.forward
    layer = next(name for name, part in made.model.head("speed").named_modules() if isinstance(part, torch.nn.Linear))

    def reading(self, inputs):
        self.network.model.head("speed").get_submodule(layer).weight.dim()
        return forward(self, inputs)

    monkeypatch.setattr(Graph, "forward", reading)
    graph = Graph(made, entry, raw=False)
    slim, program = _slim(graph, example(entry, TRACED, 0))
    check_alike(differences(program.module(), graph, entry, 0), "pt2")
    assert slim is graph


@pytest.fixture(scope="module")
def two_of_texts(texts, tmp_path_factory):
    """Two tasks of that run in a folder, and what the command wrote to stdout and stderr."""
    folder = tmp_path_factory.mktemp("exported") / "texts"
    with redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        assert main(["export", str(texts.folder), "--to", str(folder), "tasks=[sentiment,pos]"]) == 0
    return folder, out.getvalue(), err.getvalue()


def test_a_run_is_exported_for_pt2(texts, two_of_texts):
    folder, out, err = two_of_texts
    assert re.search(r"model.pt2  \d+\.\d\d MB\n.*: [\d,]+ parameters, .* ms a row in PyTorch", out)
    assert "torch" not in err
    program = torch.export.load(str(folder / "model.pt2"))
    sentiment = mtlrun.load(texts.folder).network()
    (entry,) = sentiment.inputs.values()
    rows = example(entry, 7, 20)
    with torch.no_grad():
        wanted = sentiment.answers(rows)
        pos, found = program.module()(rows)
    torch.testing.assert_close(found, wanted["sentiment"])
    torch.testing.assert_close(pos, wanted["pos"])
    assert {*json.loads((folder / "model.json").read_text())["tasks"]} == {"sentiment", "pos"}
    assert {*json.loads((folder / "check.json").read_text())["pt2"]} == {"1", "5", "64"}


@onnx
def test_onnx_predicts_what_the_run_predicts(images, table, exported, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(images.folder), "--to", "images", "--format", "onnx"]) == 0
    for result, name in ((images, "images"), (table, exported.name)):
        test = str(result.folder.parent / "test.npz")
        assert main(["predict", str(result.folder), test, "--csv", "one.csv"]) == 0
        assert main(["predict", f"{name}/model.onnx", test, "--csv", "two.csv"]) == 0
        one, two = ([*csv.DictReader((tmp_path / file).open())] for file in ("one.csv", "two.csv"))
        assert len(one) == len(two) == 30
        for mine, theirs in zip(one, two):
            assert mine.keys() == theirs.keys()
            for key in mine.keys() - {"file", "marks"}:
                assert float(mine[key]) == pytest.approx(float(theirs[key]), rel=1e-3, abs=1e-4)
    capsys.readouterr()


def printed(folder, *changes):
    """What the lines of USE.md come to, run in its folder; changes: (line that begins so, another line)."""
    page = (folder / "USE.md").read_text()
    lines = "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))
    for begin, line in changes:
        lines = re.sub(rf"^{begin} = .*$", lambda _, line=line: line, lines, flags=re.MULTILINE)
    exec(lines, names := {})
    found = {name: names[name] for name in ("inputs", "answers")}
    names.clear()  # the page's functions refer to them: a session of onnxruntime would stay until somebody looks
    return found


@onnx
def test_use_md_runs_as_printed(exported, monkeypatch, capsys):
    monkeypatch.chdir(exported)
    answers = printed(exported)["answers"]
    assert {task: tuple(answer.shape) for task, answer in answers.items()} == {
        **{"shape": (2, 2), "length": (2, 1), "marks": (2, 2)}
    }
    assert "shape (2, 2) ['0', '1']" in capsys.readouterr().out
    assert (exported / "model.safetensors").stat().st_size > 1000


def test_use_md_reads_pictures_as_predict_does(images, tmp_path, monkeypatch):
    assert main(["export", str(images.folder), "--to", str(tmp_path)]) == 0
    draw = np.random.default_rng(0)
    for name, size in (("a.png", (20, 33)), ("b.jpg", (60, 90)), ("c.png", (16, 16))):
        Image.fromarray(draw.integers(0, 255, (*size, 3), dtype=np.uint8)).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert printed(tmp_path)["answers"]["left"].shape == (2, 2)
    found = printed(tmp_path, ("inputs", "inputs = np.stack([pixels(name) for name in ['a.png', 'b.jpg', 'c.png']])"))
    said = mtlrun.load(images.folder).predict(["a.png", "b.jpg", "c.png"])
    assert [row["left_p"] for row in said] == pytest.approx(found["answers"]["left"].amax(1).tolist(), rel=1e-5)


def test_use_md_reads_texts_as_predict_does(texts, two_of_texts, tmp_path, monkeypatch):
    folder = shutil.copytree(two_of_texts[0], tmp_path / "texts")
    lines = [
        "Anna was glad , and it's late",
        "Who sings?\tAnna sings in Rome .",
        "why " * 60 + "?\tSo. " + "It is. " * 40,
    ]
    (folder / "lines.txt").write_text("\n".join(lines))
    monkeypatch.chdir(folder)
    assert printed(folder)["answers"]["sentiment"].shape == (1, 2)
    found = printed(folder, ("lines", f"lines = {lines}"))
    wanted = predictor(texts.folder).reader.read(folder / "lines.txt").inputs
    assert all(np.array_equal(rows.numpy(), found["inputs"]) for rows in wanted.values())
    said = mtlrun.load(texts.folder).predict("lines.txt")
    assert [row["sentiment_p"] for row in said] == pytest.approx(
        found["answers"]["sentiment"].amax(1).tolist(), rel=1e-5
    )


@pytest.mark.parametrize("place", ["torch.export.export", "torch.export.save", "torch.export.load"])
def test_a_failure_of_the_exporter_is_one_line_and_leaves_nothing(place, table, tmp_path, capsys, monkeypatch):
    def fail(*arguments, **options):
        print("a page of advice")
        raise RuntimeError("unbind of\nnothing")

    monkeypatch.setattr(place, fail)
    assert main(["export", str(table.folder), "--to", str(tmp_path / "new" / "out")]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert said.err.endswith("unbind of nothing\n")
    assert [*tmp_path.iterdir()] == []


def test_an_export_that_fails_keeps_the_one_before(table, exported, monkeypatch):
    before = {path.name: path.read_bytes() for path in exported.iterdir()}
    assert before.keys() >= {"model.pt2", "model.json"}
    monkeypatch.setattr("mtlrun.inference.graph._relative", lambda one, two, centre: 2e-4)
    assert main(["export", str(table.folder), "--to", str(exported), "tasks=[shape]"]) == 2
    assert {path.name: path.read_bytes() for path in exported.iterdir()} == before


def test_files_of_the_export_before_that_are_not_written_again_go_away(table, exported):
    (exported / "model.notes").write_text("mine")
    (exported / WORDS).write_text("of a network for texts that was here before")
    assert main(["export", str(table.folder), "--to", str(exported), "--format", "safetensors", "tasks=[shape]"]) == 0
    kept = {"model.safetensors", "model.json", "check.json", "USE.md", "model.notes"}
    assert {path.name for path in exported.iterdir()} == kept


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "onx"], "no format 'onx'; did you mean 'onnx'?"),
        (["tasks=[shap]"], "no task 'shap'; did you mean 'shape'?"),
        (["tasks=[]"], "tasks=[] names no task: leave it out for all"),
        (["--format", ""], "--format needs a value: mtlrun export RUN"),
        (["--to="], "--to needs a value: mtlrun export RUN"),
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
