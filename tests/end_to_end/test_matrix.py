"""Every task set x sharing scheme x kind of balancer x sampler: two steps, the tests and the files, or a refusal."""

import json
from importlib.util import find_spec
from itertools import product
from pathlib import Path

import pytest
from schemes import ON_ANY_BACKBONE
from small_sets import REAL, SMALL

from mtlrun import run
from mtlrun.data.readers.digit_files import FASHION
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

ROWS = SMALL | REAL

QUICK = ["trainer.max_steps=2", "trainer.device=cpu", "diagnostics.plots=false", "diagnostics.pictures=0"]
SHARINGS = ON_ANY_BACKBONE
SAMPLERS = sorted(path.stem for path in (CONF / "sampler").glob("*.yaml"))
BALANCERS = ("uncertainty", "cagrad", "graddrop")
"""One of each kind: losses, Gram matrix, Jacobian."""


def outcome(task, sharing, balancer, sampler, folder):
    """'trains', or the line with which the run is refused before its first step."""
    choices = [f"task={task}", f"sharing={sharing}", f"balancer={balancer}", f"sampler={sampler}"]
    try:
        result = run([*choices, *QUICK, "trainer.batch_size=8", *ROWS[task]], folder)
    except ConfigError as error:
        assert not (folder / "checkpoints").exists(), "refused after training had begun"
        return str(error)
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    assert result.summary["steps"] == 2
    return "trains"


def refusal(task, sharing, balancer):
    """Part of the line with which this combination must be refused; None if it must train."""
    if sharing in ("cgc", "dselect_k", "mmoe", "ple") and (task == "toy" or task.startswith("study")):
        return "experts need a backbone of two stages or more"
    if sharing == "lora" and task != "text":
        return "linear layer"
    if sharing == "lora" and balancer != "uncertainty":
        return "all of them are frozen: choose balancer=equal, or freeze less"
    if sharing in ("groups", "independent", "soft") and balancer != "uncertainty":
        return "nothing is shared: choose sharing=hard, or balancer=equal"
    return None


def check(task, sharing, balancer, sampler, folder):
    found, expected = outcome(task, sharing, balancer, sampler, folder), refusal(task, sharing, balancer)
    assert found == "trains" if expected is None else expected in found
    assert "\n" not in found


SOME = [
    pytest.param(
        task,
        sharing,
        BALANCERS[row // 3 % 3],
        SAMPLERS[(row + index) % 5],
        marks=() if (row + index) % 12 == 0 else pytest.mark.slow,
    )
    for row, task in enumerate(SMALL)
    for index, sharing in enumerate(SHARINGS)
    if (row + index) % 3 == 0
]
"""Each task set with a third of the schemes, so that each scheme meets each kind of balancer and several samplers; in
the fast run with a twelfth, so that each scheme and each kind is met."""


@pytest.fixture(scope="module", autouse=True)
def drawings(together):
    """Drawn data are kept from one test to the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MTLRUN_DATA", str(together / "drawings"))
        yield


def test_every_task_set_with_an_embedded_default_is_here():
    elsewhere = {"celeba", "cityscapes", "nyuv2", "office31", "office_home", "multimnist", "qm9"}
    elsewhere |= {"arrays", "table", "medmnist", "pictures", "texts"}
    assert {*SMALL} == {path.stem for path in (CONF / "task").glob("*.yaml")} - elsewhere  # data of the user's own


@pytest.mark.parametrize(("task", "sharing", "balancer", "sampler"), SOME)
def test_combinations_train_or_are_refused(task, sharing, balancer, sampler, tmp_path):
    check(task, sharing, balancer, sampler, tmp_path / "run")


@pytest.mark.slow
@pytest.mark.parametrize(("task", "sharing"), [*product(ROWS, SHARINGS)])
def test_all_combinations_train_or_are_refused(task, sharing, tmp_path):
    if task == "multimnist" and not Path(FASHION.fallbacks[0]).is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    if task == "qm9" and find_spec("qm9pack") is None:
        pytest.skip("qm9pack is not installed")
    for balancer, sampler in product(BALANCERS, SAMPLERS):
        check(task, sharing, balancer, sampler, tmp_path / balancer / sampler)
