"""Training in two processes, by `trainer.devices` and by torchrun: real commands, signals and deaths."""

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commands import status, wait_for
from forked import forked_workers

TABLES = ("metrics.csv", "tasks.csv", "cosines.csv")
TOGETHER = "trainer.devices=2"


def settings(table, folder, *more):
    basics = ["task=arrays", f"data.path={table}", "balancer=pcgrad", "trainer.epochs=4", "trainer.batch_size=8"]
    quiet = ["trainer.checkpoint_every=5", "trainer.device=cpu", "diagnostics.plots=false", "diagnostics.pictures=0"]
    return [*basics, *quiet, f"hydra.run.dir={folder}", *more]


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


def children(process):
    found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    return [int(number) for number in found]


def gone(number):
    try:
        return Path(f"/proc/{number}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def numbers(folder, name):
    with (folder / name).open() as file:
        return list(csv.reader(file))


def assert_close(one, other, tolerance):
    """The same lines; the numbers in them up to rounding."""
    for name in TABLES:
        ours, theirs = numbers(one, name), numbers(other, name)
        assert [len(row) for row in ours] == [len(row) for row in theirs]
        for row, expected in zip(ours, theirs):
            for cell, wanted in zip(row, expected):
                if cell != wanted:
                    assert float(cell) == pytest.approx(float(wanted), rel=tolerance, abs=tolerance), (name, row)


def assert_same(one, other):
    for name in TABLES:
        assert (one / name).read_text() == (other / name).read_text()
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (one, other))
    assert (ours["tasks"], ours["pairs"]) == (theirs["tasks"], theirs["pairs"])


@pytest.fixture(scope="module")
def undisturbed(table, once, together):
    """undisturbed(*words) -> the folder of a run that nothing happens to."""
    from mtlrun import run

    def train(*words):
        name = " ".join(["undisturbed", *words])
        given = [word for word in settings(table, "", *words) if not word.startswith("hydra")]
        with forked_workers():
            tasks = once(name, lambda: run(given, folder=together / name).summary["tasks"])
        assert tasks == json.loads((together / name / "summary.json").read_text())["tasks"]
        return together / name

    return train


def test_two_processes_give_the_numbers_of_one(undisturbed):
    alone, together = undisturbed(), undisturbed(TOGETHER)
    assert_close(together, alone, 1e-3)
    names = [sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) for folder in (alone, together)]
    assert names[0] == names[1]
    assert json.loads((together / "run.json").read_text())["processes"] == 2
    for figure in ("best_epoch", "steps", "rows", "parameters"):
        ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (together, alone))
        assert ours[figure] == theirs[figure]


DROPOUT = "backbone.dropout=0.2"


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_polite_signal_saves_and_resumes_to_the_same_numbers(
    number, code, table, tmp_path, start, finish, undisturbed
):
    folder = tmp_path / "run"
    process = start(*settings(table, folder, TOGETHER, DROPOUT))
    wait_for(lambda: lines(folder / "metrics.csv") > 15, process)
    members = children(process)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        os.kill(process.pid, number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "")
    assert out.count("to go on: mtlrun resume") == 1
    assert status(folder) == "interrupted"
    assert all(map(gone, members))
    code, _, err = finish("resume", str(folder))
    assert (code, status(folder)) == (0, "finished"), err
    assert_same(undisturbed(TOGETHER, DROPOUT), folder)


def test_a_killed_process_ends_the_run_with_one_line_and_one_process_goes_on(
    table, tmp_path, start, finish, undisturbed
):
    folder = tmp_path / "run"
    process = start(*settings(table, folder, TOGETHER))
    wait_for(lambda: lines(folder / "metrics.csv") > 15, process)
    members = children(process)
    assert len(members) == 2
    os.kill(members[1], signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == (
        "mtlrun: error: ProcessLost: the process of rank 1 was killed by SIGKILL (out of memory?); "
        f"to go on: mtlrun resume {folder} (details: run/run.log)\n"
    )
    assert status(folder) == "failed"
    assert all(map(gone, members))
    code, _, err = finish("resume", str(folder), "trainer.devices=1")
    assert (code, status(folder)) == (0, "finished"), err
    assert_close(folder, undisturbed(), 1e-3)


@pytest.mark.slow
def test_when_the_command_is_killed_its_processes_end_and_three_go_on(table, tmp_path, start, finish, undisturbed):
    folder = tmp_path / "run"
    process = start(*settings(table, folder, TOGETHER))
    wait_for(lambda: lines(folder / "metrics.csv") > 15, process)
    members = children(process)
    process.kill()
    process.communicate()
    end = time.monotonic() + 10
    while not all(map(gone, members)):
        assert time.monotonic() < end, "processes were left behind"
        time.sleep(0.05)
    code, _, err = finish("resume", str(folder), "trainer.devices=3")
    assert (code, status(folder)) == (0, "finished"), err
    assert json.loads((folder / "run.json").read_text())["processes"] == 3
    assert_close(folder, undisturbed(), 1e-3)


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["sharing=independent"], 2, "here nothing is shared: choose sharing=hard, or balancer=equal"),
        pytest.param(
            ["optimizer=sgd", "optimizer.lr=1e30", "balancer=equal"], 1, "NonFiniteError: ", marks=pytest.mark.slow
        ),
    ],
)
def test_errors_are_one_line_as_in_one_process(words, code, line, table, tmp_path, monkeypatch, capsys):
    from mtlrun.cli.main import main

    monkeypatch.chdir(tmp_path)
    with forked_workers():
        assert main(settings(table, tmp_path / "run", TOGETHER, *words)) == code
    out, err = capsys.readouterr()
    assert err.startswith("mtlrun: error: ")
    assert line in err
    assert err.count("\n") == 1
    assert "Traceback" not in out


@pytest.mark.slow
def test_runs_and_jobs_of_a_sweep_start_together(table, tmp_path, start):
    short = ["trainer.max_steps=4", TOGETHER]
    sweep = start("-m", *settings(table, tmp_path / "x", *short, f"hydra.sweep.dir={tmp_path}/sweep", "seed=0,1"))
    runs = [start(*settings(table, tmp_path / f"run{number}", *short)) for number in range(2)]
    for process in (sweep, *runs):
        _, err = process.communicate(timeout=240)
        assert (process.returncode, err) == (0, "")
    jobs = sorted(path.parent for path in (tmp_path / "sweep").glob("*/run.json"))
    assert [status(job) for job in jobs] == ["finished"] * 2
    assert_same(tmp_path / "run0", tmp_path / "run1")
    assert_same(tmp_path / "run0", jobs[0])


@pytest.mark.slow
def test_a_script_without_a_guard_and_with_classes_beside_it(table, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import logging\nfrom mtlrun.balancers.fixed import Fixed\n\n\n"
        "class Mine(Fixed):\n"
        "    def check(self, tasks):\n"
        "        logging.getLogger('mine').warning('checked')\n"
    )
    overrides = [word for word in settings(table, "", TOGETHER) if not word.startswith(("hydra", "balancer"))]
    overrides += ["balancer=fixed", "balancer._target_=mine.Mine", "trainer.max_steps=4"]
    (tmp_path / "script.py").write_text(
        f"import mtlrun\nresult = mtlrun.run({overrides!r}, folder='run')\nprint('steps', result.summary['steps'])\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "steps 4"
    assert "WARNING mine: checked\n" in (tmp_path / "run" / "run.log").read_text()
    assert "WARNING mine: process of rank 1: checked\n" in (tmp_path / "run" / "run.log").read_text()


@pytest.fixture
def torchrun(tmp_path):
    """torchrun(*words) -> (exit code, stdout, stderr) of `mtlrun WORDS` in two processes."""

    def complete(*words):
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "mtlrun"]
        done = subprocess.run([*command, *words], cwd=tmp_path, capture_output=True, text=True, timeout=240)
        return done.returncode, done.stdout, done.stderr

    return complete


@pytest.fixture
def begun_twice(start):
    """begun_twice(*words) -> two processes that run `mtlrun WORDS`.

    They find in the environment what torchrun puts there; it would take three imports of torch.
    """

    def begin(*words):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        told = {"WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        processes = []
        for rank in range(2):
            with pytest.MonkeyPatch.context() as patch:
                for name, value in {**told, "RANK": rank, "LOCAL_RANK": rank}.items():
                    patch.setenv(name, str(value))
                processes.append(start(*words))
        return processes

    return begin


@pytest.fixture
def started_twice(begun_twice):
    """started_twice(*words) -> (exit code, stdout, stderr) of each of two such processes."""

    def complete(*words):
        processes = begun_twice(*words)
        said = [process.communicate(timeout=240) for process in processes]
        return [(process.returncode, *texts) for process, texts in zip(processes, said)]

    return complete


def test_processes_that_find_each_other_leave_the_folder_of_one_run(table, tmp_path, started_twice, undisturbed):
    folder = tmp_path / "run"
    (code, out, err), other = started_twice(*settings(table, folder, "trainer.max_steps=20"))
    assert (code, err) == (0, "")
    assert other == (0, "", "")
    assert out.count("epoch 0") == 1
    assert out.splitlines()[-1] == "run"
    assert {path.name for path in tmp_path.iterdir()} == {"run"}
    steps = (folder / "tasks.csv").read_text()
    assert steps.count("\n") == 1 + 20 * 2
    assert (undisturbed(TOGETHER) / "tasks.csv").read_text().startswith(steps)


@pytest.mark.slow
def test_the_command_of_a_job_that_slurm_starts_once_more_goes_on(
    table, tmp_path, begun_twice, started_twice, undisturbed, monkeypatch
):
    folder, words = tmp_path / "run", settings(table, "run", DROPOUT)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    processes = begun_twice(*words)
    wait_for(lambda: lines(folder / "metrics.csv") > 15, processes[0])
    for process in processes:
        os.kill(process.pid, signal.SIGTERM)
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [143, 143]
    assert status(folder) == "interrupted"
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    assert [code for code, _, _ in started_twice(*words)] == [0, 0]
    assert [entry["step"] > 0 for entry in json.loads((folder / "run.json").read_text())["resumed"]] == [True]
    assert_same(undisturbed(TOGETHER, DROPOUT), folder)


@pytest.mark.slow
def test_torchrun_resumes(table, tmp_path, torchrun, undisturbed):
    folder = tmp_path / "run"
    code, out, err = torchrun(*settings(table, folder, "trainer.max_steps=60"))
    assert code == 0, err
    assert out.count("epoch 0") == 1
    assert out.splitlines()[-1] == "run"
    code, _, err = torchrun("resume", str(folder), "trainer.max_steps=null")
    assert (code, status(folder)) == (0, "finished"), err
    assert len(list((folder / ".hydra").glob("resume-*.yaml"))) == 1
    record = json.loads((folder / "run.json").read_text())
    assert (record["processes"], len(record["resumed"])) == (2, 1)
    steps = [(folder / "tasks.csv").read_text(), (undisturbed(TOGETHER) / "tasks.csv").read_text()]
    assert steps[0] == steps[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["-m", "seed=0,1"], "torchrun cannot start a sweep: leave it out, and set trainer.devices for several"),
        ([TOGETHER], "trainer.devices=2: torchrun has started 2 processes already, leave it out"),
        (["sharing=independent"], "here nothing is shared: choose sharing=hard, or balancer=equal"),
    ],
)
def test_mistakes_under_torchrun_are_told_once(words, line, table, tmp_path, torchrun):
    code, out, err = torchrun(*settings(table, tmp_path / "run", *words))
    assert code != 0
    assert (out + err).count("mtlrun: error: ") == 1
    assert line in err


@pytest.mark.slow
def test_verbs_for_one_process_under_torchrun(torchrun):
    assert "mtlrun: error: mtlrun list takes one process: start it without torchrun\n" in torchrun("list")[2]
