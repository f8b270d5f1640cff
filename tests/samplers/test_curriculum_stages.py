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


def test_stages_are_kept():
    stages = [Stage(from_epoch=0), Stage(["left"], from_fraction=0.5)]
    assert Curriculum(stages).stages == stages
