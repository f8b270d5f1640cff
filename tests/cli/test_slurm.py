"""On SLURM: a job that starts once more goes on, and jobs are watched where there is no accounting."""

import json
import os
import stat
from pathlib import Path

import pytest

import mtlrun
from mtlrun.cli import slurm
from mtlrun.errors import ConfigError


def stopped(config):
    raise SystemExit(140)  # as a training does that SIGUSR2 has ended


def status(folder):
    return json.loads((folder / "run.json").read_text())["status"]


@pytest.mark.parametrize("sweep", [False, True])
def test_a_job_that_goes_back_into_the_queue_goes_on(sweep, command, training, monkeypatch):
    words = ["-m", "seed=0", "hydra.sweep.dir=own"] if sweep else ["hydra.run.dir=own/0"]
    folder = Path("own/0")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    training.behave = stopped
    assert command("task=multidigits", *words).code == 140
    assert status(folder) == "interrupted"
    training.behave = lambda config: None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    outcome = command("task=multidigits", *words)
    assert outcome.code == 0, outcome.err
    assert [resume for _, _, resume in training.calls] == [False, True]
    assert status(folder) == "finished"


def test_of_other_jobs_it_is_refused(command, training, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert command("task=multidigits", "hydra.run.dir=own").code == 0
    monkeypatch.setenv("SLURM_JOB_ID", "8")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    outcome = command("task=multidigits", "hydra.run.dir=own")
    assert (outcome.code, len(training.calls)) == (2, 1)
    assert "own already holds a run: continue it with mtlrun resume own" in outcome.err


@pytest.mark.parametrize(("words", "key"), [([], "hydra.run.dir"), (["-m", "seed=0,1"], "hydra.sweep.dir")])
def test_without_a_folder_of_its_own_it_says_that_it_begins_anew(words, key, command, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    outcome = command("task=multidigits", *words)
    assert outcome.code == 0
    assert outcome.err == (
        "mtlrun: slurm has started this once more, and it begins anew: "
        f"a command that is started once more goes on only with {key}=FOLDER\n"
    )


def test_from_python_too(training, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    training.behave = stopped
    with pytest.raises(SystemExit):
        mtlrun.run(["task=multidigits"], folder="own")
    training.behave = lambda config: None
    with pytest.raises(ConfigError, match="own already holds a run"):
        mtlrun.run(["task=multidigits"], folder="own")
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    mtlrun.run(["task=multidigits"], folder="own")
    assert [resume for _, _, resume in training.calls] == [False, True]


def test_a_fresh_folder_is_a_fresh_run(command, training, monkeypatch):
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert command("task=multidigits", "hydra.run.dir=fresh").code == 0
    assert [resume for _, _, resume in training.calls] == [False]


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """programs(sacct="exit 1", ...) puts shell scripts of these names at the head of the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def write(**scripts):
        for name, script in scripts.items():
            path = folder / name
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return write


@pytest.fixture
def submitit(monkeypatch):
    package = pytest.importorskip("submitit.slurm.slurm", reason="pip install 'mtlrun[submitit]'")
    monkeypatch.setattr(package.SlurmJob, "watcher", package.SlurmJob.watcher)
    return package


def test_with_accounting_submitit_asks_itself(programs, submitit):
    before = submitit.SlurmJob.watcher
    programs(sacct="echo 1", squeue="echo 1")
    slurm.watch_the_queue()
    assert submitit.SlurmJob.watcher is before


def test_without_accounting_the_queue_tells_who_is_done(programs, submitit, caplog):
    programs(sacct="exit 1", squeue="printf '7_0\\n7_1\\n'")
    slurm.watch_the_queue()
    watcher = submitit.SlurmJob.watcher
    assert [watcher.is_done(job, mode="force") for job in ("7_0", "7_1", "7_2")] == [False, False, True]
    programs(squeue="exit 1")  # the controller restarts: nothing is known, so nothing changes
    assert [watcher.is_done(job, mode="force") for job in ("7_0", "7_2", "7_3")] == [False, True, False]
    assert not caplog.records
