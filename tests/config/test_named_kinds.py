"""A kind that the configuration names decides how labels are read, and the data says the rest."""

import numpy as np
import pytest

from mtlrun.config.build_data import build_data
from mtlrun.config.compose import compose
from mtlrun.errors import ConfigError
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.measurement import Measurement
from mtlrun.tasks.multilabel import MultiLabel

NAN = float("nan")
N = 40
GAPS = np.where(np.arange(N) % 4 == 3, NAN, np.arange(N) % 2)
MINE = """
from mtlrun.tasks.classification import Classification


class Strict(Classification):
    def __init__(self, name, classes, margin=1.0):
        super().__init__(name, classes)
        self.margin = margin
"""


def built(folder, labels, *overrides):
    np.savez(folder / "mine.npz", inputs=np.arange(2.0 * N).reshape(N, 2), y=labels)
    return build_data(compose(["task=arrays", f"data.path={folder / 'mine.npz'}", *overrides]))


def named(kind, *options):
    return [f"+task.tasks.y._target_=mtlrun.tasks.{kind}", *(f"+task.tasks.y.{option}" for option in options)]


def test_the_dead_end_of_whole_floats_is_open(tmp_path):
    splits, tasks = built(tmp_path, GAPS, *named("classification.Classification"))
    assert tasks["y"].classes == ["0", "1"]
    assert (
        sum(int(source.labelled("y").sum()) for part in (splits.train, splits.val, splits.test) for source in part)
        == 30
    )


@pytest.mark.parametrize(
    ("labels", "overrides", "kind", "outputs"),
    [
        (GAPS, [], Classification, 2),
        (np.arange(N) * 4.0, named("classification.Classification"), Classification, 157),
        (np.arange(N) * 4, named("classification.Classification", "classes=200"), Classification, 200),
        (np.arange(N) % 3, named("measurement.Measurement"), Measurement, 1),
        (np.eye(N)[:, :3], named("measurement.Measurement"), Measurement, 3),
        (np.arange(N) % 2, named("multilabel.MultiLabel", "labels=[yes]"), MultiLabel, 1),
        (np.arange(N) % 2 == 0, named("multilabel.MultiLabel"), MultiLabel, 1),
        (np.arange(N) % 2, ["data.kinds={y: MultiLabel}"], MultiLabel, 1),
        (np.arange(N) % 2, ["data.kinds={y: MultiLabel}", *named("classification.Classification")], Classification, 2),
    ],
)
def test_the_named_kind_gets_labels_in_its_form(tmp_path, labels, overrides, kind, outputs):
    task = built(tmp_path, labels, *overrides)[1]["y"]
    assert type(task) is kind
    assert task.outputs == outputs


def test_a_kind_of_ones_own_gets_what_it_takes_of_what_the_data_says(tmp_path, monkeypatch):
    (tmp_path / "strict_kind.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    task = built(tmp_path, GAPS, "+task.tasks.y._target_=strict_kind.Strict", "+task.tasks.y.margin=2")[1]["y"]
    assert (task.classes, task.margin) == (["0", "1"], 2)


def test_a_kind_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(ConfigError, match="Nothing"):
        built(tmp_path, GAPS, *named("regression.Nothing"))


def test_kinds_are_named_for_arrays_that_are_there(tmp_path):
    with pytest.raises(ConfigError, match=r"no array of labels in data.kinds 'x' \(there are: y\)"):
        built(tmp_path, GAPS, "data.kinds={x: Regression}")
