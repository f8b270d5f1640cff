"""`mtlrun report`, the report at the end of a sweep, and the Python interface to both."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mtlrun
from mtlrun.errors import ConfigError

SCORES = {"accuracy": 0.75, "loss": 1.0}
TASK = {"metric": "accuracy", "higher_is_better": True, "best": {"test": SCORES}, "last": {"test": SCORES}}


@pytest.fixture(scope="module")
def _sweep(tmp_path_factory):
    """Folders as a sweep of two methods and two seeds leaves them."""
    folder = tmp_path_factory.mktemp("finished") / "sweep"
    for job, (balancer, seed) in enumerate([("equal", 0), ("equal", 1), ("pcgrad", 0), ("pcgrad", 1)]):
        path = folder / f"{job}_balancer={balancer},seed={seed}"
        (path / ".hydra").mkdir(parents=True)
        (path / ".hydra/config.yaml").write_text(f"seed: {seed}\nbalancer: {{_target_: {balancer}}}\n")
        (path / ".hydra/hydra.yaml").write_text(f"hydra:\n  runtime:\n    choices:\n      balancer: {balancer}\n")
        (path / ".hydra/overrides.yaml").write_text(f"- balancer={balancer}\n- seed={seed}\n")
        (path / "run.json").write_text(json.dumps({"status": "finished", "seed": seed}))
        (path / "summary.json").write_text(json.dumps({"tasks": {"left": TASK}, "best_epoch": 1}))
    return folder


@pytest.fixture
def swept(_sweep, tmp_path):
    """That sweep in the folder sweep/."""
    shutil.copytree(_sweep, tmp_path / "sweep")


def test_a_sweep_ends_with_its_report(command, training, monkeypatch):
    def train(config, folder, resume):
        (folder.path / "summary.json").write_text(json.dumps({"tasks": {"left": TASK}}))
        if config.seed == 2:
            raise RuntimeError("boom")
        return {}

    monkeypatch.setattr(training, "train", train)
    ended = command("-m", "task=multidigits", "balancer=equal,pcgrad", "seed=0,1,2", "hydra.sweep.dir=sweep")
    assert ended.code == 1
    words = " ".join(ended.out.split())
    assert "Nothing is bold" in words
    assert "failed: balancer=pcgrad seed=2 (RuntimeError: boom)" in words
    assert ended.out.splitlines()[-1] == "sweep"
    assert sorted(path.suffix for path in Path("sweep").glob("report.*")) == [".csv", ".html", ".json", ".md"]
    rows = json.loads(Path("sweep/report.json").read_text())["sections"][0]["rows"]
    assert [(row["label"], row["seeds"]) for row in rows] == [("balancer=equal", [0, 1]), ("balancer=pcgrad", [0, 1])]
    assert command("report", "sweep").out.rstrip() in ended.out


@pytest.mark.parametrize("how", ["--csv {}", "--csv={}", "csv={}"])
def test_options_are_written_in_three_ways(swept, command, how):
    assert command("report", "sweep", *how.format("new/table.csv").split()).code == 0
    assert Path("new/table.csv").read_text().startswith("run,balancer,seed,task,metric,split,value")


def test_a_dash_prints_the_file_alone(swept, command):
    assert json.loads(command("report", "sweep", "--json", "-").out)["by"] == "best"


def test_settings_choose_runs(swept, command):
    outcome = command("report", "sweep", "--where", "balancer=pcgrad", "where=seed=0,1", "by=last")
    assert "balancer=equal" not in outcome.out
    assert "at the last epoch" in outcome.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sweep", "--basline", "x"], "no flag '--basline'; did you mean '--baseline'?"),
        (["sweep", "seed=0"], "no folder 'seed=0': to choose runs by a setting write --where seed=0"),
        (["sweep", "--csv"], "--csv needs a value"),
        (["sweep", "by=best", "by=last"], "--by is given 2 times: best, last"),
        (["swep"], "no folder 'swep'; did you mean 'sweep'?"),
        (["sweep", "--csv", "/dev/null/x.csv"], "cannot write /dev/null/x.csv"),
    ],
)
def test_mistakes(swept, command, words, line):
    outcome = command("report", *words)
    assert outcome.code == 2
    assert line in outcome.err
    assert len(outcome.err.splitlines()) == 1


def test_without_words_it_says_what_it_takes(command):
    outcome = command("report")
    assert outcome.code == 2
    assert "--tune KEY" in outcome.out


def test_list_shows_the_file_of_an_option(command, tmp_path):
    assert "seed: ${seed}" in command("list", "balancer", "pcgrad").out
    assert "no balancer 'pcgard'; did you mean 'pcgrad'?" in command("list", "balancer", "pcgard").err
    assert command("list", "balancer", "sampler").out.startswith("balancer\n")
    (tmp_path / "mine/balancer").mkdir(parents=True)
    (tmp_path / "mine/balancer/own.yaml").write_text("# mine\na: 1\n")
    assert command("list", "--config-dir", "mine", "balancer", "own").out == "# mine\na: 1\n"


def test_python_loads_runs_and_reports(swept):
    runs = mtlrun.load("sweep")
    assert [run.config["seed"] for run in runs] == [0, 1, 0, 1]
    assert runs[1:3][0].summary["best_epoch"] == 1
    assert "4 runs" in runs._repr_html_()
    assert "accuracy" in runs[0]._repr_html_()
    made = mtlrun.report(["sweep"], where={"balancer": "pcgrad"})
    assert len(made.sections[0].rows) == 1
    assert "<table>" in made._repr_html_()
    with pytest.raises(ConfigError, match="no run in 'nowhere'"):
        mtlrun.load("nowhere")


def test_python_needs_no_torch_for_that(swept):
    script = (
        "import mtlrun, sys; mtlrun.report('sweep'); import mtlrun.reporting.make; mtlrun.report('sweep');"
        "mtlrun.load('sweep')[0]._repr_html_(); assert not {'torch', 'hydra', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_result_shows_itself(swept):
    result = mtlrun.Result(Path("sweep/0_balancer=equal,seed=0"), {"tasks": {}})
    assert "accuracy" in result._repr_html_()
    assert "tasks" not in repr(result)
