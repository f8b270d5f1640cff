"""From a configuration to rows and tasks."""

import pytest

from mtlrun.config.build_data import build_data, with_target
from mtlrun.config.compose import compose
from mtlrun.errors import DataError


def test_other_data_than_the_tasks_ask_for_names_its_own_tasks():
    with pytest.raises(DataError, match=r"for task 'first' \(labelled: tasks=\[minus,plus\]\)$"):
        build_data(compose(["task=toy", "data=study_conflict"]))


def test_data_may_name_a_kind_or_a_class() -> None:
    kind = {"kind": "Regression", "outputs": 2}
    assert with_target(kind) == {"_target_": "mtlrun.tasks.regression.Regression", "outputs": 2}
    assert kind == {"kind": "Regression", "outputs": 2}
    assert with_target({"_target_": "mine.Kind", "size": 1}) == {"_target_": "mine.Kind", "size": 1}
