"""What YAML lets pass as stages of a curriculum."""

import pytest

from mtlrun.errors import ConfigError
from mtlrun.samplers.curriculum import Curriculum, Stage


@pytest.mark.parametrize(
    ("stages", "shown"), [(7, "7"), ("abc", "abc"), ([7], "[7]"), ([Stage(from_epoch=0), {"from_epoch": 1}], "[{")]
)
def test_what_is_no_stage(stages, shown):
    with pytest.raises(ConfigError) as refused:
        Curriculum(stages)
    assert str(refused.value).startswith(f"sampler.stages={shown}")
    assert "must be a list of {_target_: mtlrun.samplers.curriculum.Stage" in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"from_epoch": -1}, "from_epoch in sampler.stages must be a whole number of at least 0, found -1"),
        ({"from_epoch": 1.5}, "from_epoch in sampler.stages must be a whole number of at least 0, found 1.5"),
        ({"from_epoch": "x"}, "from_epoch in sampler.stages must be a whole number of at least 0, found 'x'"),
        ({"from_fraction": -0.5}, "from_fraction in sampler.stages must be a number from 0 to 1, found -0.5"),
        ({"from_fraction": 50}, "from_fraction in sampler.stages must be a number from 0 to 1, found 50"),
        ({"from_fraction": float("nan")}, "from_fraction in sampler.stages must be a number from 0 to 1, found nan"),
        ({"from_epoch": 0, "tasks": "ab"}, "tasks in sampler.stages should be a list, found 'ab': write "),
        ({"from_epoch": 0, "tasks": ["a", "a"]}, "tasks in sampler.stages has 'a' twice: name it once"),
        ({"from_epoch": 0, "sampler": "uniform"}, "sampler in sampler.stages should be a sampler, found 'uniform': "),
    ],
)
def test_settings_of_a_stage(settings, line):
    with pytest.raises(ConfigError) as refused:
        Stage(**settings)
    assert str(refused.value).startswith(line)


def test_stages_are_kept():
    stages = [Stage(from_epoch=0), Stage(["left"], from_fraction=0.5)]
    assert Curriculum(stages).stages == stages
