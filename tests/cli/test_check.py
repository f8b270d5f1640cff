"""`mtlrun check`: a line for each promise, as soon as it is known, and one for each fault."""

import io

import pytest
from rich.console import Console

from mtlrun.cli.check import _show_part
from mtlrun.contracts.promise import Verdict

SHAPE = "weights() returns shape [1] for {} tasks, not [{}]"
RAISED = "it raised TypeError: unhashable type: 'list'"


def _shown(*verdicts):
    text = io.StringIO()
    counts = _show_part(Console(file=text, width=40), iter(verdicts))
    return dict(counts), [line.rstrip() for line in text.getvalue().splitlines()]


def _broken(words, found):
    return Verdict("balancer Mine", words, "broken", found)


def test_a_line_for_each_promise():
    counts, lines = _shown(
        Verdict("balancer Mine", "a promise that is longer than the terminal is wide", "ok"),
        Verdict("balancer Mine", "second", "skipped", "nothing to look at"),
        _broken("third", RAISED),
    )
    assert counts == {"ok": 1, "skipped": 1, "broken": 1}
    assert lines == [
        "balancer Mine",
        "  ok       a promise that is longer than the terminal is wide",
        "  skipped  second: nothing to look at",
        f"  broken   third: {RAISED}",
    ]


@pytest.mark.parametrize(
    ("found", "again", "summary"),
    [
        ([RAISED, RAISED], 1, "1 more promise, found as in 'promise 0'"),
        ([RAISED, RAISED, RAISED], 2, "2 more promises, found as in 'promise 0'"),
        ([SHAPE.format(2, 2), SHAPE.format(40, 40)], 1, "1 more promise, found as in 'promise 0'"),
        ([RAISED, SHAPE.format(2, 2)], 0, None),
    ],
)
def test_a_fault_is_told_once(found, again, summary):
    counts, lines = _shown(*(_broken(f"promise {number}", words) for number, words in enumerate(found)))
    assert counts == {"broken": len(found)}
    told = [line for line in lines if "promise 0: " in line or "promise 1: " in line]
    assert len(told) == len(found) - again
    assert [line for line in lines if " more promise" in line] == ([f"  broken   {summary}"] if summary else [])


def test_what_is_looked_at_is_said_before_torch_is_loaded(command, monkeypatch):
    said = []
    monkeypatch.setattr("mtlrun.cli.check._check", lambda config, groups: said.append(groups) or 0)
    outcome = command("check", "task=multidigits", "balancer=pcgrad", "sampler=uniform")
    assert (outcome.code, outcome.out) == (0, "looking at sampler, balancer of task set multidigits\n")
    assert said == [["sampler", "balancer"]]
