"""The settings of the engine that a user's YAML need not state are those that the engine has."""

from dataclasses import asdict

from mtlrun.config import changes, explain
from mtlrun.gradients.base import EngineSettings


def test_they_are_the_engine_s():
    assert asdict(EngineSettings()) == changes.ENGINE_SETTINGS
    assert set(explain._ENGINE) == set(changes.ENGINE_SETTINGS)
