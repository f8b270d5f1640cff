"""Rules by which the best epoch is chosen, and what gains are measured against."""

import json

import pytest
from omegaconf import OmegaConf

from mtlrun.config.reference import check_selection, resolved
from mtlrun.errors import ConfigError
from mtlrun.training.settings import TrainerSettings

DIRECTIONS = {"left": {"accuracy": True, "mae": False}}
VALUES = {"left": {"accuracy": 0.5}, "right": {"accuracy": 0.2}}


def trainer(**changes):
    return OmegaConf.merge(OmegaConf.structured(TrainerSettings), changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"select": "delta_m"}, r"select=delta_m: against what\? trainer.reference must be"),
        ({"reference": "first"}, "trainer.select=geometric has none; choose delta_m or delta_p"),
        ({"select": "delta_m", "reference": {"lfet": {"mae": 1}}}, "did you mean 'left'"),
        ({"select": "delta_m", "reference": {"left": {"mae": 0}}}, "left.mae=0: must be a number other than 0"),
        ({"select": "delta_m", "reference": 3}, "reference=3: must be {task"),
        ({"select": "last", "patience": 3}, "leave trainer.patience out"),
        ({"select": "last", "select_on": "test"}, "trainer.select=last looks at no scores"),
        ({"select_on": "test", "patience": 3}, "must not end by test scores"),
        ({"select": "arithmetic", "monitor": "left/accuracy"}, "trainer.monitor chooses the epoch already"),
    ],
)
def test_contradictions_are_told(changes, message):
    with pytest.raises(ConfigError, match=message):
        check_selection(trainer(**changes), ["left", "right"])


def test_values_of_the_trained_tasks_are_taken():
    config = OmegaConf.create({"trainer": {"select": "delta_m", "reference": VALUES}})
    check_selection(trainer(select="delta_m", reference=VALUES), ["left", "right"])
    assert resolved(config, DIRECTIONS) == {"left": {"accuracy": 0.5}}
    with pytest.raises(ConfigError, match="no values for task 'sky'"):
        resolved(config, {"sky": {}})
    with pytest.raises(ConfigError, match=r"no metric of task 'left' for trainer\.reference 'accuracy'"):
        resolved(config, {"left": {"mae": False}})


@pytest.mark.parametrize(("select", "metrics"), [("delta_m", ["mae"]), ("delta_p", ["accuracy", "mae"])])
def test_a_run_folder_gives_its_validation_scores(tmp_path, select, metrics):
    best = {"val": {"mae": 2.0, "accuracy": 0.5}, "test": {"mae": 3.0, "accuracy": 0.0}}
    entry = {"metric": "mae", "directions": DIRECTIONS["left"], "best": best}
    config = OmegaConf.create({"trainer": {"select": select, "reference": str(tmp_path), "select_on": "val"}})
    with pytest.raises(ConfigError, match="no finished run"):
        resolved(config, DIRECTIONS)
    (tmp_path / "summary.json").write_text(json.dumps({"tasks": {"left": entry}}))
    assert [*resolved(config, DIRECTIONS)["left"]] == metrics
    (tmp_path / "summary.json").write_text(json.dumps({"tasks": {"left": {**entry, "counted": ["mae"]}}}))
    assert [*resolved(config, DIRECTIONS)["left"]] == ["mae"]


def test_a_run_folder_gives_scores_of_the_rows_that_choose(tmp_path):
    best = {"val": {"mae": 2.0, "accuracy": 0.5}, "test": {"mae": 3.0, "accuracy": 0.0}}
    entry = {"metric": "mae", "directions": DIRECTIONS["left"], "best": best}
    (tmp_path / "summary.json").write_text(json.dumps({"tasks": {"left": entry}}))
    config = OmegaConf.create({"trainer": {"select": "delta_m", "reference": str(tmp_path), "select_on": "test"}})
    assert resolved(config, DIRECTIONS)["left"] == {"mae": 3.0}
    config.trainer.select = "delta_p"
    with pytest.raises(ConfigError, match=r"left/accuracy on test rows is 0.0 there, and nothing is relative to"):
        resolved(config, DIRECTIONS)
