"""The weights of gates, as a run leaves them."""

import csv
import json
import math
from itertools import pairwise

import pytest
import torch
from omegaconf import OmegaConf

from mtlrun.experiment.train import train as go_on
from mtlrun.reporting.plots import FIGURES
from mtlrun.reporting.series import Series
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.training.recorder import GateRecords

THREE_STAGES = "backbone.hidden=[8,8,8]"


def rows(folder, name="gates.csv"):
    with (folder / name).open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("scheme", "gates", "experts"),
    [
        ("mmoe", ["all"], 4),
        pytest.param("cgc", ["all"], 2, marks=pytest.mark.slow),
        pytest.param("dselect_k", ["all"], 4, marks=pytest.mark.slow),
        ("ple", ["level1", "level2"], 2),
    ],
)
def test_every_measured_step_has_the_weights_of_every_gate(train, scheme, gates, experts):
    result = train(f"sharing={scheme}", THREE_STAGES, "diagnostics.every=4", "trainer.epochs=2")
    found = rows(result.folder)
    measured = sorted({int(row["step"]) for row in rows(result.folder, "cosines.csv")})
    assert sorted({int(row["step"]) for row in found}) == measured == [0, 4, 8, 12]
    assert {(row["task"], row["gate"]) for row in found} == {
        (t, g) for t in ("shape", "length", "marks") for g in gates
    }
    totals = {}
    for row in found:
        totals.setdefault((row["step"], row["task"], row["gate"]), []).append(float(row["weight"]))
    assert all(len(weights) == experts and sum(weights) == pytest.approx(1) for weights in totals.values())
    last = {gate: totals["12", "length", gate] for gate in gates}
    assert result.summary["gates"]["length"] == {gate: pytest.approx(weights) for gate, weights in last.items()}
    series = Series(Run(result.folder))
    assert series.gates["length", gates[-1]][1].x.tolist() == measured
    titles = [axes.get_title(loc="left") for axes in FIGURES["gates"](series).axes]
    assert len([title for title in titles if title]) == 3 * len(gates)


def test_gates_are_measured_where_nothing_is_shared(train):
    result = train("sharing=mmoe", "tasks=[shape]", "trainer.log_every=3")
    assert sorted({int(row["step"]) for row in rows(result.folder)}) == [0, 10, 20]
    steps = [int(row["step"]) for row in rows(result.folder, "tasks.csv")]
    assert all(later - earlier == 3 for earlier, later in pairwise(steps))
    assert train("sharing=mmoe", "diagnostics.every=0", folder="never").summary["gates"] == {}


def test_other_schemes_write_no_such_file(train):
    result = train("trainer.max_steps=2")
    assert not (result.folder / "gates.csv").exists()
    assert result.summary["gates"] == {}
    assert FIGURES["gates"](Series(Run(result.folder))) is None


def test_a_resumed_run_has_the_same_lines(train):
    settings = ("sharing=ple", THREE_STAGES, "diagnostics.every=3")
    whole = train(*settings, folder="whole")
    folder = train(*settings, "trainer.epochs=1", "scheduler=constant", folder="parts").folder
    with (folder / "gates.csv").open("a") as file:
        file.write("99,shape,level1,0,0.5\n5,len")  # as after kill -9
    config = OmegaConf.load(folder / ".hydra" / "config.yaml")
    config.trainer.epochs = 3
    go_on(config, RunFolder(folder), resume=True)
    assert (folder / "gates.csv").read_text() == (whole.folder / "gates.csv").read_text()
    assert json.loads((folder / "summary.json").read_text())["gates"] == whole.summary["gates"]
    (folder / "checkpoints" / "last.pt").unlink()
    go_on(config, RunFolder(folder), resume=True)
    assert (folder / "gates.csv").read_text() == (whole.folder / "gates.csv").read_text()


def test_only_gates_that_have_seen_rows_count(tmp_path):
    records = GateRecords(RunFolder(tmp_path))
    gates = {"a/level1": torch.tensor([0.25, 0.75]), "b": torch.tensor([1.0]), "c": torch.tensor([math.nan, math.nan])}
    records.add(5, gates, {"a", "c"})
    records.flush()
    assert (tmp_path / "gates.csv").read_text() == (
        "step,task,gate,expert,weight\n5,a,level1,0,0.25\n5,a,level1,1,0.75\n"
    )
    assert records.latest == {"a": {"level1": [0.25, 0.75]}}
