"""Batch norm over two processes is batch norm over the whole batch."""

import numpy as np
import pytest
import together
import torch
from forked import forked_workers
from torch import nn

from mtlrun.backbones.norms import BatchNorm1d
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.experiment.worker_group import run_together
from mtlrun.gradients.ranks import Ranks
from mtlrun.training.sync_batchnorm import GlobalBatchNorm, batch_statistics, synchronise

STEPS = 10


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def layers():
    """name -> (layer, two batches, dtype). Of one row the second process has none."""
    scaled = nn.BatchNorm1d(3)
    with torch.no_grad():
        scaled.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
        scaled.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
    vectors, maps = [draw(7, 3), 5 + 3 * draw(5, 3, seed=1)], [draw(5, 3, 4, 4), draw(1, 3, 4, 4, seed=1)]
    return {
        "vectors": (scaled, vectors, torch.float64),
        "maps": (nn.BatchNorm2d(3), maps, torch.float32),
        "volumes": (nn.BatchNorm3d(2), [draw(3, 2, 2, 3, 4)], torch.float32),
        "no parameters": (nn.BatchNorm1d(3, affine=False), vectors, torch.float32),
        "running mean of all": (nn.BatchNorm1d(3, momentum=None), vectors, torch.float32),
        "no running statistics": (nn.BatchNorm1d(3, track_running_stats=False), vectors, torch.float32),
        "one row": (BatchNorm1d(3), [draw(6, 3), draw(1, 3)], torch.float32),
        "far from zero": (nn.BatchNorm1d(3), [1e4 + draw(64, 3)], torch.float32),
    }


LAYERS = {name: (layer.to(dtype), batches, dtype) for name, (layer, batches, dtype) in layers().items()}


@pytest.fixture(scope="module")
def trainings(tmp_path_factory):
    """Batch norm in the trunk and in branches; a step has one map or two for `length`: often a process has none."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(200, 6)).astype(np.float32)
    length = (3 * inputs[:, 1] - inputs[:, 0]).astype(np.float32)
    shape = (inputs[:, 0] > 0).astype(np.int64)
    folder = tmp_path_factory.mktemp("data")
    half, few = (np.where(np.arange(200) % every == 0, length, np.nan) for every in (2, 6))
    images = generator.normal(size=(200, 3, 8, 8)).astype(np.float32)
    np.savez(folder / "table.npz", inputs=inputs, shape=shape, length=half)
    np.savez(folder / "maps.npz", inputs=images, shape=shape, length=few)
    basics = ["task=arrays", "optimizer=sgd", "optimizer.lr=0.02", "trainer.batch_size=8", "trainer.device=cpu"]
    basics += ["trainer.sync_batchnorm=true"]
    table = [*basics, f"data.path={folder}/table.npz", "backbone=mlp", "backbone.norm=batch", "backbone.hidden=[16,8]"]
    maps = [*basics, f"data.path={folder}/maps.npz", "backbone=cnn", "backbone.channels=[8,8]"]
    words = {
        "one pass": [*table, "balancer=equal"],
        "a pass per task": [*table, "balancer=pcgrad"],
        "branches": [*table, "balancer=pcgrad", "sharing.split=layer1"],
        "held weights": [*table, "balancer=pcgrad", "balancer.every=3"],
        "maps": [*maps, "balancer=equal", "sharing.split=block1"],
        "micro-batches": [*maps, "balancer=pcgrad", "sharing.split=block1", "trainer.accumulate=2"],
    }
    return {name: without_hydra(compose(overrides)) for name, overrides in words.items()}


@pytest.fixture(scope="module")
def found(trainings, once):
    work = together.do, together.batch_norm_and_steps, LAYERS, trainings, STEPS
    with forked_workers():
        return once("batch norm", lambda: run_together(2, *work))


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_over_two_processes_equals_one_over_all_rows(name, found):
    outputs, gradients, state = together.batch_norm(Ranks(), {name: LAYERS[name]})[name]
    parts = [process[0][name] for process in found]
    loose = {"rtol": 1e-4, "atol": 5e-3} if name == "far from zero" else {"rtol": 1e-5, "atol": 1e-5}
    for number, (output, gradient) in enumerate(outputs):
        order = together.undeal(len(output))
        torch.testing.assert_close(torch.cat([part[0][number][0] for part in parts])[order], output, **loose)
        torch.testing.assert_close(torch.cat([part[0][number][1] for part in parts])[order], gradient, **loose)
    for part in parts:
        assert part[2].keys() == {f"0.{key.removeprefix('0.')}" for key in state}
        for key, values in state.items():
            torch.testing.assert_close(part[2][key], values, **loose)
        for ours, theirs in zip(part[1], gradients, strict=True):
            torch.testing.assert_close(ours, theirs, **loose)


NAMES = ["one pass", "a pass per task", "branches", "held weights", "maps", "micro-batches"]


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_as_one(name, found, trainings):
    assert [*trainings] == NAMES
    ((state, losses, _),) = together.steps(Ranks(), {name: trainings[name]}, STEPS).values()
    for process in found:
        torch.testing.assert_close(process[1][name][1], losses, rtol=1e-5, atol=1e-5)
        for key, values in state.items():
            torch.testing.assert_close(process[1][name][0][key], values, rtol=1e-5, atol=1e-5)
    assert any(process[1][name][2] for process in found) is (name in ("maps", "micro-batches"))  # parts without a row


def test_the_statistics_keep_their_digits_far_from_zero():
    values = 1e4 + draw(1000, 2)
    count, mean, variance = batch_statistics(values, Ranks())
    assert count == 1000
    torch.testing.assert_close(mean.double(), values.double().mean(0), rtol=1e-6, atol=0)
    torch.testing.assert_close(variance.double(), values.double().var(0, correction=0), rtol=1e-4, atol=0)


def test_one_process_keeps_its_layers_and_several_keep_keys_and_parameters():
    model = nn.Sequential(nn.Linear(3, 3), nn.Sequential(nn.BatchNorm1d(3)))
    before, parameters = model.state_dict(), [*model.parameters()]
    synchronise(model, Ranks())
    assert type(model[1][0]) is nn.BatchNorm1d
    synchronise(model.eval(), Ranks(0, 2))
    assert type(model[1][0]) is GlobalBatchNorm
    assert model.state_dict().keys() == before.keys()
    assert all(ours is theirs for ours, theirs in zip(model.parameters(), parameters, strict=True))
    values = draw(5, 3)
    torch.testing.assert_close(model[1](values), nn.BatchNorm1d(3).eval()(values))  # asks no other process


def test_half_precision_goes_in_and_out():
    layer = GlobalBatchNorm(nn.BatchNorm2d(3), Ranks())
    values = draw(4, 3, 2, 2).bfloat16().requires_grad_()
    output = layer(values)
    output.float().square().sum().backward()
    assert output.dtype == values.grad.dtype == torch.bfloat16
    expected = nn.BatchNorm2d(3)(values.detach().float())
    torch.testing.assert_close(output.float(), expected, rtol=2e-2, atol=2e-2)
