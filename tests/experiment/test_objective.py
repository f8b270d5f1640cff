import math

import pytest
from omegaconf import OmegaConf

from mtlrun.errors import ConfigError
from mtlrun.experiment.objective import check_objective, objective_value

DIRECTIONS = {"left": {"accuracy": True, "error": False}}
SUMMARY = {
    "best_score": 0.5,
    "tasks": {
        "left": {
            "directions": DIRECTIONS["left"],
            "best": {"val": {"accuracy": 0.75, "error": 0.25, "loss": 2.0}, "test": {"accuracy": 0.1}},
            "last": {"val": {"accuracy": 0.7, "error": 0.3, "loss": 3.0}},
        }
    },
}


@pytest.mark.parametrize(
    ("objective", "value"),
    [
        ("score", 0.5),
        ("left/accuracy", 0.75),
        ("left/error", -0.25),
        ("left/loss", -2.0),
        (["left/accuracy"], [0.75]),
        (OmegaConf.create(["score", "left/loss"]), [0.5, -2.0]),
    ],
)
def test_values_are_of_validation_rows_at_the_best_epoch_and_higher_is_better(objective, value):
    assert objective_value(SUMMARY, objective) == value
    check_objective(objective, DIRECTIONS)


@pytest.mark.parametrize("value", [math.nan, -math.inf, None])
def test_what_is_no_number_counts_as_failed(value):
    assert objective_value(SUMMARY | {"best_score": value}, ["left/accuracy", "score"]) is None


@pytest.mark.parametrize(
    ("objective", "line"),
    [
        ("left/acuracy", "no metric of task 'left' for the objective 'acuracy'; did you mean 'accuracy'?"),
        ("right/loss", "no task in objective=right/loss named 'right'"),
        ([], "objective=[]: must be score, TASK/METRIC, or a list such as"),
        (3, "objective=3: must be score, TASK/METRIC, or a list such as"),
    ],
)
def test_anything_else_is_refused_before_training(objective, line):
    with pytest.raises(ConfigError) as error:
        check_objective(objective, DIRECTIONS)
    assert str(error.value).startswith(line)
