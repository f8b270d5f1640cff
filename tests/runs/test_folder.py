import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mtlrun.errors import FolderLost, ResumeError
from mtlrun.runs import folder as folder_module
from mtlrun.runs.environment import git_state, versions
from mtlrun.runs.folder import RunFolder, claim
from mtlrun.runs.reader import Run

HOLD = """
import sys, time
from pathlib import Path
from mtlrun.runs.folder import RunFolder
RunFolder(Path(sys.argv[1])).start(["mtlrun"], seed=0)
print("started", flush=True)
time.sleep(60)
"""


def _claim_together(barrier, wanted, results):
    barrier.wait()
    results.put(claim(Path(wanted)))


def test_claims_at_once_never_share_a_folder(tmp_path):
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(16), context.Queue()
    wanted = tmp_path / "2026-11-21" / "10-00-00"
    processes = [context.Process(target=_claim_together, args=(barrier, wanted, results)) for _ in range(16)]
    for process in processes:
        process.start()
    claimed = {results.get(timeout=10) for _ in processes}
    for process in processes:
        process.join()
    expected = {wanted} | {wanted.with_name(f"10-00-00-{number}") for number in range(2, 17)}
    assert claimed == expected
    assert set(wanted.parent.iterdir()) == expected


def test_start_and_finish_leave_a_record(tmp_path):
    run = RunFolder(tmp_path / "run")
    run.start(["mtlrun", "seed=3"], seed=3)
    record = json.loads(run.run_json.read_text())
    assert (record["status"], record["seed"], record["command"]) == ("running", 3, ["mtlrun", "seed=3"])
    assert (record["end"], record["resumed"], record["pid"]) == (None, [], os.getpid())
    assert "python" in record["versions"]
    run.note(device="cpu")
    run.finish("failed", "ValueError: two\nlines")
    record = json.loads(run.run_json.read_text())
    assert (record["status"], record["error"]) == ("failed", "ValueError: two lines")
    assert record["end"] >= record["start"]
    assert record["device"] == "cpu"


def test_resume_keeps_the_first_start_and_lists_each_continuation(tmp_path, monkeypatch):
    run = RunFolder(tmp_path)
    times = iter(["t1", "t2", "t3", "t4", "t5", "t6"])
    monkeypatch.setattr(folder_module, "_now", lambda: next(times))
    run.start(["mtlrun", "task=driving"], seed=0)
    run.finish("interrupted")
    for step in (10, 20):
        run.start(["mtlrun", "resume", "X"], seed=0, resumed_from_step=step)
        assert Run(tmp_path).status == "running"
        run.finish("finished")
    record = json.loads(run.run_json.read_text())
    assert [(entry["time"], entry["step"]) for entry in record["resumed"]] == [("t3", 10), ("t5", 20)]
    assert (record["start"], record["end"], record["command"]) == ("t1", "t6", ["mtlrun", "task=driving"])


def test_a_second_start_is_refused_until_the_first_ends(tmp_path):
    first, second = RunFolder(tmp_path), RunFolder(tmp_path)
    first.start([], seed=0)
    with pytest.raises(ResumeError, match=f"in use by process {os.getpid()}") as refusal:
        second.start([], seed=0)
    assert "\n" not in str(refusal.value)
    first.finish("finished")
    second.start([], seed=0)
    second.finish("finished")


def test_a_killed_process_counts_as_interrupted_and_frees_its_folder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "started\n"
    assert Run(tmp_path).status == "running"
    with pytest.raises(ResumeError, match=f"process {process.pid}"):
        RunFolder(tmp_path).start([], seed=0)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert Run(tmp_path).status == "interrupted"
    run = RunFolder(tmp_path)
    run.start([], seed=0, resumed_from_step=5)
    assert Run(tmp_path).status == "running"
    run.finish("finished")


def test_a_forked_worker_does_not_keep_the_lock(tmp_path):
    run = RunFolder(tmp_path)
    run.start([], seed=0)
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    worker.start()
    run.finish("finished")
    again = RunFolder(tmp_path)
    again.start([], seed=0)
    again.finish("finished")
    worker.kill()
    worker.join()


@pytest.mark.parametrize("error", [OSError(errno.ENOLCK, "no locks"), NotImplementedError("no flock")])
def test_without_locks_a_run_goes_on(error, tmp_path, monkeypatch):
    monkeypatch.setattr("mtlrun.runs.lock.fcntl", None)
    monkeypatch.setattr("mtlrun.runs.lock.FileLock.acquire", lambda *_, **__: (_ for _ in ()).throw(error))
    run = RunFolder(tmp_path)
    run.start([], seed=0)
    assert Run(tmp_path).status == "running"  # by its process
    run.finish("finished")
    assert Run(tmp_path).status == "finished"


def test_summary_holds_plain_values(tmp_path):
    RunFolder(tmp_path).write_summary({"loss": float("nan"), "best": float("inf"), "n": 3})
    assert json.loads((tmp_path / "summary.json").read_text()) == {"loss": None, "best": None, "n": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["summary.json"]  # no draft is left


def test_versions_name_installed_packages_only():
    found = versions()
    assert found["python"].startswith(f"{sys.version_info.major}.")
    assert "numpy" in found
    assert all(isinstance(version, str) for version in found.values())


def test_git_state_sees_commit_and_changes(tmp_path):
    def git(*arguments):
        options = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", tmp_path, *options, *arguments], check=True, capture_output=True)

    assert git_state(tmp_path) is None
    git("init")
    assert git_state(tmp_path) is None  # no commit yet
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "first")
    clean = git_state(tmp_path)
    assert clean is not None
    assert len(clean["commit"]) == 40
    assert clean["dirty"] is False
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == {"commit": clean["commit"], "dirty": True}


def test_a_process_that_does_not_write_leaves_no_trace(tmp_path):
    run = RunFolder(tmp_path / "run", writes=False)
    run.start(["mtlrun"], seed=0)
    run.note("cpu", 2)
    table = run.table(run.metrics_csv, ("a", "b"))
    table.append([(1, 2)])
    table.truncate(0)
    table.close()
    run.write_summary({"steps": 1})
    assert (table.size(), run.checkpoints.name, run.plots.name) == (0, "checkpoints", "plots")
    run.finish("finished")
    assert not (tmp_path / "run").exists()


def test_what_a_killed_run_left_half_written_is_removed(tmp_path):
    """Names as `complete_file` makes them; other files stay."""
    for name in (".run.json.12ab.tmp", "checkpoints/.last.pt.12ab.tmp", "checkpoints/last.pt", "mine.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    folder = RunFolder(tmp_path)
    folder.start(["mtlrun"], 0)
    folder.finish("interrupted")
    left = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"last.pt", "mine.tmp", "run.json", ".lock"}


def test_a_full_disk_keeps_the_status_right(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    folder.start(["mtlrun"], 0)

    def full(path):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("mtlrun.runs.jsonfile.complete_file", full)
    folder.finish("failed", "no space left on the disk")
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["status"], record["error"], record["seed"]) == ("failed", "no space left on the disk", 0)


def test_a_folder_that_was_removed_does_not_come_back(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.start(["mtlrun"], 0)
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FolderLost, match="run has vanished"):
        folder.check_there()
    folder.finish("failed", "lost")
    assert not (tmp_path / "run").exists()
