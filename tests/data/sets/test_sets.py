"""One file for each data set of the configuration, under its name."""

from pathlib import Path

import pytest
import yaml

import mtlrun.data.sets
from mtlrun.paths import CONF

STATED = {path.stem: path for path in (CONF / "data").glob("*.yaml")}


def test_every_yaml_has_a_file_of_its_name_and_every_file_a_yaml():
    files = {path.stem for path in Path(mtlrun.data.sets.__path__[0]).glob("*.py")} - {"__init__"}
    assert files == {*STATED}


@pytest.mark.parametrize("name", STATED)
def test_its_entry_is_load(name):
    assert yaml.safe_load(STATED[name].read_text())["_target_"] == f"mtlrun.data.sets.{name}.load"
