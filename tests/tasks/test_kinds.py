from importlib import import_module
from re import escape

import pytest

from mtlrun.errors import ConfigError
from mtlrun.tasks.base import Task
from mtlrun.tasks.kinds import target_of


@pytest.mark.parametrize("kind", ["Classification", "MultiLabel", "SurfaceNormals", "TokenClassification"])
def test_a_plain_name_is_that_of_its_class(kind: str) -> None:
    module, _, name = target_of(kind).rpartition(".")
    assert name == kind
    assert issubclass(getattr(import_module(module), name), Task)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("Regresion", "no kind of task 'Regresion'; did you mean 'Regression'? (there are: Classification, Depth, "),
        ("Task", "no kind of task 'Task'"),
        ("PixelMeasures", "no kind of task 'PixelMeasures'"),
        (3, "no kind of task '3'"),
    ],
)
def test_what_is_no_kind_is_refused(kind: object, message: str) -> None:
    with pytest.raises(ConfigError, match=escape(message)):
        target_of(kind)
