"""Configurations of run folders from before."""

from importlib import import_module

import pytest
from omegaconf import OmegaConf

from mtlrun.config import moved as moved_module
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.config.moved import MOVED, moved
from mtlrun.config.saved import load_config


@pytest.mark.parametrize("name", MOVED.values())
def test_what_has_moved_is_there(name):
    module, _, member = name.rpartition(".")
    assert hasattr(import_module(module), member)


def test_classes_are_found_where_they_are_now(monkeypatch):
    monkeypatch.setattr(moved_module, "MOVED", {"old.module": "new.room", "old.module.Class": "elsewhere.Other"})
    before = {"a": [{"_target_": "old.module.load", "x": "old.module"}], "b": {"_target_": "old.module.Class"}, "c": 1}
    after = {"a": [{"_target_": "new.room.load", "x": "old.module"}], "b": {"_target_": "elsewhere.Other"}, "c": 1}
    assert moved(before) == after


def test_a_run_from_before_is_read(tmp_path):
    config = without_hydra(compose(["task=multidigits"]))
    config.logger._target_ = "mtlrun.loggers.csv.Csv"
    (tmp_path / ".hydra").mkdir()
    OmegaConf.save(config, tmp_path / ".hydra" / "config.yaml")
    assert load_config(tmp_path).logger._target_ == "mtlrun.loggers.base.NoLogger"
