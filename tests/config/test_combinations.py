"""Settings of the engine and of clipping that a method or a network cannot use are refused in one line."""

import pytest
from sampling import sampled

from mtlrun.config.build import build, build_balancer
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF
from mtlrun.runs.folder import RunFolder

WEIGHTED = "balancer.heads=weighted"
REFUSED = [
    (["balancer=graddrop", WEIGHTED], "GradDrop gives no weights with these options, choose own"),
    (["balancer=db_mtl", WEIGHTED], "DBMTL gives no weights with these options, choose own"),
    (["balancer=moco", WEIGHTED], "MoCo gives no weights with these options, choose own"),
    (["balancer=torchjd", "balancer.method=ConFIG", WEIGHTED], "TorchJDJacobian gives no weights"),
    (["balancer=torchjd", "balancer.method=UW", WEIGHTED], "TorchJDLoss weighs the heads in any case, leave it out"),
    (["balancer=equal", WEIGHTED], "no setting 'heads' in balancer"),
    (["balancer=mgda", "balancer.heads=weigted"], "did you mean 'weighted'"),
]
ACCEPTED = [
    ["balancer=db_mtl", "balancer.beta=0"],
    ["balancer=moco", "balancer.update=raw"],
    ["balancer=torchjd", "balancer.method=Random"],
    ["balancer=cagrad"],
    ["balancer=imtl"],
]


def settings(words):
    return build_balancer(without_hydra(compose(["task=study_scales", *words])))[1]


@pytest.mark.parametrize(("words", "line"), REFUSED)
def test_heads_cannot_be_weighted_without_weights(words, line):
    with pytest.raises(ConfigError, match=line) as error:
        settings(words)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("words", ACCEPTED)
def test_heads_can_be_weighted_where_there_are_weights(words):
    assert settings([*words, WEIGHTED]).heads == "weighted"


@pytest.mark.parametrize(
    "name",
    sampled(
        sorted(path.stem for path in (CONF / "balancer").glob("*.yaml")),
        ["cagrad", "equal", "excess_mtl", "gradnorm", "nash_mtl"],
    ),
)
def test_methods_that_are_a_weighted_loss_weigh_the_heads(name):
    wanted = "weighted" if name in ("gradnorm", "excess_mtl") else "own"
    assert settings([f"balancer={name}"]).heads == wanted


def test_shared_clipping_needs_something_shared(tmp_path):
    words = ["task=study_scales", "sharing=independent", "trainer.clip_norm=1", "trainer.clip=shared"]
    with pytest.raises(ConfigError, match=r"^trainer\.clip=shared: no parameter that learns is shared, choose all$"):
        build(without_hydra(compose(words)), RunFolder(tmp_path))
