"""Errors inside a user's part name its class, its method, the cause and the line; errors of ours do not."""

import importlib
import json
import sys
from pathlib import Path

import pytest
import torch

import mtlrun
from mtlrun.blame import blaming_parts, cause, failed_part
from mtlrun.errors import ConfigError, DataError

MINE = """
import json

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.mgda import MGDA


class Mine(LossBalancer):
    def __init__(self, fails_at: int = 1) -> None:
        self.calls, self.fails_at = 0, fails_at

    def weights(self, losses, tasks):
        self.calls += 1
        return losses * 0 + 1 / (self.fails_at - self.calls)


class Parsing(LossBalancer):
    def weights(self, losses, tasks):
        return json.loads("[")


class Inherited(MGDA):
    pass
"""
PLACE = "ZeroDivisionError: division by zero (my_parts.py, line 14)"


@pytest.fixture
def parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_parts.py").write_text(MINE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "my_parts", raising=False)
    importlib.invalidate_caches()
    return importlib.import_module("my_parts")


def raised(work, *arguments):
    with pytest.raises(Exception) as caught:  # noqa: PT011 (any)
        work(*arguments)
    return caught.value


def test_the_part_and_the_line_of_its_file_are_named(parts):
    error = raised(parts.Mine().weights, torch.ones(2), ("a", "b"))
    assert failed_part(error) == f"Mine.weights() failed: {PLACE}"
    assert cause(error) == PLACE


def test_the_line_is_the_users_where_a_library_raised(parts):
    line = failed_part(raised(parts.Parsing().weights, torch.ones(2), ("a", "b")))
    assert line.startswith("Parsing.weights() failed: JSONDecodeError: Expecting value")
    assert line.endswith("(my_parts.py, line 19)")


def test_an_error_of_ours_blames_nobody(parts):
    assert failed_part(raised(parts.Inherited().combine, torch.ones(2), torch.ones(3))) is None
    assert failed_part(raised(lambda: {}["x"])) is None


@pytest.mark.parametrize("error", [DataError("a picture"), MemoryError(), RuntimeError("out of memory")])
def test_what_has_its_own_words_passes(error):
    def fail():
        with blaming_parts():
            raise error

    assert raised(fail) is error


WORDS = ["task=toy", "balancer._target_=my_parts.Mine", "trainer.epochs=2", "diagnostics.plots=false"]


def test_a_part_that_raises_before_training_is_a_mistake_and_nothing_is_left(parts, tmp_path):
    with pytest.raises(ConfigError) as caught:
        mtlrun.run(WORDS, folder="mine")
    assert str(caught.value) == f"Mine.weights() failed: {PLACE}"
    assert not (tmp_path / "mine").exists()


def test_a_part_that_raises_while_it_trains_is_named_in_the_record(parts):
    with pytest.raises(ZeroDivisionError):
        mtlrun.run([*WORDS, "+balancer.fails_at=7"], folder="mine")
    record = json.loads(Path("mine/run.json").read_text())
    assert (record["status"], record["error"]) == ("failed", f"Mine.weights() failed: {PLACE}")
