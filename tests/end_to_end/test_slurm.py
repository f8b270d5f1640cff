"""A real SLURM cluster of one node: sweeps as arrays, and jobs that go back into the queue and resume."""

import json
import re
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from commands import status, wait_for
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
    assert_same(tmp_path / "warned" / "0", tmp_path / "undisturbed" / "0")


def assert_same(one, other):
    for name in TABLES:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name


def test_a_job_that_is_killed_ends_the_sweep_with_a_line(table, tmp_path, start, queue):
    process = start("-m", *words(table, 1000), "seed=0", *LAUNCHER, "hydra.sweep.dir=killed")
    wait_for(lambda: [*tmp_path.glob("killed/*/checkpoints/last.pt")], process)
    queue("scancel", "--signal=KILL", *queue("squeue", "--noheader", "--format=%i").split())
    out, err = process.communicate(timeout=200)
    assert process.returncode == 1, out + err
    assert err.strip().splitlines()[-1].endswith("to go on: mtlrun rerun killed")


PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
TASK = "task=nyuv2 data.root=/data/nyuv2 balancer=cagrad"
EPOCHS = 24
WARNED, PREEMPTED = ("scancel", "--batch", "--signal=USR1"), ("scontrol", "requeue")


def script(words, processes):
    """The page's script for one machine, or with `torchrun` the one for several, to train `words` in two processes."""
    one, several = re.findall(r"^```sh\n(#!/bin/bash\n.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    written = several if processes == "torchrun" else one
    words = words if processes == "torchrun" else [*words, "trainer.devices=2"]
    here = {
        "--gpus=1 --cpus-per-task=8": "--ntasks=1 --cpus-per-task=2",
        "--nodes=2 --ntasks-per-node=1 --gpus-per-node=8 --cpus-per-task=64": "--ntasks=1 --cpus-per-task=2",
        "--nproc-per-node=8": "--nproc-per-node=2",
        " torchrun ": f" {sys.executable} -m torch.distributed.run ",
        "\nmtlrun ": f"\n{sys.executable} -m mtlrun ",
        TASK: " ".join(words),
    }
    for theirs, ours in here.items():
        written = written.replace(theirs, ours)
    assert TASK not in written
    assert " ".join(words) in written
    return written


@pytest.fixture(scope="module")
def in_two_processes(table, once, together):
    """The folder of a run in two processes that nothing happens to."""
    from forked import forked_workers

    from mtlrun import run

    given = [*words(table, EPOCHS), "trainer.devices=2"]
    with forked_workers():
        once("requeued", lambda: run(given, folder=together / "requeued").summary["tasks"])
    return together / "requeued"


@pytest.mark.parametrize(
    ("processes", "event"), [("devices", WARNED), ("devices", PREEMPTED), ("torchrun", WARNED), ("torchrun", PREEMPTED)]
)
def test_the_script_of_several_processes_goes_on(
    processes, event, table, tmp_path, queue, in_two_processes, monkeypatch
):
    monkeypatch.setenv("SCRATCH", str(tmp_path))
    (tmp_path / "job.sh").write_text(script(words(table, EPOCHS), processes))
    submit = ["sbatch", "--parsable", f"--chdir={tmp_path}", f"--output={tmp_path}/said.txt", f"{tmp_path}/job.sh"]
    job, run = queue(*submit).strip(), tmp_path / "runs" / "nyuv2-cagrad"
    until(lambda: (run / "checkpoints" / "last.pt").exists(), tmp_path)
    queue(*event, job)
    until(lambda: status(run) == "finished", tmp_path)
    record = json.loads((run / "run.json").read_text())
    assert [entry["step"] > 0 for entry in record["resumed"]] == [True]
    assert (record["processes"], record["launch"]["slurm"]) == (2, job)
    assert "interrupted at step" in (run / "run.log").read_text()  # saved, and not merely killed
    assert_same(run, in_two_processes)


def until(condition, folder, seconds=240):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (folder / "said.txt").read_text()[-3000:]
        time.sleep(0.1)
