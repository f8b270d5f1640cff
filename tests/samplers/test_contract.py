"""What every sampler in conf/sampler promises."""

import pytest
from hydra.utils import instantiate
from omegaconf import OmegaConf

from mtlrun.contracts.promise import Promise
from mtlrun.contracts.sampler import PROMISES, SamplerSubject
from mtlrun.paths import CONF
from mtlrun.samplers.curriculum import Curriculum, Stage

SETS = {"one task": {"lane": 40}, "even": {"lane": 30, "sign": 30}, "far apart": {"lane": 1000, "sign": 40, "rare": 7}}


def of_file(name: str) -> SamplerSubject:
    settings = OmegaConf.load(CONF / "sampler" / f"{name}.yaml")
    return SamplerSubject(lambda: instantiate(settings), {})


def stepped() -> Curriculum:
    """One task alone, then the others, then all."""
    stages = [Stage(["lane"], from_epoch=0), Stage(["sign", "rare"], from_epoch=3), Stage(None, from_fraction=0.5)]
    return Curriculum(stages)


@pytest.mark.parametrize("promise", PROMISES, ids=str)
@pytest.mark.parametrize("sizes", SETS)
@pytest.mark.parametrize("name", sorted(path.stem for path in (CONF / "sampler").glob("*.yaml")))
def test_promise(promise: Promise[SamplerSubject], sizes: str, name: str) -> None:
    promise.check(SamplerSubject(of_file(name).make, SETS[sizes]))


@pytest.mark.parametrize("promise", PROMISES, ids=str)
def test_promise_of_stages(promise: Promise[SamplerSubject]) -> None:
    promise.check(SamplerSubject(stepped, SETS["far apart"]))
