from importlib import import_module
from re import escape

import pytest

from mtlrun.errors import ConfigError
from mtlrun.tasks.base import Task
from mtlrun.tasks.kinds import target_of


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression", "segmentation", "token_classification"])
def test_a_plain_name_is_the_class_in_the_file_of_that_name(kind: str) -> None:
    module, _, name = target_of(kind).rpartition(".")
    assert (module, name.lower()) == (f"mtlrun.tasks.{kind}", kind.replace("_", ""))
    assert issubclass(getattr(import_module(module), name), Task)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("regresion", "no kind of task 'regresion'; did you mean 'regression'? (there are: classification, depth, "),
        ("base", "no kind of task 'base'"),
        ("heads", "no kind of task 'heads'"),
        (3, "no kind of task '3'"),
    ],
)
def test_what_is_no_kind_is_refused(kind: object, message: str) -> None:
    with pytest.raises(ConfigError, match=escape(message)):
        target_of(kind)
