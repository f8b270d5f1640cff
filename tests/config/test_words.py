"""What becomes of interpolations where a configuration leaves the process: written down, or handed to another one."""

import pytest
from omegaconf import OmegaConf

from mtlrun.config.words import portable, without_secrets

SETTINGS = {
    "lr": 0.5,
    "rate": "${lr}",
    "token": "${oc.env:STEADY_TOKEN}",
    "again": "Bearer ${token}",
    "list": ["${token}", "${oc.decode:'3'}", "plain"],
    "own": "${steady_double:4}",
}


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setenv("STEADY_TOKEN", "s3cret")
    OmegaConf.register_new_resolver("steady_double", lambda number: 2 * number, replace=True)
    yield OmegaConf.create(SETTINGS)
    OmegaConf.clear_resolver("steady_double")


def test_what_refers_to_a_secret_is_kept_as_it_was_written(config):
    expected = SETTINGS | {"rate": 0.5, "list": ["${token}", 3, "plain"], "own": 8}
    assert without_secrets(config) == expected


def test_another_process_resolves_what_it_knows_by_itself(config):
    handed = portable(config)
    assert handed == SETTINGS | {"own": 8}
    OmegaConf.clear_resolver("steady_double")
    assert OmegaConf.to_container(OmegaConf.create(handed), resolve=True)["again"] == "Bearer s3cret"
