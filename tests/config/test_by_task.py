"""Names of tasks in settings, told before torch is loaded, and left to the data where they bring the tasks."""

import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from mtlrun.config.by_task import check_task_names
from mtlrun.errors import ConfigError

INSIDE = {"_target_": "mtlrun.samplers.curriculum.Curriculum", "stages": [{"tasks": ["a"]}, {"tasks": ["c"]}, {}]}


def _settings(**groups):
    own = {"task": {"tasks": {"a": {}, "b": {}}, "inferred": False}, "tasks": None}
    return OmegaConf.create(own | {"optimizer": {}, "balancer": {}, "sampler": {}} | groups)


CASES = [
    ("optimizer.head_lr", {"optimizer": {"head_lr": {"c": 0.1}}}),
    ("balancer.ideal", {"balancer": {"_target_": "mtlrun.balancers.stch.STCH", "ideal": {"a": 1, "c": 0.1}}}),
    ("balancer.options.w", {"balancer": {"_target_": "mtlrun.balancers.torchjd.A", "options": {"w": {"c": 1}}}}),
    ("sampler.stages", {"sampler": {"_target_": "mtlrun.samplers.examples.Examples", "sampler": INSIDE}}),
]


@pytest.mark.parametrize(("option", "groups"), CASES, ids=[option for option, _ in CASES])
def test_names_must_be_those_of_tasks_that_are_trained(option, groups):
    with pytest.raises(ConfigError, match=rf"no task in {option} named 'c' \(there are: a, b\)"):
        check_task_names(_settings(**groups))
    check_task_names(_settings(**groups, tasks=["a", "c"]))
    check_task_names(_settings(**groups, task={"tasks": {}, "inferred": True}))


@pytest.mark.parametrize("leak", [0.5, None, {"a": 0.5}])
def test_a_number_for_all_and_a_method_of_the_users_own_pass(leak):
    check_task_names(_settings(balancer={"_target_": "mtlrun.balancers.graddrop.GradDrop", "leak": leak}))
    check_task_names(_settings(balancer={"_target_": "mine.Mine", "leak": {"c": 1}}))


def test_before_torch_is_loaded():
    code = "import sys; import mtlrun.config.check; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
