"""Training options do what they say, seen from a whole run."""

import csv
import json
from itertools import product

import numpy as np
import pytest
import torch
from sampling import sampled

from mtlrun.errors import ConfigError, DataError, NonFiniteError


def rows(result, name):
    with (result.folder / name).open() as file:
        return list(csv.DictReader(file))


def weights(result, name="last"):
    return torch.load(result.folder / "checkpoints" / f"{name}.pt", weights_only=True)["model"]


def assert_close(one, other, **tolerance):
    for name, values in weights(one).items():
        torch.testing.assert_close(values, weights(other)[name], **tolerance)


@pytest.mark.parametrize("balancer", sampled(["equal", "uncertainty", "pcgrad", "gradnorm"], ["pcgrad"]))
def test_micro_batches_equal_the_whole_batch(train, undisturbed, balancer):
    whole = undisturbed(f"balancer={balancer}", "optimizer=sgd")
    parts = train(f"balancer={balancer}", "optimizer=sgd", "trainer.accumulate=5", folder="parts")
    assert_close(whole, parts, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("precision", "balancer"),
    sampled([*product(["bf16", "fp16"], ["uncertainty", "pcgrad"])], [("bf16", "pcgrad"), ("fp16", "uncertainty")]),
)
def test_mixed_precision_trains_on_the_cpu(train, precision, balancer):
    result = train(f"trainer.precision={precision}", f"balancer={balancer}")
    exact = train(f"balancer={balancer}", folder="exact")
    ours, theirs = (r.summary["tasks"]["shape"]["last"]["val"]["loss"] for r in (result, exact))
    assert ours == pytest.approx(theirs, rel=0.05)


def test_it_learns(train):
    result = train("trainer.epochs=30", "trainer.eval_every=10", "optimizer.lr=0.01")
    tasks = result.summary["tasks"]
    assert tasks["shape"]["best"]["test"]["accuracy"] > 0.8
    assert tasks["length"]["best"]["test"]["r2"] > 0.8
    assert tasks["length"]["higher_is_better"] is False
    assert tasks["length"]["directions"]["r2"] is True
    assert sum(tasks["shape"]["rows"].values()) > sum(tasks["length"]["rows"].values()) > 20
    assert 0.4 < tasks["shape"]["trivial"]["accuracy"] < 0.7


def test_only_the_heads_rate_changes(train):
    frozen = train("optimizer=sgd", "optimizer.head_lr={shape: 0}", "trainer.max_steps=3", folder="frozen")
    start = train("optimizer=sgd", "optimizer.lr=0", "trainer.max_steps=3", folder="start")
    moved = {name for name, values in weights(frozen).items() if not torch.equal(values, weights(start)[name])}
    assert moved
    assert not any("task_shape" in name for name in moved)


ONE_STEP = ("optimizer=sgd", "optimizer.momentum=0", "optimizer.lr=1", "trainer.max_steps=1")


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_clipping_bounds_the_update(train, undisturbed, precision):
    """Of gradients without the scale that fp16 gives them."""
    still = undisturbed(*ONE_STEP, "optimizer.lr=0")
    clipped = train(*ONE_STEP, "trainer.clip_norm=0.01", f"trainer.precision={precision}")
    steps = [(values - weights(still)[name]).flatten() for name, values in weights(clipped).items()]
    assert torch.cat(steps).norm() == pytest.approx(0.01, rel=1e-3)


def test_shared_clipping_leaves_the_heads_alone(train, undisturbed):
    still = weights(undisturbed(*ONE_STEP, "optimizer.lr=0"))
    free = weights(train(*ONE_STEP, folder="free"))
    clipped = weights(train(*ONE_STEP, "trainer.clip_norm=0.01", "trainer.clip=shared", folder="clipped"))
    heads = [name for name in still if name.startswith("heads.")]
    assert heads
    assert all(torch.equal(clipped[name], free[name]) for name in heads)
    steps = [(values - still[name]).flatten() for name, values in clipped.items() if name not in heads]
    assert torch.cat(steps).norm() == pytest.approx(0.01, rel=1e-3)


def test_patience_stops_early(train):
    result = train("optimizer.lr=0", "trainer.epochs=20", "trainer.patience=2")
    assert result.summary["best_epoch"] == 0
    assert result.summary["last_epoch"] == 2


def test_monitor_chooses_the_epoch(train):
    result = train("trainer.monitor=length/mae", "trainer.epochs=6")
    values = {
        int(row["epoch"]): float(row["value"])
        for row in rows(result, "metrics.csv")
        if (row["split"], row["task"], row["metric"]) == ("val", "length", "mae")
    }
    assert result.summary["best_epoch"] == min(values, key=values.get)


def test_best_is_chosen_on_validation_and_tested_with_its_own_weights(train):
    result = train("trainer.epochs=8", "optimizer.lr=0.05")
    best = result.summary["best_epoch"]
    scores = [float(row["value"]) for row in rows(result, "metrics.csv") if row["metric"] == "score"]
    assert scores.index(max(scores)) == best
    assert torch.load(result.folder / "checkpoints" / "best.pt", weights_only=True)["epoch"] == best


def test_evaluation_each_n_epochs_and_always_at_the_end(train):
    result = train("trainer.epochs=5", "trainer.eval_every=2")
    epochs = {int(row["epoch"]) for row in rows(result, "metrics.csv") if row["split"] == "val"}
    assert epochs == {1, 3, 4}


def test_the_test_rows_are_scored_after_each_of_the_last_epochs(train):
    """5 epochs of 7 steps, the fifth cut short after 2."""
    settings = ("trainer.epochs=9", "trainer.max_steps=30", "optimizer.lr=0.03")
    plain, result = train(*settings, folder="plain"), train(*settings, "trainer.test_last=3")
    tests = [row for row in rows(result, "metrics.csv") if row["split"] == "test"]
    chosen = [row for row in tests if (row["task"], row["metric"]) == ("length", "mae")]
    late = {int(row["step"]): float(row["value"]) for row in chosen if row["epoch"] in "234"}
    assert sorted(late) == [21, 28, 30]
    mean = result.summary["tasks"]["length"]["mean_of_last"]
    assert mean["epochs"] == 3
    assert mean["test"]["mae"] == pytest.approx(sum(late.values()) / 3, rel=1e-6)
    assert len({row["step"] for row in tests}) == len({21, 28, 30, 7 * (result.summary["best_epoch"] + 1)} - {35})
    assert "mean_of_last" not in plain.summary["tasks"]["length"]
    for moment in ("best", "last"):
        assert result.summary["tasks"]["length"][moment] == plain.summary["tasks"]["length"][moment]


def test_tables_hold_every_step_and_the_real_rows(train):
    result = train("sampler=uniform", "diagnostics.every=4")
    steps = rows(result, "tasks.csv")
    assert [int(row["step"]) for row in steps if row["task"] == "shape"] == list(range(21))
    assert sum(int(row["rows"]) for row in steps if row["task"] == "shape") == 21 * 32
    measured = sorted({int(row["step"]) for row in rows(result, "cosines.csv")})
    assert measured == [0, 4, 8, 12, 16, 20]
    assert [int(row["step"]) for row in steps if row["task"] == "shape" and row["grad_norm"]] == measured
    share = result.summary["tasks"]["length"]["rows_share"]
    assert share == pytest.approx(result.summary["rows"]["length"] / sum(result.summary["rows"].values()))


def test_rows_between_two_lines_are_not_lost(train):
    result = train("trainer.log_every=5")
    steps = [row for row in rows(result, "tasks.csv") if row["task"] == "shape"]
    assert [int(row["rows"]) for row in steps if not row["grad_norm"]][:1] != []
    assert sum(int(row["rows"]) for row in steps) == 32 * (int(steps[-1]["step"]) + 1)


def test_an_epoch_of_whole_batches(undisturbed):
    """Of about 210 rows six batches of 32, where seven take the rest along."""
    assert undisturbed("trainer.drop_last=true").summary["steps"] == 18
    assert undisturbed().summary["steps"] == 21


def test_a_loss_that_is_not_finite_names_task_and_step_and_keeps_the_last_good_checkpoint(train, tmp_path):
    with pytest.raises(NonFiniteError, match=r"task '\w+' is not finite at step \d+|parameter became"):
        train("optimizer=sgd", "optimizer.lr=1e30", "trainer.checkpoint_every=1")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "failed"
    checkpoints = [*(tmp_path / "run" / "checkpoints").glob("*.pt")]
    assert checkpoints
    for path in checkpoints:
        kept = torch.load(path, weights_only=True)["model"]
        assert all(values.isfinite().all() for values in kept.values())


def test_labels_of_every_split_are_checked_before_training(train, tmp_path):
    draw = np.random.default_rng(0)
    for part in ("train", "val", "test"):
        kind = np.arange(40) % 3 + (part == "test")
        np.savez(tmp_path / f"{part}.npz", inputs=draw.normal(size=(40, 2)).astype(np.float32), kind=kind)
    paths = {"train": "data.path", "val": "data.val_path", "test": "data.test_path"}
    with pytest.raises(DataError, match=r"labels of task 'kind' must be 0 to 2, found 3"):
        train(*(f"{key}={tmp_path / part}.npz" for part, key in paths.items()), "+task.tasks.kind.classes=3")
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_network_that_memory_cannot_hold_is_refused(train):
    with pytest.raises(ConfigError, match="the network does not fit into memory"):
        train("sharing=film", "sharing.hidden=100000000000000")


@pytest.mark.parametrize("settings", [("freeze=backbone",), ("sharing=adapters", "sharing.freeze=true")])
def test_a_backbone_frozen_at_random_is_told(train, undisturbed, caplog, settings):
    train(*settings, "trainer.max_steps=1")
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert sum("stay as drawn at random" in line for line in told) == 1
    caplog.clear()
    train(*settings, "trainer.max_steps=1", f"init_from={undisturbed().folder}", folder="second")
    assert not [record for record in caplog.records if "stay as drawn" in record.getMessage()]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("sharing=independent", "balancer=pcgrad"), "nothing is shared: choose sharing=hard, or balancer=equal"),
        (("tasks=[shape]", "balancer=pcgrad"), "the single task 'shape' shares none: choose balancer=equal"),
        (("optimizer.head_lr={shpe: 1}",), "did you mean 'shape'"),
        (("trainer.monitor=length/mea",), "did you mean 'mae'"),
        (("scheduler=plateau", "scheduler.interval=step"), "choose epoch"),
        (("balancer=dwa", "balancer.temperature=-1"), "balancer.temperature must be positive"),
        (("sharing.split=layer9",), "layer9"),
        (("trainer.drop_last=true", "trainer.batch_size=299"), "leaves no batch of 299 rows"),
        (("balancer=fixed", "balancer.task_weights={shpe: 2}"), "did you mean 'shape'"),
    ],
)
def test_impossible_settings_are_refused_before_training(train, tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        train(*settings)
    assert not (tmp_path / "run" / "checkpoints").exists()


SCHEDULERS = ["constant", "cosine", "one_cycle", "step", "exponential", "plateau"]


@pytest.mark.parametrize("scheduler", sampled(SCHEDULERS, ["one_cycle", "plateau"]))  # told of the length, of the score
def test_every_scheduler(train, scheduler):
    assert train(f"scheduler={scheduler}").summary["steps"] == 21


def test_subset_of_tasks(train):
    result = train("tasks=[marks,shape]")
    assert set(result.summary["tasks"]) == {"marks", "shape"}


def test_tensorboard_gets_the_same_figures(train):
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    result = train("logger=tensorboard")
    events = EventAccumulator(str(next(result.folder.rglob("events.out.*")).parent))
    events.Reload()
    logged = [event.value for event in events.Scalars("val/shape/accuracy")]
    written = [
        float(row["value"])
        for row in rows(result, "metrics.csv")
        if (row["split"], row["task"], row["metric"]) == ("val", "shape", "accuracy")
    ]
    assert logged == pytest.approx(written)


@pytest.mark.slow
def test_compiled_network_trains_alike(train):
    plain = train("optimizer=sgd", folder="plain")
    compiled = train("optimizer=sgd", "trainer.compile=true", folder="compiled")
    assert_close(plain, compiled, rtol=1e-3, atol=1e-4)
