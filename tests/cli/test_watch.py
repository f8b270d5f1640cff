"""`mtlrun watch`: how far runs are, from their files alone, until all have ended."""

import json
import os
import threading

import pytest
from run_folders import write_result

from mtlrun.cli.watch import watch
from mtlrun.reporting.entries import read_entry
from mtlrun.reporting.watching import RunWatcher, tables
from mtlrun.runs.lock import FolderLock
from mtlrun.runs.progress import RunProgress, read_progress
from mtlrun.runs.reader import Run
from mtlrun.runs.sweeps import BASIC, RECORD

START = 1_000_000_000


def going_on(path, *, seed, epochs=20, done=12, step=600, seconds=60, **options):
    """A run, locked by this process, that has evaluated `done` epochs of 50 steps after so many seconds."""
    write_result(path, {}, seed=seed, status="running", settings={"trainer.epochs": epochs}, **options)
    lines = [f"{epoch},{50 * (epoch + 1)},val,left,accuracy,0.5" for epoch in range(done)]
    (path / "metrics.csv").write_text("\n".join(["epoch,step,split,task,metric,value", *lines, ""]))
    (path / "tasks.csv").write_text(f"step,task,loss,weight,grad_norm,rows\n{step},left,1,1,,64\n{step + 1},le")
    for file in (path / ".hydra").iterdir():
        os.utime(file, (START, START))
    for name in ("metrics.csv", "tasks.csv"):
        os.utime(path / name, (START + seconds, START + seconds))
    assert FolderLock(path).acquire()
    return path


def cells(columns, heading):
    return [cell.text for column in columns if column.heading == heading for cell in column.cells]


def test_progress_counts_epochs_and_tells_the_time_left(tmp_path):
    found = read_progress(Run(going_on(tmp_path / "a", seed=0)), {"epochs": 20})
    assert found.words() == "12/20, 0:40 left"


def test_a_run_limited_by_steps_counts_steps(tmp_path):
    found = read_progress(Run(going_on(tmp_path / "a", seed=0)), {"epochs": 20, "max_steps": 900})
    assert found.words() == "600/900 steps, 0:30 left"


def test_a_continued_run_is_timed_from_its_continuation(tmp_path):
    path = going_on(tmp_path / "a", seed=0, resumed=["trainer.epochs=20"])
    record = json.loads((path / "run.json").read_text())
    (path / "run.json").write_text(json.dumps({**record, "resumed": [{"step": 300}]}))
    assert read_progress(Run(path), {"epochs": 20}).words() == "12/20, 1:20 left"


def test_before_the_first_epoch_no_time_is_told(tmp_path):
    path = going_on(tmp_path / "a", seed=0, done=0)
    assert read_progress(Run(path), {"epochs": 20}).words() == "0/20"
    (path / "tasks.csv").unlink()
    assert read_progress(Run(path), {"epochs": 20, "max_steps": 5}).words() == "0/5 steps"


def test_hours_are_told_as_such():
    assert RunProgress(1, 2, "epoch", 3723).words() == "1/2, 1:02:03 left"


def test_the_table_has_a_row_per_configuration(tmp_path):
    same = {"settings": {"trainer.epochs": 20}}
    for seed in range(2):
        write_result(tmp_path / f"a{seed}", {"left": 0.5 + 0.1 * seed}, seed=seed, **same)
    going_on(tmp_path / "a2", seed=2)
    going_on(tmp_path / "b0", seed=0, balancer="pcgrad")
    write_result(tmp_path / "b1", {}, seed=1, balancer="pcgrad", status="failed", **same)
    (columns,) = tables(RunWatcher([str(tmp_path)]).look())
    assert cells(columns, "balancer") == ["equal", "pcgrad"]
    assert cells(columns, "left") == ["0.550", "-"]
    assert cells(columns, "progress") == [
        "2 of 3 runs; 12/20, 0:40 left",
        "0 of 2 runs; 12/20, 0:40 left; 1 failed",
    ]


def test_jobs_that_have_not_started_are_waited_for(tmp_path):
    write_result(tmp_path / "0", {"left": 0.5})
    sweeper = {"_target_": BASIC}
    words = ["task=digits", "balancer=equal,pcgrad", "seed=range(3)", "data.x=[1,2]"]
    content = {"hydra": {"sweeper": sweeper, "overrides": {"task": words}}}
    (tmp_path / "multirun.yaml").write_text(json.dumps(content))
    look = RunWatcher([str(tmp_path)]).look()
    assert (look.waiting, look.ended) == (5, False)
    (tmp_path / "report.json").write_text("{}")  # the sweep has ended, with a job killed
    assert RunWatcher([str(tmp_path)]).look().ended


def test_jobs_of_a_sweep_in_a_file_are_counted_too(tmp_path):
    sweeper = {"_target_": BASIC, "params": {"balancer": "equal,pcgrad", "optimizer.lr": 0.1}}
    content = {"hydra": {"sweeper": sweeper, "overrides": {"task": ["seed=0,1,2"]}}}
    (tmp_path / RECORD).write_text(json.dumps(content))
    assert RunWatcher([str(tmp_path)]).look().waiting == 6


def _sweep_of_three(folder):
    sweeper = {"_target_": BASIC}
    content = {"hydra": {"sweeper": sweeper, "overrides": {"task": ["seed=range(3)"]}}}
    (folder / "multirun.yaml").write_text(json.dumps(content))


def _age(folder):
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (START, START))


def test_a_sweep_whose_process_died_is_not_waited_for(tmp_path):
    write_result(tmp_path / "0", {"left": 0.5})
    write_result(tmp_path / "1", {}, seed=1, status="running")  # nobody holds its lock
    _sweep_of_three(tmp_path)
    assert RunWatcher([str(tmp_path)]).look().waiting == 1  # the next job may be about to start
    _age(tmp_path)
    look = RunWatcher([str(tmp_path)]).look()
    assert [entry.status for entry in look.entries] == ["finished", "lost"]
    assert (look.waiting, look.ended) == (0, True)


def test_a_sweep_with_a_run_that_lives_is_waited_for_however_long_it_is_silent(tmp_path):
    going_on(tmp_path / "0", seed=0)
    _sweep_of_three(tmp_path)
    _age(tmp_path)
    look = RunWatcher([str(tmp_path)]).look()
    assert [entry.status for entry in look.entries] == ["running"]
    assert (look.waiting, look.ended) == (2, False)


def test_only_a_run_of_another_machine_is_silent(tmp_path):
    path = going_on(tmp_path / "0", seed=0)
    record = json.loads((path / "run.json").read_text())
    for host, status in ((record["host"], "running"), ("elsewhere", "silent")):
        (path / "run.json").write_text(json.dumps({**record, "host": host}))
        _age(tmp_path)
        (entry,) = RunWatcher([str(tmp_path)]).look().entries
        assert entry.status == status


def test_it_prints_once_per_change_and_ends_with_the_report(tmp_path, capsys):
    path = going_on(tmp_path / "b", seed=0)
    write_result(tmp_path / "a", {"left": 0.5}, seed=1, settings={"trainer.epochs": 20})
    ends = threading.Timer(0.4, lambda: _finish(path))
    ends.start()
    assert watch([str(tmp_path)], seconds=0.02) == 1
    ends.join()
    out = capsys.readouterr().out
    assert out.count("12/20, 0:40 left") == 1
    assert "Not counted" in out
    assert "boom" in out


def test_of_killed_runs_it_says_how_to_go_on(tmp_path, capsys):
    path = write_result(tmp_path / "a", {}, status="running")  # nobody holds its lock
    assert watch([str(tmp_path)]) == 1
    assert f"To finish what was stopped:\n  mtlrun resume {path}\n" in capsys.readouterr().out


@pytest.mark.parametrize("ends_after", range(1, 6))
def test_an_entry_is_of_one_moment(tmp_path, monkeypatch, ends_after):
    """Whichever file is read last before the run ends: with its end come its scores."""
    path = write_result(tmp_path / "a", {"left": 0.5})
    files = {name: path / f"{name}.json" for name in ("run", "summary")}
    ended = {name: json.loads(file.read_text()) for name, file in files.items()}
    looks = []

    def look(file):
        looks.append(file)
        if len(looks) > ends_after:
            return ended[file.stem]
        return {**ended["run"], "status": "running"} if file.stem == "run" else None

    monkeypatch.setattr("mtlrun.runs.reader.read_json", look)
    monkeypatch.setattr("mtlrun.runs.reader.is_held", lambda path: len(looks) <= ends_after)
    entry = read_entry(Run(path))
    assert (entry.status, [*entry.tasks]) in [("running", []), ("running", ["left"]), ("finished", ["left"])]


def _finish(path):
    record = json.loads((path / "run.json").read_text())
    (path / "new.json").write_text(json.dumps({**record, "status": "failed", "error": "boom"}))
    (path / "new.json").replace(path / "run.json")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nowhere"], "no folder 'nowhere'"),
        (["."], "no run in '.'"),
        ([".", "--by", "last"], "no flag '--by'; see mtlrun help watch"),
    ],
)
def test_mistakes(command, words, line):
    outcome = command("watch", *words)
    assert outcome.code == 2
    assert line in outcome.err


def test_without_words_it_says_what_it_takes(command):
    outcome = command("watch")
    assert outcome.code == 2
    assert "every 2 s" in outcome.out
