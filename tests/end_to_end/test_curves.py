"""Twenty steps of six commands give the recorded losses: a change of numbers is always seen.

To record them anew, after a change that the changelog announces: python tests/end_to_end/test_curves.py FOLDER
"""

import csv
import sys
from pathlib import Path

import pytest
import torch

from mtlrun import run

CURVES = Path(__file__).parent / "curves"
TOLERANCE = 1e-6 if torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512") else 1e-3
"""Relative. Plain SGD on a small smooth network: processors that only sum in another order stay at 2e-7. Where torch
has another exponential (1e-6 off in a log-softmax), twenty steps make 5e-5 of it: only larger changes are seen."""

BASICS = [
    "task=multidigits",
    "backbone=mlp",
    "backbone.activation=tanh",
    "++task.tasks.left.hidden=[]",
    "++task.tasks.right.hidden=[]",
    "optimizer=sgd",
    "optimizer.momentum=0",
    "optimizer.lr=0.1",
    "trainer.max_steps=20",
    "trainer.device=cpu",
    "data.num_train=640",
    "data.num_val=64",
    "data.num_test=64",
    "diagnostics.plots=false",
    "diagnostics.pictures=0",
]
COMMANDS = {
    "losses": ["balancer=uncertainty"],
    "gram": ["balancer=pcgrad"],
    "jacobian": ["balancer=db_mtl"],
    "experts": ["sharing=mmoe", "balancer=cagrad", "balancer.every=3"],
    "modulated": ["sharing=film", "balancer=dwa", "scheduler=cosine"],
    "accumulated": ["balancer=nash_mtl", "trainer.accumulate=2", "sampler=temperature", "trainer.clip_norm=1"],
}
"""One for each kind of balancer, two sharing schemes, and one with micro-batches, another sampler and clipping."""


def curve(name, folder):
    """[(step, task, loss)] of a command, as tasks.csv has them."""
    result = run([*BASICS, *COMMANDS[name]], folder / name)
    with (result.folder / "tasks.csv").open() as file:
        return [(row["step"], row["task"], float(row["loss"])) for row in csv.DictReader(file)]


@pytest.mark.parametrize("name", COMMANDS)
def test_losses_are_the_recorded_ones(name, tmp_path):
    with (CURVES / f"{name}.csv").open() as file:
        recorded = [(step, task, float(loss)) for step, task, loss in csv.reader(file)]
    found = curve(name, tmp_path)
    assert [row[:2] for row in found] == [row[:2] for row in recorded]
    assert [row[2] for row in found] == pytest.approx([row[2] for row in recorded], rel=TOLERANCE)


def test_every_recorded_curve_belongs_to_a_command():
    assert {path.stem for path in CURVES.glob("*.csv")} == set(COMMANDS)


def _record(folder):
    for name in COMMANDS:
        with (CURVES / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(curve(name, folder))


if __name__ == "__main__":
    _record(Path(sys.argv[1]))
