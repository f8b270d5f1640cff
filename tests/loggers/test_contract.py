"""What every logger in conf/logger promises."""

import inspect
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from mtlrun.contracts.logger import PROMISES, LoggerSubject
from mtlrun.contracts.promise import Promise
from mtlrun.loggers.base import Logger, NoLogger, flatten
from mtlrun.paths import CONF

NAMES = sorted(path.stem for path in (CONF / "logger").glob("*.yaml"))


def test_issue_loggers_are_there() -> None:
    assert {"csv", "tensorboard", "wandb", "mlflow"} <= {*NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_yaml_states_every_option_with_its_default(name: str) -> None:
    path = CONF / "logger" / f"{name}.yaml"
    assert path.read_text().startswith(f"# @package logger.{name}\n")  # beside others, each in a node of its own
    settings = OmegaConf.load(path)
    logger = get_class(settings.pop("_target_"))
    assert issubclass(logger, Logger)
    parameters = dict(inspect.signature(logger).parameters)
    assert [*parameters][:2] == ["folder", "config"]
    assert settings == {option: value.default for option, value in [*parameters.items()][2:]}


@pytest.mark.parametrize("promise", PROMISES, ids=str)
@pytest.mark.parametrize("name", ["csv", "tensorboard"])  # the others record elsewhere: see their own tests
def test_promise(promise: Promise[LoggerSubject], name: str) -> None:
    settings = OmegaConf.load(CONF / "logger" / f"{name}.yaml")
    logger, options = get_class(settings.pop("_target_")), dict(settings)
    promise.check(LoggerSubject(lambda folder, config: logger(folder, config, **options), {"seed": 0}, name))


class Endless(NoLogger):
    def end(self, ending, reason):
        raise NotImplementedError("the end")


def test_a_logger_that_fails_at_the_end_breaks_its_promise() -> None:
    verdicts = [*PROMISES.verdicts(LoggerSubject(Endless, {"seed": 0}, "endless"))]
    assert [verdict.words for verdict in verdicts if verdict.outcome == "broken"] == [
        "it takes final scores, a picture, the checkpoints and how the run ended"
    ]


def test_csv_leaves_the_folder_alone(tmp_path: Path) -> None:
    logger = NoLogger(tmp_path, {"seed": 0})
    logger.log(1, {"val/lane/iou": 0.5})
    logger.close()
    assert [*tmp_path.iterdir()] == []


def test_flatten() -> None:
    nested = {"seed": 1, "trainer": {"epochs": 3, "deep": {"x": [1, 2]}}, "empty": {}}
    assert flatten(nested) == {"seed": 1, "trainer.epochs": 3, "trainer.deep.x": [1, 2], "empty": {}}
