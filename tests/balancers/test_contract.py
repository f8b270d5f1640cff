"""What holds for every balancer: each conf/balancer/*.yaml is collected and keeps every promise."""

import pytest
from omegaconf import OmegaConf

from mtlrun.balancers import load
from mtlrun.contracts.balancer import PROMISES, BalancerSubject, resumes_exactly, scale_degree
from mtlrun.contracts.promise import Skipped
from mtlrun.paths import CONF

NAMES = sorted(path.stem for path in (CONF / "balancer").glob("*.yaml"))
DEGREE = {"nash_mtl": 0, "fairgrad": 0}
"""A(s J) = s^d A(J): d where it is not 1; FairGrad has (1 - alpha) / (1 + alpha), with alpha = 1."""
ABSOLUTE = {"moco", "modo"}
"""Methods whose step size on the weights is an absolute number, so the gradients' scale matters."""
DRAWS_BY_ROW = {"pcgrad", "gradvac"}
"""Methods that draw a random order for each row, which another order of the rows changes."""
SKIPPED = {
    "scale_keeps_the_direction": ABSOLUTE,
    "state_follows_names": DRAWS_BY_ROW,
    "weights_are_a_look": {name for name in NAMES if load(name).reads != "losses"},
    "not_finite_is_named": {name for name in NAMES if load(name).reads == "losses"},
    "half_precision_is_solved_in_double": {name for name in NAMES if load(name).reads != "gram"},
    "says_whether_it_weighs": {name for name in NAMES if load(name).reads != "jacobian"},
    "falls_back": {name for name in NAMES if load(name).reads != "gram"},
}
"""Promise -> the methods that have nothing to show for it: any other one that skips it has got away."""


def subject(name):
    return BalancerSubject(lambda: load(name), ("a", "b", "c"))


def test_every_file_is_tested():
    assert len(NAMES) == len(list((CONF / "balancer").iterdir())) >= 6


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("promise", PROMISES, ids=str)
def test_promise(promise, name):
    try:
        promise.check(subject(name))
    except Skipped:
        assert name in SKIPPED.get(str(promise), ())


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ABSOLUTE])
def test_scaling_every_gradient_scales_the_update(name):
    assert scale_degree(subject(name)) == DEGREE.get(name, 1)


@pytest.mark.parametrize(
    "name", [name for name in NAMES if "seed" in OmegaConf.load(CONF / "balancer" / f"{name}.yaml")]
)
def test_the_state_has_the_random_draws(name):
    """What is loaded goes on with the draws of the one that was saved, whatever its own seed."""
    seeds = iter([0, 0, 9])
    resumes_exactly.check(BalancerSubject(lambda: load(name, seed=next(seeds, 0)), ("a", "b", "c")))


def test_unknown_names_and_options_are_refused():
    with pytest.raises(ValueError, match="did you mean 'pcgrad'"):
        load("pcgrd")
    with pytest.raises(ValueError, match="did you mean 'temperature'"):
        load("dwa", temprature=1)
