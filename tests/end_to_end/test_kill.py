"""Runs that are really killed: SIGKILL at several points, SIGTERM, Ctrl-C; each resumes to the same numbers."""

import json
import os
import signal

import pytest
from commands import status, wait_for

TABLES = ("metrics.csv", "tasks.csv", "cosines.csv")


def settings(table, folder):
    return [
        "task=arrays",
        f"data.path={table}",
        "balancer=pcgrad",
        "trainer.epochs=6",
        "trainer.batch_size=8",
        "trainer.checkpoint_every=5",
        "trainer.device=cpu",
        "diagnostics.plots=false",
        "diagnostics.pictures=0",
        f"hydra.run.dir={folder}",
    ]


@pytest.fixture(scope="module")
def undisturbed(table, once, together):
    from mtlrun import run

    folder = together / "never killed"
    words = [word for word in settings(table, folder) if not word.startswith("hydra")]
    once("never killed", lambda: run(words, folder=folder).summary)
    return folder


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


POINTS = {
    "before training": lambda folder: (folder / ".hydra" / "config.yaml").exists() and (folder / "run.json").exists(),
    "first steps": lambda folder: (folder / "checkpoints" / "last.pt").exists(),
    "third epoch": lambda folder: lines(folder / "metrics.csv") > 45,
    "late": lambda folder: lines(folder / "metrics.csv") > 78,
}
SLOW_POINTS = ("first steps", "late")


def assert_same(one, other):
    for name in TABLES:
        assert (one / name).read_text() == (other / name).read_text()
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (one, other))
    assert ours["tasks"] == theirs["tasks"]
    assert ours["pairs"] == theirs["pairs"]


@pytest.mark.parametrize(
    "point", [pytest.param(point, marks=pytest.mark.slow if point in SLOW_POINTS else ()) for point in POINTS]
)
def test_kill_9_and_resume(point, table, tmp_path, start, finish, undisturbed):
    folder = tmp_path / "run"
    process = start(*settings(table, folder))
    wait_for(lambda: POINTS[point](folder), process)
    process.kill()
    process.communicate()
    code, _, err = finish("resume", str(folder))
    assert (code, status(folder)) == (0, "finished"), err
    assert_same(undisturbed, folder)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_polite_signal_saves_and_resumes(number, code, table, tmp_path, start, finish, undisturbed):
    folder = tmp_path / "run"
    process = start(*settings(table, folder))
    wait_for(lambda: lines(folder / "metrics.csv") > 45, process)
    os.kill(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert status(folder) == "interrupted"
    assert finish("resume", str(folder))[0] == 0
    assert_same(undisturbed, folder)


@pytest.mark.slow
def test_a_run_killed_twice(table, tmp_path, start, finish, undisturbed):
    folder = tmp_path / "run"
    for words, point in ((settings(table, folder), 45), (["resume", str(folder)], 90)):
        process = start(*words)
        wait_for(lambda least=point: lines(folder / "metrics.csv") > least, process)
        process.kill()
        process.communicate()
    assert finish("resume", str(folder))[0] == 0
    assert_same(undisturbed, folder)
    assert len(json.loads((folder / "run.json").read_text())["resumed"]) == 2
