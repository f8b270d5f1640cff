"""mtlrun advise: one command from the data to the answer, stopped and gone on with, its mistakes in one line."""

import json
import os
import signal
from pathlib import Path

import pytest
from advised import facts_of

from mtlrun.advice import course
from mtlrun.advice.arrangement import APART, TOGETHER
from mtlrun.advice.partitions import Affinity
from mtlrun.cli import advise
from mtlrun.cli.advised_runs import run_words
from mtlrun.runs.reader import find_runs
from mtlrun.training import trainer

WORDS = ["task=study_subspace", "data.tasks=3", "trainer.epochs=10", "scheduler=constant", "--yes"]
GAIN = {"Hard": -12.0, "Groups": -2.0, "Independent": 0.0}
LOSS = {"Hard": 12.0, "Groups": -10.0, "FiLM": 3.0, "Independent": 0.0}
AFFINITY = Affinity(("task1", "task2", "task3"), ((None,) * 3,) * 3, 1)


def summary_of(config, deltas):
    """Scores that are so many % below single-task ones, with a little of the seed."""
    scheme = chosen(config, "sharing")
    error = 1 + (deltas[scheme] + (0.3 * config.seed if scheme != "Independent" else 0)) / 100
    scores = {"test": {"rmse": error}, "val": {"rmse": error}}
    task = {"metric": "rmse", "higher_is_better": False, "directions": {"rmse": False}, "best": scores, "last": scores}
    names = [f"task{number}" for number in range(1, 4)]
    return {"tasks": dict.fromkeys(names, task), "best_epoch": 0, "last_epoch": 0, "wall_seconds": 1.0}


@pytest.fixture
def scores(training, monkeypatch):
    """scores(deltas) sets what training finds, by scheme; what is not named fails. Counts the trainings."""
    known = {}

    def train(config, folder, resume):
        training.calls.append((config, folder.path, resume))
        training.behave(config)
        folder.write_summary(found := summary_of(config, known))
        return found

    monkeypatch.setattr(training, "train", train)
    return known.update


@pytest.fixture
def facts(monkeypatch, request):
    """Of three tasks, without a look at the data."""
    found = facts_of(dict.fromkeys(["task1", "task2", "task3"], 100), full=getattr(request, "param", 10))
    monkeypatch.setattr(advise, "_facts", lambda words: found)


def chosen(config, group):
    return config[group]._target_.rpartition(".")[2]


def lengths(training):
    return [(chosen(config, "sharing"), config.seed, config.trainer.epochs) for config, *_ in training.calls]


def test_what_gains_is_measured_twice_and_said(command, training, scores, facts):
    scores(GAIN)
    outcome = command("advise", *WORDS, "--seeds=2")
    assert outcome.code == 0
    runs = [("Hard", 0), ("Hard", 1), ("Independent", 0), ("Independent", 1)]
    assert lengths(training) == [(*run, epochs) for epochs in (2, 4) for run in runs]
    assert [resume for *_, resume in training.calls] == [False] * 4 + [True] * 4
    assert "Stage 1: at most 4 runs, together and apart over 2 seeds" in outcome.out
    assert "Learn them together: one network for all tasks." in outcome.out
    folder = outcome.out.splitlines()[-1]
    assert folder.startswith("outputs/advise/study_subspace-")
    assert json.loads(Path(folder, "advice.json").read_text())["answer"] == "together"

    assert command("advise", *WORDS, "--seeds=2").out.splitlines()[-1] == folder
    assert len(training.calls) == 8  # nothing is trained twice
    assert command("report", folder).code == 0


def test_runs_that_fail_are_told_and_start_again(command, training, scores, facts):
    scores(GAIN)

    def behave(config):
        if chosen(config, "sharing") == "Hard":
            raise RuntimeError("boom")

    training.behave = behave
    outcome = command("advise", *WORDS, "--seeds=2")
    assert outcome.code == 1
    assert "too few runs have finished: 0 together (RuntimeError: boom); the same command starts them" in outcome.err
    training.behave = lambda config: None
    assert command("advise", *WORDS, "--seeds=2", "--budget=0.2").code == 0
    assert lengths(training)[4:] == [("Hard", 0, 2), ("Hard", 1, 2)]


@pytest.mark.slow
def test_more_seeds_are_added_to_those_that_there_are(command, training, scores, facts):
    scores(GAIN)
    folder = command("advise", *WORDS, "--seeds=2").out.splitlines()[-1]
    assert command("advise", *WORDS, "--seeds=3").out.splitlines()[-1] == folder
    assert lengths(training)[8:] == [("Hard", 2, 2), ("Independent", 2, 2), ("Hard", 2, 4), ("Independent", 2, 4)]
    assert len(find_runs(folder)) == 6


@pytest.mark.parametrize("facts", [1], indirect=True)
def test_alternatives_are_trained_and_one_that_fails_is_told(command, training, scores, facts, monkeypatch):
    scores(LOSS)
    monkeypatch.setattr(advise, "kept_affinity", lambda *asked: AFFINITY)
    monkeypatch.setattr(course, "proposals", lambda affinity: [(("task1", "task2"), ("task3",))])
    monkeypatch.setattr(course, "wider", lambda *asked: [])

    def behave(config):
        if chosen(config, "sharing") == "FiLM":
            raise RuntimeError("boom")

    training.behave = behave
    outcome = command("advise", *WORDS, "--seeds=2", "balancer=uncertainty")
    assert outcome.code == 0
    assert "film: not every run finished (RuntimeError: boom)" in outcome.out
    assert "Learn them in groups [task1,task2],[task3]." in outcome.out
    assert lengths(training)[4:6] == [("Groups", 0, 1), ("Groups", 1, 1)]
    assert len(training.calls) == 8
    balancers = {(chosen(config, "sharing"), chosen(config, "balancer")) for config, *_ in training.calls}
    assert {("Independent", "Fixed"), ("Hard", "Uncertainty"), ("Groups", "Uncertainty")} <= balancers
    (folder,) = {run.path.parent.parent for run in find_runs("outputs")}
    assert sorted(path.name for path in folder.glob("sweep*")) == ["sweep1", "sweep2"]


REAL = ["task=study_conflict", "data.rows=40", "data.held_out=30", "data.noise=0.5", "trainer.batch_size=10"]


def test_it_goes_on_where_it_was_stopped(command, monkeypatch, tmp_path):
    """Training for real: stopped in the middle of a run, the same command goes on with it and does the rest."""
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    words = ["advise", *REAL, "trainer.epochs=5", "--yes", "--seeds=2", "--budget=0.2", "--to=advice"]
    steps, step = [], trainer.train_step

    def stopping(*arguments, **options):
        steps.append(1)
        if len(steps) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(*arguments, **options)

    monkeypatch.setattr(trainer, "train_step", stopping)
    stopped = command(*words)
    assert stopped.code == 143
    assert "to go on: the same command again (advice)" in stopped.out
    assert [run.status for run in find_runs("advice")] == ["interrupted"]
    monkeypatch.setattr(trainer, "train_step", step)
    outcome = command(*words)
    assert outcome.code == 0
    assert "Undecided: the budget was spent at 1 of 5 epochs." in outcome.out
    runs = find_runs("advice")
    assert [run.status for run in runs] == ["finished"] * 4
    assert [entry["step"] for entry in runs[0].info["resumed"]] == [3]
    (look,) = json.loads(Path("advice", "advice.json").read_text())["looks"]
    assert sorted(look["by_seed"]) == ["0", "1"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["sharing=mmoe"], "sharing=mmoe: an advice compares sharing schemes over seeds itself, leave it out"),
        (["seed=1"], "seed=1: an advice compares"),
        (["task=study_scarse"], "no task 'study_scarse'; did you mean 'study_scarce'"),
        (["trainer.epochs=5,6"], "trainer.epochs=5,6 lists several values"),
        (["--seeds=1"], "argument --seeds: must be at least 2, since one seed has no spread, found 1"),
        (
            ["--budget=0"],
            "argument --budget: must be a share of the configured length, above 0 and at most 100, found 0",
        ),
        (["--budget=200"], "above 0 and at most 100, found 200"),
        (["-cd", "nowhere"], "-cd nowhere: no such folder"),
        ([f"--to={__file__}"], ": a file is in the way, name a folder"),
        (["--quick"], "no flag '--quick'; see mtlrun help advise"),
        (["study_scarce"], "cannot read 'study_scarce': a setting is written key=value"),
    ],
)
def test_a_mistake_is_told_in_one_line(words, line, command):
    outcome = command("advise", "task=study_conflict", *words)
    assert outcome.code == 2
    assert line in outcome.err
    assert len(outcome.err.splitlines()) == 1


def _end_of_input(question):
    raise EOFError


def test_it_asks_before_it_starts(command, training, facts, monkeypatch):
    outcome = command("advise", *WORDS[:-1])
    assert (outcome.code, training.calls) == (2, [])
    assert "nothing was trained yet: add --yes" in outcome.err
    assert "In all at most 21 runs" in outcome.out
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer in (lambda question: "n", _end_of_input):
        monkeypatch.setattr("builtins.input", answer)
        outcome = command("advise", *WORDS[:-1])
        assert (outcome.code, "nothing was trained; fewer runs" in outcome.err) == (2, True)
    assert not find_runs("outputs")


def test_a_folder_that_cannot_be_made_is_one_line(command, training, facts, monkeypatch):
    Path("advice").mkdir()
    monkeypatch.setattr("mtlrun.runs.folder.Path.mkdir", _no_room)
    outcome = command("advise", *WORDS, "--to=advice")
    assert (outcome.code, training.calls) == (2, [])
    assert outcome.err.startswith("mtlrun: error: cannot make the folder")
    assert len(outcome.err.splitlines()) == 1


def _no_room(path, **options):
    raise NotADirectoryError(20, "Not a directory")


def test_the_words_of_a_run():
    words = ["task=mine", "balancer=pcgrad", "balancer.every=2", "diagnostics.every=10"]
    assert run_words(words, TOGETHER)[:2] == ["diagnostics.plots=false", "diagnostics.pictures=0"]
    assert run_words(words, TOGETHER)[2:] == [*words, "sharing=hard"]
    assert run_words(words, APART)[2:] == ["task=mine", "diagnostics.every=10", "sharing=independent", "balancer=equal"]
