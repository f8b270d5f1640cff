"""Several loggers at once, and one that fails."""

import logging
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtlrun.config.build import build_logger
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import ConfigError
from mtlrun.loggers.base import Logger, NoLogger
from mtlrun.loggers.together import PATIENCE, Together
from mtlrun.runs.folder import RunFolder


class Noted(Logger):
    """Keeps what it gets; fails `failures` times first."""

    def __init__(self, failures: int = 0) -> None:
        self.failures, self.got = failures, []

    def log(self, step, values):
        if self.failures:
            self.failures -= 1
            raise ConnectionError(f"nobody there\nat step {step}")
        self.got.append((step, values))

    def close(self):
        self.got.append("closed")


def composed(words):
    return without_hydra(compose(words))


def warnings(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_one_that_fails_costs_its_own_figures(caplog):
    loggers = {"bad": Noted(failures=1), "good": Noted()}
    both = Together(loggers)
    for step in (1, 2):
        both.log(step, {"loss": 1.0})
    assert [entry[0] for entry in loggers["bad"].got] == [2]
    assert [entry[0] for entry in loggers["good"].got] == [1, 2]
    assert warnings(caplog) == ["logger bad took no figures at step 1: nobody there at step 1"]


def test_one_that_keeps_failing_is_asked_again_only_at_the_end(caplog):
    bad = Noted(failures=PATIENCE)
    only = Together({"bad": bad})
    for step in range(PATIENCE + 2):
        only.log(step, {"loss": 1.0})
    only.end("finished", None)
    assert bad.got == ["closed"]
    assert len(warnings(caplog)) == PATIENCE
    assert warnings(caplog)[-1].endswith("; it gets no more until the end")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ([], ["csv"]),
        (["logger=tensorboard", "logger.tensorboard.subfolder=events"], ["tensorboard"]),
        (["logger=[csv,tensorboard]", "logger.tensorboard.flush_seconds=5"], ["csv", "tensorboard"]),
    ],
)
def test_what_is_chosen_is_built_each_with_its_options(words, names, tmp_path):
    config = composed(["task=multidigits", *words])
    built = build_logger(config, RunFolder(tmp_path))
    assert [*built.loggers] == names
    if "logger.tensorboard.subfolder=events" in words:
        built.log(1, {"loss": 1.0})
        built.close()
        assert [*(tmp_path / "events").iterdir()]


def test_a_node_as_earlier_versions_saved_it(tmp_path):
    config = composed(["task=multidigits"])
    config.logger = OmegaConf.create({"_target_": "mtlrun.loggers.base.NoLogger"})
    assert [*build_logger(config, RunFolder(tmp_path)).loggers] == ["logger"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["logger=wandb", "++logger.project=mine"],
            "no setting 'project' in logger; it belongs to one of them: logger.wandb.project",
        ),
        (["logger=wandb", "+logger.wanb.mode=offline"], "no setting 'wanb' in logger; did you mean 'wandb'?"),
        (
            ["logger=[wandb,tensorboard]", "logger.wandb.projct=mine"],
            "no setting 'projct' in logger.wandb; ",
        ),
    ],
)
def test_a_setting_of_no_logger_is_told(words, line):
    with pytest.raises(ConfigError) as caught:
        compose(["task=multidigits", *words])
    assert str(caught.value).startswith(line)


def test_a_users_own_stands_alone_unless_it_says_where(tmp_path, monkeypatch):
    folder = Path(tmp_path / "conf/logger")
    folder.mkdir(parents=True)
    monkeypatch.setenv("MTLRUN_CONF_DIR", str(tmp_path / "conf"))
    (folder / "own.yaml").write_text("_target_: mtlrun.loggers.base.NoLogger\n")
    assert compose(["task=multidigits", "logger=own"]).logger == {"_target_": "mtlrun.loggers.base.NoLogger"}
    with pytest.raises(ConfigError, match=r"begin its YAML with the line # @package logger\.nologger"):
        compose(["task=multidigits", "logger=[own,csv]"])
    (folder / "own.yaml").write_text("# @package logger.own\n_target_: mtlrun.loggers.base.NoLogger\n")
    assert [*compose(["task=multidigits", "logger=[own,csv]", "seed=1"]).logger] == ["own", "csv"]


def test_if_one_cannot_start_those_before_it_are_told(tmp_path, monkeypatch):
    ended = []
    monkeypatch.setattr(NoLogger, "end", lambda logger, *how: ended.append(how))
    config = composed(["task=multidigits", "logger=[csv,wandb]", "++logger.wandb.mode=nonsense"])
    with pytest.raises(ConfigError, match=r"no logger\.wandb\.mode 'nonsense'"):
        build_logger(config, RunFolder(tmp_path))
    assert [status for status, _ in ended] == ["failed"]


def test_figures_are_kept_where_one_of_several_keeps_them():
    silent = NoLogger(Path(), {})
    assert not Together({}).keeps_figures
    assert not Together({"csv": silent}).keeps_figures
    assert Together({"csv": silent, "own": Noted()}).keeps_figures


def test_a_logger_that_is_made_from_the_silent_one_keeps_what_it_takes():
    class Own(NoLogger):
        def log(self, step, values):
            """Takes them."""

    assert Own(Path(), {}).keeps_figures
