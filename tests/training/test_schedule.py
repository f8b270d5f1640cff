"""A schedule that is resumed with other options is the one that they describe, from its place on."""

import math

import pytest
import torch
from torch.optim import lr_scheduler

from mtlrun.cli import main as command
from mtlrun.errors import ResumeError
from mtlrun.runs.jsonfile import read_json
from mtlrun.training.schedule import Schedule

LENGTHS = {
    "cosine": lambda length: (lr_scheduler.CosineAnnealingLR, {"T_max": length}),
    "one_cycle": lambda length: (lr_scheduler.OneCycleLR, {"max_lr": 0.5, "total_steps": length}),
    "linear": lambda length: (lr_scheduler.LinearLR, {"start_factor": 0.1, "total_iters": length}),
    "polynomial": lambda length: (lr_scheduler.PolynomialLR, {"total_iters": length, "power": 2.0}),
    "plateau": lambda length: (lr_scheduler.ReduceLROnPlateau, {"mode": "max"}),
}
OPEN_LOOP = ["cosine", "one_cycle", "linear", "polynomial"]


def made(name, length=0, lr=0.1, momentum=0.9, **more):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=momentum)
    kind, options = LENGTHS[name](length)
    options = {**options, **more}
    return optimizer, Schedule(kind(optimizer, **options), "epoch" if name == "plateau" else "step", options)


def walk(optimizer, schedule, steps):
    rates = []
    for _ in range(steps):
        optimizer.step()
        schedule.after_step()
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def resumed(before, after):
    """The second pair in the state of the first, through optimizer and schedule as a checkpoint is loaded."""
    after[0].load_state_dict(before[0].state_dict())
    after[1].load_state_dict(before[1].state_dict())
    return after


@pytest.mark.parametrize("name", OPEN_LOOP)
@pytest.mark.parametrize("step", [1, 7, 10])
def test_a_longer_run_goes_on_as_if_it_had_been_that_long(name, step):
    short, expected = made(name, 10), walk(*made(name, 20), 20)
    walk(*short, step)
    found = walk(*resumed(short, made(name, 20)), 20 - step)
    assert found == pytest.approx(expected[step:], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", OPEN_LOOP)
def test_the_same_options_go_on_to_the_bit(name):
    """A rate follows from the one before, by the same operations on the same numbers."""
    half, expected = made(name, 20), walk(*made(name, 20), 20)
    walk(*half, 9)
    assert walk(*resumed(half, made(name, 20)), 11) == expected[9:]


def test_other_rates_and_momenta_are_taken():
    before = made("cosine", 10)
    walk(*before, 5)
    optimizer, schedule = resumed(before, made("cosine", 10, lr=0.2, momentum=0.5))
    assert optimizer.param_groups[0]["momentum"] == 0.5
    assert walk(optimizer, schedule, 1) == pytest.approx([0.2 * (1 + math.cos(0.6 * math.pi)) / 2])


def test_a_schedule_that_ends_before_its_place_is_refused():
    before = made("one_cycle", 10)
    walk(*before, 10)
    with pytest.raises(ResumeError, match="10 steps have passed"):
        resumed(before, made("one_cycle", 5))


def test_plateau_keeps_what_it_has_seen():
    before = made("plateau", patience=1, factor=0.5)
    for score in (1.0, 0.5, 0.5):
        before[1].after_epoch(score)
    assert before[0].param_groups[0]["lr"] == 0.05
    optimizer, schedule = resumed(before, made("plateau", lr=0.2, patience=0, factor=0.1))
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1)
    schedule.after_epoch(0.9)  # no more than the best so far
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)


def test_plateau_compares_over_the_same_tasks():
    """Two tasks, then one with a higher score, then two again that are better than the first."""
    optimizer, schedule = made("plateau", patience=1, factor=0.5)
    for score, defined in [(1.0, 2), (9.0, 1), (1.5, 2), (1.6, 2)]:
        schedule.after_epoch(score, defined)
    assert optimizer.param_groups[0]["lr"] == 0.1
    for score, defined in [(math.nan, 0), (math.nan, 0)]:
        schedule.after_epoch(score, defined)
    assert optimizer.param_groups[0]["lr"] == 0.05


@pytest.mark.parametrize("scheduler", ["cosine", "one_cycle"])
def test_resume_for_more_epochs(train, scheduler):
    """The rate comes to rest at the end of the longer run."""
    folder = train(f"scheduler={scheduler}", "trainer.epochs=2").folder
    assert command.main(["resume", str(folder), "trainer.epochs=4"]) == 0
    assert read_json(folder / "summary.json")["last_epoch"] == 3
    state = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    assert state["optimizer"]["param_groups"][0]["lr"] < 2e-5
    assert state["schedule"]["passed"] == {"step": 28, "epoch": 4}


def test_resume_with_another_rate(train):
    folder = train("trainer.epochs=1").folder
    assert command.main(["resume", str(folder), "trainer.epochs=2", "optimizer.lr=0.01"]) == 0
    state = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)
    assert state["optimizer"]["param_groups"][0]["lr"] == 0.01


@pytest.mark.parametrize("best", [0.5, -0.5])
def test_plateau_falls_whatever_the_sign_of_the_score(best):
    """Metrics that should be low come with a minus; standing still is no rise."""
    optimizer, schedule = made("plateau", patience=1, factor=0.5)
    for _ in range(3):
        schedule.after_epoch(best)
    assert optimizer.param_groups[0]["lr"] == 0.05
    schedule.after_epoch(best + 0.1)
    schedule.after_epoch(best + 0.1)
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_an_epoch_that_max_steps_cuts_ends_once(train):
    """DWA and a schedule by epochs see the same epochs, whether the run was cut or not."""
    settings = ("balancer=dwa", "scheduler=step", "scheduler.step_size=1", "scheduler.interval=epoch")
    whole = train(*settings, "trainer.max_steps=12", folder="whole").folder
    cut = train(*settings, "trainer.max_steps=4", folder="cut").folder
    assert command.main(["resume", str(cut), "trainer.max_steps=12"]) == 0
    rows = [(folder / "tasks.csv").read_text() for folder in (whole, cut)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("best", [5.0, -5.0])
def test_plateau_asks_for_a_rise_by_an_amount(best):
    optimizer, schedule = made("plateau", patience=0, factor=0.5, threshold=0.5, threshold_mode="abs")
    for score, rate in ((best, 0.1), (best + 0.6, 0.1), (best + 0.9, 0.05), (best + 0.3, 0.025)):
        schedule.after_epoch(score)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)
