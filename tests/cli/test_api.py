"""`mtlrun.run(...)` from Python."""

import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.version import VersionBase
from omegaconf import OmegaConf

import mtlrun
from mtlrun.errors import ConfigError


def test_a_run_has_the_files_of_a_command(training):
    result = mtlrun.run(["task=multidigits", "balancer=pcgrad", "seed=2"])
    assert result.summary["steps"] == 2
    assert result.folder.parent.parent == Path("outputs")
    assert json.loads((result.folder / "run.json").read_text())["status"] == "finished"
    config = OmegaConf.load(result.folder / ".hydra/config.yaml")
    assert (config.seed, "hydra" in config) == (2, False)
    overrides = ["task=multidigits", "balancer=pcgrad", "seed=2"]
    assert OmegaConf.load(result.folder / ".hydra/overrides.yaml") == overrides
    assert OmegaConf.load(result.folder / ".hydra/hydra.yaml").hydra.runtime.choices.balancer == "pcgrad"
    assert "training" in (result.folder / "run.log").read_text()


def test_its_folder_can_be_resumed(training, command):
    mtlrun.run(["task=multidigits"], folder="mine")
    assert command("resume", "mine", "trainer.epochs=20").code == 0


def test_a_chosen_folder_is_used_once(training):
    assert mtlrun.run([], folder="mine").folder == Path("mine")
    with pytest.raises(ConfigError, match="mine already holds a run"):
        mtlrun.run([], folder="mine")


def test_logging_and_hydra_are_as_before(training):
    root, ours = logging.getLogger(), logging.getLogger("mtlrun")
    hydra, base = GlobalHydra.instance(), VersionBase.instance()
    before = (root.handlers[:], root.level, ours.handlers[:], ours.level, base.version_base, hydra.hydra)
    for _ in range(2):
        mtlrun.run(["task=multidigits"])
    assert GlobalHydra.instance() is hydra
    assert before == (root.handlers, root.level, ours.handlers, ours.level, base.version_base, hydra.hydra)


def test_from_a_thread(training):
    results = []
    threads = [threading.Thread(target=lambda: results.append(mtlrun.run(["seed=1"]))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({result.folder for result in results}) == 3


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["balancer=gradnrom"], "no balancer 'gradnrom'; did you mean 'gradnorm'\\?"),
        (["+trainer.epohcs=1"], "no setting 'epohcs' in trainer"),
        (["trainer.epochs=0"], "trainer.epochs=0: must be 1 or more"),
        (["optimizer.lr=x"], "optimizer.lr=x: must be a number"),
        (["seed"], "cannot read 'seed'"),
        (["experiment=compare_balancers"], "these settings are a sweep"),
    ],
)
def test_a_mistake_raises(overrides, line, training):
    with pytest.raises(ConfigError, match=line):
        mtlrun.run(overrides)
    assert not Path("outputs").exists()


def test_a_failure_is_raised_and_written_down(training):
    training.behave = lambda config: {}["x"]
    with pytest.raises(KeyError):
        mtlrun.run([], folder="mine")
    assert json.loads(Path("mine/run.json").read_text())["status"] == "failed"


def test_importing_the_package_loads_nothing(tmp_path):
    code = "import sys, mtlrun; sys.exit(bool({'torch', 'hydra', 'omegaconf'} & set(sys.modules)))"
    root = str(Path(__file__).parents[2])
    assert subprocess.run([sys.executable, "-c", code], env={"PYTHONPATH": root}).returncode == 0


def test_there_is_nothing_else():
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        mtlrun.runn  # noqa: B018


def test_a_sweep_gives_its_runs_and_its_report(training, monkeypatch):
    root, hydra = logging.getLogger(), GlobalHydra.instance()
    before = (root.handlers[:], root.level, hydra.hydra, sys.argv)

    def fail(config):
        if (config.seed, config.balancer._target_.rpartition(".")[2]) == (1, "PCGrad"):
            raise RuntimeError("broken")

    train = training.train

    def written(config, folder, resume):
        summary = train(config, folder, resume)
        folder.write_summary(summary)
        return summary

    training.behave = fail
    monkeypatch.setattr(training, "train", written)
    result = mtlrun.run(["-m", "task=multidigits", "balancer=equal,pcgrad", "seed=0,1"], folder="mine")
    assert result.folder == Path("mine")
    assert [run.status for run in result.runs] == ["finished", "finished", "finished", "failed"]
    (section,) = result.report.sections
    assert [row.seeds for row in section.rows] == [(0, 1), (0,)]
    assert "<table" in result._repr_html_()
    assert (result.folder / "report.json").is_file()
    assert GlobalHydra.instance() is hydra
    assert before == (root.handlers, root.level, hydra.hydra, sys.argv)


def test_a_mistake_in_a_job_is_raised_before_any_starts(training):
    with pytest.raises(ConfigError, match=r"no balancer 'pcgrd'; did you mean 'pcgrad'\? \[in job"):
        mtlrun.run(["-m", "task=multidigits", "balancer=equal,pcgrd"])
    with pytest.raises(ConfigError, match="no flag '--nonsense'"):
        mtlrun.run(["-m", "--nonsense"])
    assert not training.calls


def test_a_sweep_of_other_processes_loads_no_torch_here(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="pip install 'mtlrun[joblib]'")
    script = """
import sys
import joblib, mtlrun

class Started(Exception):
    pass

def start(self, jobs):
    raise Started(len(list(jobs)))

joblib.Parallel.__call__ = start
try:
    mtlrun.run(["-m", "hydra/launcher=joblib", "task=multidigits", "seed=0,1"])
except Started as started:
    print(started, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.splitlines()[-1:] == ["2 False"], done.stderr
