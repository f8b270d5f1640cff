"""Names that tasks may have, wherever they come from."""

import numpy as np
import pytest

from mtlrun.config.build_data import build_data
from mtlrun.config.compose import compose
from mtlrun.errors import DataError
from mtlrun.runs.task_names import check_task_name


@pytest.mark.parametrize("name", ["left", "all_of_them", "5_o_clock_Shadow", "u0", "top-5", "All"])
def test_names_that_files_and_settings_can_hold(name):
    assert check_task_name(name) == name


@pytest.mark.parametrize("name", ["all", "", "a b", "a/b", "[/]", "a\x1b]0;x\x07", "größe", "x\n"])
def test_other_names_are_refused_in_one_printable_line(name):
    with pytest.raises(DataError) as caught:
        check_task_name(name)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_an_array_called_all_is_refused(tmp_path):
    np.savez(tmp_path / "mine.npz", inputs=np.zeros((40, 2)), all=np.arange(40) % 2)
    with pytest.raises(DataError, match=r"an array of labels is called 'all', which stands for all tasks together"):
        build_data(compose(["task=arrays", f"data.path={tmp_path / 'mine.npz'}"]))


def test_a_task_of_the_configuration_is_refused_before_anything_is_read():
    with pytest.raises(DataError, match=r"task\.tasks\.all is called 'all'"):
        compose(["task=multidigits", "+task.tasks.all._target_=mtlrun.tasks.classification.Classification"])


SOURCE = """
from mtlrun.data.source import Splits


def load():
    return Splits([], [], [], "", {"all": {"_target_": "mtlrun.tasks.regression.Regression"}})
"""


def test_a_source_of_ones_own_cannot_call_a_task_all(tmp_path, monkeypatch):
    (tmp_path / "source_with_all.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    config = compose(["task=study_subspace"])
    config.data = {"_target_": "source_with_all.load"}
    with pytest.raises(DataError, match="a task is called 'all'"):
        build_data(config)
