"""`mtlrun rerun`: which jobs run again, where, with what; the numbers are compared in end_to_end/test_rerun.py."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from mtlrun.cli.again import put_aside
from mtlrun.config.whereabouts import started_in
from mtlrun.errors import ConfigError, Interrupted, ResumeError
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run

STATUSES = {"0_seed-0": "finished", "1_seed-1": "failed", "2_seed-2": "interrupted"}


def record(name):
    return json.loads(Path("sweep", name, "run.json").read_text())


def stop_a_sweep(command, training):
    """Four jobs: finished, failed, interrupted, never started."""

    def behave(config):
        if config.seed == 1:
            raise RuntimeError("boom")
        if config.seed == 2:
            raise Interrupted(143)

    training.behave = behave
    assert command("-m", "task=multidigits", "seed=0,1,2,3", "hydra.sweep.dir=sweep").code == 143


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture
def sweep(command, training, kept, tmp_path):
    """A sweep that was stopped, run once for all tests: a copy, as if it had been started in this test's folder."""
    if not (kept / "sweep").exists():
        stop_a_sweep(command, training)
        shutil.copytree("sweep", kept / "sweep")
        (kept / "started_in").write_text(str(tmp_path))
    else:
        shutil.copytree(kept / "sweep", "sweep")
        before = (kept / "started_in").read_bytes()
        for path in filter(Path.is_file, Path("sweep").rglob("*")):
            path.write_bytes(path.read_bytes().replace(before, os.fsencode(tmp_path)))
    assert {
        path.parent.name: record(path.parent.name)["status"] for path in Path("sweep").glob("*/run.json")
    } == STATUSES
    training.behave = lambda config: None
    training.calls.clear()


def ran(training):
    return {path.name: (config.seed, resume) for config, path, resume in training.calls}


AFRESH, ON, NEW = {"1_seed-1": (1, False)}, {"2_seed-2": (2, True)}, {"3_seed-3": (3, False)}


@pytest.mark.parametrize(
    ("flags", "expected", "code"),
    [
        ("", AFRESH | ON | NEW, 0),
        ("--failed", AFRESH, 1),
        ("--unfinished", ON | NEW, 1),
        ("--all", {"0_seed-0": (0, False)} | AFRESH | ON | NEW, 0),
        ("--all trainer.epochs=11", {"0_seed-0": (0, True)} | AFRESH | ON | NEW, 0),
    ],
)
def test_jobs_run_again_in_their_folders(flags, expected, code, command, training, sweep):
    outcome = command("rerun", "sweep", *flags.split())
    assert (ran(training), outcome.code) == (expected, code)
    assert {record(name)["status"] for name in expected} == {"finished"}
    report = Path("sweep/report.md").read_text()  # written again; what stands for training here leaves no scores
    assert all(f"without scores: all seed={seed}" in report for seed, _ in expected.values())
    assert outcome.out.splitlines()[-1] == "sweep"
    epochs = {config.trainer.epochs for config, _, _ in training.calls}
    assert epochs == ({11} if "epochs" in flags else {10})


def test_a_job_that_never_started_has_its_own_number(command, training, sweep):
    command("rerun", "sweep", "--unfinished")
    hydra = Path("sweep/3_seed-3/.hydra")
    assert "    num: 3\n" in (hydra / "hydra.yaml").read_text()
    assert (hydra / "overrides.yaml").read_text() == "- task=multidigits\n- seed=3\n"


def test_the_old_attempt_is_kept(command, training, sweep):
    training.behave = lambda config: {}["x"]
    for number in (1, 2):
        outcome = command("rerun", "sweep", "--failed")
        assert outcome.code == 1
        kept = json.loads(Path(f"sweep/1_seed-1/attempts/{number}/run.json").read_text())
        assert kept["error"] == ("RuntimeError: boom" if number == 1 else "KeyError: 'x'")
        assert Path(f"sweep/1_seed-1/attempts/{number}/.hydra/config.yaml").exists()
    assert record("1_seed-1")["status"] == "failed"


def test_a_refused_job_goes_on_the_next_time(command, training, sweep):
    def refuse(config):
        raise ResumeError("another network")

    training.behave, before = refuse, record("2_seed-2")
    outcome = command("rerun", "sweep", "--unfinished", "trainer.epochs=50")
    assert (outcome.code, "job 2: another network" in outcome.err) == (1, True)
    assert record("2_seed-2") == before
    assert not [*Path("sweep").glob("*/.hydra/resume-*.yaml")]
    training.behave = lambda config: None
    training.calls.clear()
    command("rerun", "sweep")
    assert ran(training)["2_seed-2"] == (2, True)
    assert training.calls[0][0].trainer.epochs == 10


@pytest.mark.parametrize(("limit", "resume"), [("4", True), ("null", True), ("1", False)])
def test_a_finished_job_trains_on_where_its_limit_of_steps_is_raised(limit, resume, command, training):
    assert command("-m", "task=multidigits", "seed=0", "trainer.max_steps=2", "hydra.sweep.dir=sweep").code == 0
    training.calls.clear()
    assert command("rerun", "sweep", "--all", f"trainer.max_steps={limit}").code == 0
    assert [call[2] for call in training.calls] == [resume]


def test_a_job_that_somebody_else_has_started_meanwhile_is_left_alone(command, training, sweep):
    def start_another(config):  # while job 1 trains, job 3 waits
        folder = Path("sweep/3_seed-3")
        folder.mkdir(exist_ok=True)
        (folder / "run.json").write_text('{"status": "finished"}')

    training.behave = start_another
    outcome = command("rerun", "sweep")
    assert "job 3: " in outcome.err
    assert "3_seed-3 already holds a run" in outcome.err
    assert ran(training) == AFRESH | ON
    assert record("3_seed-3") == {"status": "finished"}


@pytest.mark.parametrize("held", [True, False])
def test_files_of_a_job_that_somebody_else_has_started_are_not_moved(held, sweep):
    folder = Path("sweep/1_seed-1")
    seen, other = Run(folder).info, RunFolder(folder)
    other.start(["mtlrun", "rerun", "sweep"], 1)
    if not held:
        other.finish("finished")
    before = record("1_seed-1")
    with pytest.raises(ConfigError, match="somebody else has started it again"):
        put_aside(folder, seen)
    other.finish("failed")
    assert before["status"] == ("running" if held else "finished")
    assert record("1_seed-1")["start"] == before["start"]
    assert not (folder / "attempts").exists()


def test_a_sweep_is_finished_from_any_folder(command, training, tmp_path, monkeypatch):
    def stop(config):
        raise Interrupted(143)

    (tmp_path / "mine_here.py").write_text(
        "from mtlrun.balancers.equal import Equal\n\n\nclass Mine(Equal):\n    pass\n"
    )
    (tmp_path / "mine.npz").touch()
    words = ("task=arrays", "data.path=mine.npz", "balancer._target_=mine_here.Mine", "seed=0,1")
    training.behave = stop
    assert command("-m", *words, "hydra.sweep.dir=sweep").code == 143
    training.behave = lambda config: None
    training.calls.clear()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    monkeypatch.delitem(sys.modules, "mine_here", raising=False)
    outcome = command("rerun", "../sweep")
    assert outcome.code == 0, outcome.err
    assert [(config.seed, config.data.path) for config, _, _ in training.calls] == [
        (seed, str(tmp_path / "mine.npz")) for seed in (0, 1)
    ]
    assert started_in(tmp_path / "sweep/1_seed-1") == tmp_path
    assert str(tmp_path) in sys.path


def test_a_dry_run_changes_nothing(command, training, sweep):
    outcome = command("rerun", "sweep", "--dry-run")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-4:] == [
        "0_seed-0: finished",
        "1_seed-1: failed, starts afresh",
        "2_seed-2: interrupted, goes on",
        "3_seed-3: never started, starts",
    ]
    assert not training.calls
    assert record("1_seed-1")["error"] == "RuntimeError: boom"


def test_a_finished_sweep_has_nothing_left_to_do(command, training, sweep):
    assert command("rerun", "sweep").code == 0
    training.calls.clear()
    assert command("rerun", "sweep").code == 0
    assert not training.calls


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "name the sweep: mtlrun rerun SWEEP"),
        ("seed=1", "name the sweep: mtlrun rerun SWEEP"),
        ("swep", "no folder 'swep'; did you mean 'sweep'?"),
        ("sweep/0_seed-0", "sweep/0_seed-0 is a run: continue it with mtlrun resume sweep/0_seed-0"),
        ("sweep --fialed", "no flag '--fialed'; did you mean '--failed'?"),
        ("sweep --failed --all", "--failed --all: choose one of them"),
        ("sweep seed=9", "seed=9: a resumed run keeps its seed; start a new run to change it"),
        ("sweep trainer.epohcs=9", "no setting 'epohcs' in trainer; did you mean 'epochs'?"),
        ("sweep hydra/launcher=joblbi", "no hydra/launcher 'joblbi'; did you mean 'joblib'?"),
    ],
)
def test_mistakes(words, line, command, training, sweep):
    outcome = command("rerun", *words.split())
    assert (outcome.code, not training.calls) == (2, True)
    assert outcome.err.startswith(f"mtlrun: error: {line}")
    assert record("1_seed-1")["error"] == "RuntimeError: boom"
