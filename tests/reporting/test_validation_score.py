"""The score of validation rows that a report tunes by is the one that training chooses epochs by."""

import math
from types import SimpleNamespace

import pytest

from mtlrun.reporting.entries import TaskScore, read_entry, validation_score
from mtlrun.runs.reader import Run
from mtlrun.training.score import overall_score


@pytest.mark.parametrize(
    "values",
    [
        {"up": 0.8, "down": 0.3},
        {"up": 0.0, "down": 0.5},  # the floor of a metric that is better when higher
        {"up": -2.0, "down": 0.5},
        {"up": 1e-4, "down": 1e-9},
        {"up": 0.5, "down": 0.0},  # the floor of one that is better when lower
        {"up": 0.5, "down": 1e-13},
    ],
)
def test_it_is_the_overall_score_of_training(values):
    tasks = {name: SimpleNamespace(judge="metric", higher_is_better=lambda up=name == "up": up) for name in values}
    trained = overall_score({name: {"metric": value} for name, value in values.items()}, tasks)
    reported = validation_score(TaskScore("metric", name == "up", {}, {"metric": v}) for name, v in values.items())
    assert reported == pytest.approx(trained, rel=1e-12)


def test_a_task_without_a_value_does_not_count():
    tasks = {name: SimpleNamespace(judge="metric", higher_is_better=lambda: True) for name in "ab"}
    trained = overall_score({"a": {"metric": 0.7}, "b": {"metric": math.nan}}, tasks)
    reported = validation_score([TaskScore("metric", True, {}, {"metric": 0.7}), TaskScore("metric", True, {}, {})])
    assert reported == pytest.approx(trained)


@pytest.mark.parametrize(("reference", "validation"), [("first", 0.64), (None, 0.9)])
def test_a_gain_over_a_runs_own_start_compares_no_runs(result, reference, validation):
    """A small rate starts low and gains much: runs are compared by what they score."""
    summary = {"best_score": 0.9}
    path = result("a", {"left": 0.64}, settings={"trainer.reference": reference}, summary=summary)
    assert read_entry(Run(path)).validation == pytest.approx(validation)
