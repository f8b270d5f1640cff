"""A number without a meaning is one line, told before torch is loaded."""

import subprocess
import sys
from functools import cache

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from mtlrun.config.bounds import OPTIMIZER, SCHEDULER, Bound, check_bounds
from mtlrun.config.check import check
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

MEANINGLESS = {
    "optimizer=adamw": [
        "optimizer.lr=-1", "optimizer.lr=nan", "optimizer.lr=inf", "optimizer.weight_decay=nan", "optimizer.eps=-1",
        "optimizer.weight_decay=-0.1", "optimizer.betas=[0.9]", "optimizer.betas=[2,3]", "optimizer.betas=[0.9,nan]",
        "optimizer.backbone_lr=-1", "optimizer.sharing_lr=inf", "optimizer.head_lr={a:nan}",
    ],
    "optimizer=sgd": ["optimizer.momentum=-1", "optimizer.momentum=1", "optimizer.lr=-inf"],
    "scheduler=exponential": ["scheduler.gamma=nan", "scheduler.gamma=inf", "scheduler.gamma=-1", "scheduler.gamma=0"],
    "scheduler=cosine": ["scheduler.T_max=-3", "scheduler.T_max=0", "scheduler.eta_min=-1"],
    "scheduler=one_cycle": [
        "scheduler.max_lr=-1", "scheduler.pct_start=2", "scheduler.div_factor=0", "scheduler.total_steps=0",
    ],
    "scheduler=constant": ["scheduler.total_iters=-1", "scheduler.factor=5"],
    "scheduler=step": ["scheduler.step_size=0", "scheduler.gamma=nan"],
    "scheduler=plateau": [
        "scheduler.factor=5", "scheduler.factor=1", "scheduler.mode=up", "scheduler.mode=min", "scheduler.patience=-1",
    ],
    "balancer=fairgrad": ["balancer.alpha=inf", "balancer.alpha=nan"],
    "balancer=gradnorm": ["balancer.alpha=inf"],
    "data=multidigits": ["data.seed=-1", "data.seed=9223372036854775808", "seed=9223372036854775808"],
    "task=arrays data.path=.": ["data.val=nan", "data.test=nan"],
    "trainer=default": ["trainer.clip_norm=inf", "trainer.clip_norm=nan"],
}  # fmt: skip
CASES = [(choice, word) for choice, words in MEANINGLESS.items() for word in words]


@cache
def chosen(choice):
    """What a choice of options leads to; to be copied."""
    return without_hydra(compose(["task=multidigits", *choice.split()]))


@pytest.mark.parametrize(("choice", "word"), CASES, ids=[f"{word} {choice}" for choice, word in CASES])
def test_refused_in_one_line(choice, word):
    settings = chosen(choice).copy()
    override = OverridesParser.create().parse_override(word)
    OmegaConf.update(settings, override.key_or_group, override.value(), force_add=True)
    with pytest.raises(ConfigError) as refusal:
        check(settings)
    line = str(refusal.value)
    assert "\n" not in line
    assert line.startswith(word.partition("=")[0])
    assert "must be" in line


def test_nesterov_without_momentum():
    with pytest.raises(ConfigError, match=r"optimizer\.nesterov=true: needs optimizer\.momentum above 0"):
        compose(["task=multidigits", "optimizer=sgd", "optimizer.nesterov=true", "optimizer.momentum=0"])


@pytest.mark.parametrize("word", ["sampler.temperature=inf", "optimizer.lr=0", "scheduler=step", "optimizer.eps=0"])
def test_what_has_a_meaning_passes(word):
    compose(["task=multidigits", "sampler=temperature", word])


@pytest.mark.parametrize("group", ["optimizer", "scheduler"])
def test_every_option_of_a_number_has_a_bound(group):
    """So that a new YAML file does not bring one without."""
    bounds = OPTIMIZER if group == "optimizer" else SCHEDULER
    for path in (CONF / group).glob("*.yaml"):
        settings = compose(["task=multidigits", f"{group}={path.stem}"])[group]
        numbers = [
            key for key, value in settings.items() if isinstance(value, int | float) and not isinstance(value, bool)
        ]
        assert not [key for key in numbers if key not in bounds], path


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        (Bound(0), "a number of at least 0"),
        (Bound(0, 1, without_high=True), "a number from 0 to below 1"),
        (Bound(0, without_low=True), "a number above 0"),
        (Bound(1, whole=True), "a whole number of at least 1"),
        (Bound(0, 1, without_high=True, numbers=2), "a list of 2, each a number from 0 to below 1"),
    ],
)
def test_bounds_say_what_they_admit(bound, words):
    assert str(bound) == words


def test_a_class_of_the_users_own_is_asked_itself():
    settings = {"lr": -1.0, "gamma": float("inf")}
    groups = {"optimizer": "mine.Optimizer", "scheduler": "mine.Scheduler", "balancer": "mine.Balancer"}
    check_bounds(OmegaConf.create({group: {"_target_": target, **settings} for group, target in groups.items()}))


def test_before_torch_is_loaded():
    code = "import sys; import mtlrun.config.bounds; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
