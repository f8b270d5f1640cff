from importlib import import_module
from inspect import signature
from re import escape

import pytest

from mtlrun.errors import ConfigError
from mtlrun.instantiate import instantiate
from mtlrun.tasks.base import Task
from mtlrun.tasks.kinds import kinds, target_of
from mtlrun.tasks.measurement import Measurement
from mtlrun.tasks.regression import Regression


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


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_says_all_that_it_takes(kind: str) -> None:
    with pytest.raises(ConfigError, match=r"unexpected keyword argument 'loses'; did you mean 'loss'\?") as refused:
        instantiate({"_target_": target_of(kind), "name": "a", "loses": None}, "task.tasks.a", Task)
    takes = str(refused.value).rpartition("it takes: ")[2].rstrip(")").split(", ")
    assert {"name", "head", "loss", "metrics", "judge"} <= {*takes}
    assert len({*takes}) == len(takes)


def test_words_that_are_handed_on_keep_their_defaults() -> None:
    own, handed_on = (signature(kind).parameters for kind in (Regression, Measurement))
    own_words = ["hidden", "dropout", "loss", "statistics", "unit"]
    assert [*handed_on] == ["name", "outputs", "standardise", "head", "metrics", "judge", *own_words]
    assert all(handed_on[word].default == own[word].default for word in ("head", *own_words))


def test_a_class_beside_the_kind_does_not_hide_its_words() -> None:
    class Named:
        pass

    class Mixed(Named, Measurement):
        pass

    assert signature(Mixed) == signature(Measurement)
