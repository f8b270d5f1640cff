"""Defaults and meanings of closed groups: the dataclass is their home, the YAML repeats them."""

import re
from dataclasses import fields
from enum import Enum

import pytest
import yaml

from mtlrun.paths import CONF
from mtlrun.training.settings import DiagnosticsSettings, TrainerSettings

FILES = [
    *((path, TrainerSettings) for path in sorted((CONF / "trainer").glob("*.yaml"))),
    *((path, DiagnosticsSettings) for path in sorted((CONF / "diagnostics").glob("*.yaml"))),
]


def test_the_files_are_found():
    assert {path.relative_to(CONF).as_posix() for path, _ in FILES} >= {"trainer/default.yaml", "diagnostics/off.yaml"}


@pytest.mark.parametrize(("path", "settings"), FILES, ids=lambda value: getattr(value, "stem", None))
def test_a_yaml_says_what_the_dataclass_says(path, settings):
    lines = re.findall(r"^(\w+): +(\S+) +# (.*)$", path.read_text(), re.MULTILINE)
    assert [(key, meaning) for key, _, meaning in lines] == [
        (field.name, field.metadata["meaning"]) for field in fields(settings)
    ]
    if path.stem == "default":
        defaults = {field.name: field.default for field in fields(settings)}
        plain = {key: value.value if isinstance(value, Enum) else value for key, value in defaults.items()}
        assert {key: yaml.safe_load(value) for key, value, _ in lines} == plain
