"""Runs of one seed are pairs: what is compared differs in nothing but the method."""

import pytest
import torch

from mtlrun.config.build import build
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress

BASIS = ["task=study_scales", "trainer.device=cpu"]


def start(folder, *words):
    """Initial weights, and the rows of the first steps."""
    trainer = build(without_hydra(compose([*BASIS, *words])), RunFolder(folder))
    drawn = [trainer.sampler.next(TrainingProgress(step, 0, step / 100)).rows for step in range(5)]
    return trainer.model.state_dict(), drawn


def same_rows(first, second):
    return all(torch.equal(a[name], b[name]) for a, b in zip(first, second) for name in a)


@pytest.mark.parametrize("balancer", ["pcgrad", "uncertainty", "gradnorm"])
def test_balancers_start_from_the_same_weights_and_see_the_same_rows(tmp_path, balancer):
    (weights, rows), (others, other_rows) = (start(tmp_path, f"balancer={name}") for name in ("equal", balancer))
    assert [*weights] == [*others]
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert same_rows(rows, other_rows)


def test_single_task_training_sees_the_same_rows_and_another_seed_others(tmp_path):
    _, rows = start(tmp_path)
    assert same_rows(rows, start(tmp_path, "sharing=independent")[1])
    assert not same_rows(rows, start(tmp_path, "seed=1")[1])
