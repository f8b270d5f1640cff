"""Two gloo processes, and micro-batches, give what one process gives in one go: for every balancer."""

import numpy as np
import pytest
import ranks_worker
import torch
from forked import forked_workers
from omegaconf import DictConfig
from sampling import representatives, sampled

from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.experiment.worker_group import run_together
from mtlrun.gradients.ranks import Ranks
from mtlrun.paths import CONF

NAMES = sorted(path.stem for path in (CONF / "balancer").glob("*.yaml"))
SCATTERED = ["cagrad", "gradnorm", "pcgrad", "sdmgrad"]
VARIANTS = {
    "every": ["balancer=cagrad", "balancer.every=3"],
    "last_stage": ["balancer=mgda", "balancer.gradients=last_stage"],
    "features": ["balancer=mgda", "balancer.gradients=features"],
    "gramian": ["balancer=cagrad", "balancer.memory=gramian"],
    "gramian of the last stage": ["balancer=cagrad", "balancer.memory=gramian", "balancer.gradients=last_stage"],
    "rescale": ["balancer=mgda", "balancer.rescale=norm"],
    "rescaled rows": ["balancer=graddrop", "balancer.rescale=norm"],
    "branches": ["balancer=cagrad", "sharing.split=layer1"],
    "half precision": ["balancer=cagrad", "trainer.precision=bf16"],
    "clipping": ["balancer=equal", "trainer.clip_norm=0.5"],
    "shared clipping": ["balancer=nash_mtl", "trainer.clip_norm=0.5", "trainer.clip=shared"],
    "weighted heads": ["balancer=mgda", "balancer.heads=weighted"],
    "weighted heads, held weights": ["balancer=cagrad", "balancer.heads=weighted", "balancer.every=3"],
    "weighted heads, gramian": ["balancer=cagrad", "balancer.heads=weighted", "balancer.memory=gramian"],
    "weighted heads, features": ["balancer=mgda", "balancer.heads=weighted", "balancer.gradients=features"],
    "weighted heads, several batches": ["balancer=modo", "balancer.heads=weighted"],
    "weighted heads, rows": ["balancer=db_mtl", "balancer.heads=weighted", "balancer.beta=0", "balancer.rescale=sum"],
    "weighted heads in place of own weights": ["balancer=imtl", "balancer.heads=weighted"],
    "nothing shared": ["balancer=stch", "sharing=independent"],
    "nothing shared that learns": ["balancer=dwa", "freeze=backbone"],
}
ALL = [*NAMES, *(f"scattered {name}" for name in SCATTERED), *VARIANTS]
SLOW = {"gramian of the last stage", "rescaled rows"} | {
    f"weighted heads, {what}" for what in ("held weights", "gramian", "features", "several batches")
}
"""Variants of two settings, each of which others have too."""
FAST = {*representatives(NAMES), "scattered cagrad", "scattered pcgrad", *VARIANTS} - SLOW

TOLERANCE = {
    "half precision": 2e-2,  # gradients of parts of a batch are rounded to 2 digits before they are added up
    "db_mtl": 1e-4,  # divides by losses and by lengths of averages, which enlarges what another order of sums rounds
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """name -> (overrides, whether rows are scattered). One task is labelled on one row in six."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(200, 6)).astype(np.float32)
    shape = (inputs[:, 0] > 0).astype(np.int64)
    length = (inputs[:, 1] - inputs[:, 0]).astype(np.float32)
    length[np.arange(200) % 6 != 0] = np.nan
    marks = (inputs[:, 2:4] > 0.2).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "table.npz"
    np.savez(path, inputs=inputs, shape=shape, length=length, marks=marks)
    basics = ["task=arrays", f"data.path={path}", "optimizer=sgd", "optimizer.lr=0.01", "trainer.batch_size=9"]
    basics += ["trainer.device=cpu", "diagnostics.every=5"]
    found = {name: ([*basics, f"balancer={name}"], False) for name in NAMES}
    found |= {f"scattered {name}": ([*basics, f"balancer={name}"], True) for name in SCATTERED}
    return found | {name: ([*basics, *options], False) for name, options in VARIANTS.items()}


@pytest.fixture(scope="module")
def alone(cases):
    """Results of one process."""
    known = {}

    def result(name, accumulate=1):
        if (name, accumulate) not in known:
            config = composed(cases[name][0])
            config.trainer.accumulate = accumulate
            known[(name, accumulate)] = ranks_worker.train(config, Ranks())
        return known[(name, accumulate)]

    return result


@pytest.fixture(scope="module")
def in_two(request, cases, once):
    """Results of each of two processes, in the cases that are tested."""
    wanted = {item.callspec.params["name"] for item in request.session.items if "in_two" in item.fixturenames}
    chosen = [name for name in cases if name in wanted]
    with forked_workers():
        return once(
            "ranks", lambda: run_together(2, ranks_worker.train_all, {name: prepared(*cases[name]) for name in chosen})
        )


def prepared(overrides, scatters):
    return composed(overrides), scatters


def composed(overrides) -> DictConfig:
    return without_hydra(compose(overrides))


@pytest.mark.parametrize("name", sampled(ALL, FAST))
def test_two_processes_equal_one(name, alone, in_two):
    first, second = in_two[0][name], in_two[1][name]
    assert torch.equal(first["parameters"], second["parameters"])  # or the processes drift apart
    loose = TOLERANCE.get(name, 1e-5)
    expected = alone(name.removeprefix("scattered "))
    torch.testing.assert_close(first["losses"], expected["losses"], rtol=loose, atol=loose)
    torch.testing.assert_close(first["parameters"], expected["parameters"], rtol=loose, atol=loose)


@pytest.mark.parametrize(
    "name",
    sampled(
        [*NAMES, *VARIANTS], [name for name in FAST if not name.startswith(("weighted heads,", "weighted heads in"))]
    ),
)
def test_three_micro_batches_equal_one(name, alone):
    loose = TOLERANCE.get(name, 1e-5)
    found, expected = alone(name, accumulate=3), alone(name)
    torch.testing.assert_close(found["losses"], expected["losses"], rtol=loose, atol=loose)
    torch.testing.assert_close(found["parameters"], expected["parameters"], rtol=loose, atol=loose)


class Twins(Ranks):
    """Two processes that hold the same."""

    def __init__(self):
        super().__init__(0, 2)

    def sum(self, values):
        return values.mul_(2)


def test_a_parameter_without_a_gradient_anywhere_stays_without():
    """A gradient of zero would let momentum and weight decay move it."""
    moved, still = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    moved.grad = torch.tensor([1.0, 3.0])
    Twins().sum_gradients([moved, still])
    assert moved.grad.tolist() == [2.0, 6.0]
    assert still.grad is None


def test_a_parameter_that_some_process_reaches_is_reached():
    moved, still = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    assert Twins().any_each([True, False], [moved, still]) == [True, False]
