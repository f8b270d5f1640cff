"""Sweeps on a real SLURM cluster of one node: jobs in an array, and one that goes back into the queue and resumes."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from commands import wait_for
from slurm import absent, cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(absent() is not None, reason=str(absent())),
    pytest.mark.skipif(find_spec("submitit") is None, reason="pip install 'mtlrun[submitit]'"),
]

LAUNCHER = ["hydra/launcher=submitit_slurm", "hydra.launcher.cpus_per_task=1", "hydra.launcher.timeout_min=20"]
TABLES = ("metrics.csv", "tasks.csv", "cosines.csv")


@pytest.fixture(scope="module")
def slurm():
    with TemporaryDirectory(prefix="slurm") as folder, cluster(Path(folder) / "c") as environment:
        yield environment


@pytest.fixture
def queue(slurm, monkeypatch):
    """queue(*words) -> what a command of SLURM prints; commands that are started from here on find the cluster."""
    for name, value in slurm.items():
        monkeypatch.setenv(name, value)
    return lambda *words: subprocess.run(words, capture_output=True, text=True, check=True).stdout


def words(table, epochs):
    small = ["trainer.batch_size=8", "trainer.device=cpu", "diagnostics.plots=false", "trainer.checkpoint_every=20"]
    return ["task=arrays", f"data.path={table}", f"trainer.epochs={epochs}", *small]


def test_a_sweep_with_a_failing_job(table, tmp_path, finish, queue):
    paths = f"data.path={table},absent.npz"
    (tmp_path / "absent.npz").write_bytes(b"no archive")
    code, out, err = finish("-m", *LAUNCHER, *words(table, 1), paths, "hydra.sweep.dir=sweep")
    assert code == 1, err
    assert sorted(json.loads(path.read_text())["status"] for path in tmp_path.glob("sweep/*/run.json")) == [
        "failed",
        "finished",
    ]
    assert "acct" not in out + err
    assert (tmp_path / "sweep" / "report.md").is_file()


def test_a_job_whose_time_is_up_saves_goes_back_into_the_queue_and_resumes(table, tmp_path, start, finish, queue):
    command = ["-m", *words(table, 60), "seed=0"]
    process = start(*command, *LAUNCHER, "hydra.sweep.dir=warned")
    wait_for(lambda: [*tmp_path.glob("warned/*/checkpoints/last.pt")], process)
    job = queue("squeue", "--noheader", "--format=%i").split()
    queue("scancel", "--signal=USR2", *job)  # as SLURM does some time before the limit
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out + err
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("warned/*/run.json"))
    assert record["status"] == "finished"
    assert [entry["step"] > 0 for entry in record["resumed"]] == [True]
    assert finish(*command, "hydra.sweep.dir=undisturbed")[0] == 0
    for name in TABLES:
        one, other = ((tmp_path / sweep / "0" / name) for sweep in ("warned", "undisturbed"))
        assert one.read_bytes() == other.read_bytes(), name


def test_a_job_that_is_killed_ends_the_sweep_with_a_line(table, tmp_path, start, queue):
    process = start("-m", *words(table, 1000), "seed=0", *LAUNCHER, "hydra.sweep.dir=killed")
    wait_for(lambda: [*tmp_path.glob("killed/*/checkpoints/last.pt")], process)
    queue("scancel", "--signal=KILL", *queue("squeue", "--noheader", "--format=%i").split())
    out, err = process.communicate(timeout=200)
    assert process.returncode == 1, out + err
    assert err.strip().splitlines()[-1].endswith("to go on: mtlrun rerun killed")
