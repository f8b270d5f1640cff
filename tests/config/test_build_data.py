"""From a configuration to rows and tasks."""

import pytest

from mtlrun.config.build_data import build_data
from mtlrun.config.compose import compose
from mtlrun.errors import DataError


def test_other_data_than_the_tasks_ask_for_names_its_own_tasks():
    with pytest.raises(DataError, match=r"for task 'first' \(labelled: tasks=\[minus,plus\]\)$"):
        build_data(compose(["task=toy", "data=study_conflict"]))
