"""The time that a training would take: whatever it will do counts, measured on little."""

import json
import time
from types import SimpleNamespace

import pytest
import torch

from mtlrun.experiment import measure


def trainer(on_test=False, gap_rows=0, **settings):
    """Ten epochs of seven steps on 100 rows, 40 to validate and 30 to test."""
    return SimpleNamespace(
        total_steps=70,
        steps_per_epoch=7,
        settings=SimpleNamespace(**{"eval_every": 1, "test_last": 1, **settings}),
        splits=SimpleNamespace(train=[range(60), range(40)], val=[range(40)], test=[range(30)]),
        diagnostics=SimpleNamespace(gap_rows=gap_rows),
        selection=SimpleNamespace(on_test=on_test),
        stepper=None,
    )


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, 10 * 40 + 2 * 30),
        ({"eval_every": 5}, 2 * 40 + 2 * 30),
        ({"test_last": 4}, 10 * 40 + 6 * 30),
        ({"on_test": True}, 10 * (40 + 30) + 2 * 30),
        ({"gap_rows": 50}, 10 * (40 + 50 + 40) + 2 * 30),
    ],
)
def test_all_evaluations_count(options, rows, monkeypatch):
    monkeypatch.setattr(measure, "_seconds_of_a_step", lambda trainer: 0.0)
    monkeypatch.setattr(measure, "_seconds_of_a_row", lambda trainer: 3600.0)
    assert measure.hours(trainer(**options)) == rows


def test_a_step_includes_its_batch(monkeypatch):
    def batches(trainer):
        for place in range(4):
            time.sleep(0.02)
            yield place

    monkeypatch.setattr(measure, "_batches", batches)
    monkeypatch.setattr(measure, "train_step", lambda *_, **__: SimpleNamespace(losses=torch.zeros(1)))
    assert measure._seconds_of_a_step(trainer()) >= 0.02


def test_what_breaks_in_one_table_leaves_the_others(monkeypatch, capsys):
    """Parts of a user's may print, and raise anything."""

    def compose(words):
        print("a line of the user's")
        raise RuntimeError(f"no {words[0]}\nleft")

    monkeypatch.setattr(measure, "compose", compose)
    monkeypatch.setattr(measure.logging, "disable", lambda level: None)  # it is for a process of its own
    measure.main([json.dumps(["one"]), json.dumps(["two"])])
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {"needs": "no one left"},
        {"needs": "no two left"},
    ]
