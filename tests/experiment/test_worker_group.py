"""Several processes of one training: how they start, talk and end, and that they evaluate what one evaluates."""

import logging
import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
import together
import torch
from forked import ForkedWorker, forked_workers

from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import ConfigError, DataError, Interrupted, NonFiniteError, ProcessLost, ResumeError
from mtlrun.experiment import worker_group
from mtlrun.experiment.worker import portable
from mtlrun.experiment.worker_group import run_together
from mtlrun.gradients.ranks import Ranks
from mtlrun.training import devices
from mtlrun.training.settings import Device

STARTS = [worker_group._interpreter, ForkedWorker]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(worker_group, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(worker_group, "_interpreter", ForkedWorker)


@pytest.mark.parametrize("start", STARTS)
def test_the_first_ones_result_is_returned(start, monkeypatch):
    monkeypatch.setattr(worker_group, "_interpreter", start)
    assert run_together(3, together.names, "a", 2) == (0, 3, ("a", 2), os.environ["OMP_NUM_THREADS"])


def test_cores_are_shared_out(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(7), raising=False)
    assert run_together(2, together.names)[-1] == "3"
    assert run_together(1, together.names)[-1] == "7"


@pytest.mark.parametrize("kind", [ConfigError, DataError, ResumeError, NonFiniteError, KeyError])
def test_an_error_comes_out_as_it_was_and_ends_the_others(kind):
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        run_together(2, together.fail, kind("what is wrong"))
    assert time.monotonic() - began < 300  # torch itself waits for half an hour
    assert type(caught.value) is kind
    assert caught.value.args == ("what is wrong",)
    assert "together.py" in caught.value.__notes__[0]


def test_of_the_same_error_everywhere_the_first_ones_is_raised():
    with pytest.raises(ConfigError, match="found by 0"):
        run_together(2, together.fail_all)


def test_an_error_that_cannot_be_sent_is_put_into_words():
    with pytest.raises(RuntimeError) as caught:
        run_together(1, together.fail_unsendably)
    assert str(caught.value) == "Knotty: a b"
    assert pickle.loads(pickle.dumps(portable(KeyError("x")))).args == ("x",)


@pytest.mark.parametrize(
    ("start", "number", "words"),
    [
        (STARTS[0], signal.SIGKILL, "killed by SIGKILL (out of memory?)"),
        (STARTS[1], signal.SIGSEGV, "killed by SIGSEGV"),
    ],
)
def test_a_death_ends_the_others_and_is_named(start, number, words, monkeypatch):
    started = []
    monkeypatch.setattr(worker_group, "_interpreter", lambda *given: started.append(start(*given)) or started[-1])
    began = time.monotonic()
    with pytest.raises(ProcessLost) as caught:
        run_together(2, together.die, number)
    assert str(caught.value) == f"the process of rank 1 was {words}"
    assert [process.poll() is not None for process in started] == [True, True]
    assert time.monotonic() - began < 300  # torch itself waits for half an hour


def test_all_may_die_at_once():
    with pytest.raises(ProcessLost, match=r"the process of rank \d was killed by SIGKILL"):
        run_together(3, together.die_all)


def test_a_death_is_the_cause_and_what_the_others_say_of_it_is_not(monkeypatch):
    monkeypatch.setattr(worker_group, "GRACE_SECONDS", 30)
    with pytest.raises(ProcessLost, match=r"rank 1 ended without a word \(exit code 3\)"):
        run_together(2, together.die_and_be_missed)


def test_log_lines_arrive_and_other_processes_only_warn(caplog):
    with caplog.at_level(logging.INFO, logger="mtlrun"):
        run_together(2, together.log)
    lines = {(record.levelname, record.name, record.getMessage()) for record in caplog.records}
    assert lines == {
        ("INFO", "mtlrun.somewhere", "seen by 0"),
        ("WARNING", "mtlrun.somewhere", "strange for 0"),
        ("WARNING", "mtlrun.somewhere", "process of rank 1: strange for 1"),
    }


def test_progress_is_shown_here(capsys):
    run_together(2, together.show)
    out = capsys.readouterr().out
    assert out.startswith("epoch 0, step 10/20, score 0.7500, 1.5 s, ")
    assert out.endswith(": left accuracy 0.25 loss 0.5\n")
    assert out.count("epoch 0") == 1


def when_ready(ready, action):
    """Do something from another thread once both processes are ready."""

    def wait():
        while not all(ready.with_suffix(f".{rank}").exists() for rank in (0, 1)):
            time.sleep(0.01)
        action()

    threading.Thread(target=wait, daemon=True).start()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_passed_on_once_and_gives_the_exit_code(number, code, tmp_path):
    ready = tmp_path / "ready"
    when_ready(ready, lambda: os.kill(os.getpid(), number))
    with pytest.raises(Interrupted) as caught:
        run_together(2, together.obey, ready)
    assert caught.value.code == code


def test_who_finishes_in_spite_of_a_signal_has_finished(tmp_path):
    ready = tmp_path / "ready"
    when_ready(ready, lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert run_together(2, together.finish_anyway, ready) == "done"


def test_a_second_ctrl_c_ends_all_at_once(tmp_path):
    ready = tmp_path / "ready"

    def twice():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGINT)

    when_ready(ready, twice)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_together(2, together.sleep_soundly, ready)
    assert time.monotonic() - began < 300  # torch itself waits for half an hour


def test_each_process_of_a_machine_has_a_gpu_of_its_own(monkeypatch):
    taken = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: taken[-1])
    device = devices.take(Device.auto, 1, 2)
    assert (str(device), devices.backend(device), taken) == ("cuda:1", "cpu:gloo,cuda:nccl", [1])
    with pytest.raises(ConfigError, match=r"3 processes .* need a GPU each, and there is 2: start at most 2"):
        devices.take(Device.cuda, 0, 3)
    assert str(devices.take(Device.cpu, 5, 8)) == "cpu"


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """Every kind of task; sources of different sizes; batch norm; rows without labels."""
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(101, 6)).astype(np.float32)
    length = (3 * inputs[:, 1:3] + 20).astype(np.float32)
    length[draw.random(101) < 0.6] = np.nan
    marks = (inputs[:, 2:4] > 0.2).astype(np.float32)
    path = tmp_path_factory.mktemp("data") / "table.npz"
    np.savez(path, inputs=inputs, shape=(inputs[:, 0] > 0).astype(np.int64), length=length, marks=marks)
    counts = "{train: 9, val: 7, test: 3}"
    common = ["trainer.device=cpu", "trainer.eval_batch_size=5"]
    driving = ["task=driving", f"data.num_scenes={counts}", f"data.num_signs={counts}", "data.cache=null"]
    words = {
        "table": ["task=arrays", f"data.path={path}", "backbone.norm=batch", *common],
        "scenes": [*driving, "backbone.norm=batch", "backbone.channels=[8,8]", *common],
    }
    return {name: without_hydra(compose(overrides)) for name, overrides in words.items()}


@pytest.fixture(scope="module")
def found(cases, once):
    """What each of two processes finds; one start serves all tests."""
    with forked_workers():
        return once("evaluation", lambda: run_together(2, together.do, together.everything, cases))


@pytest.mark.parametrize("case", ["table", "scenes"])
def test_two_processes_evaluate_as_one(case, cases, found):
    (alone,) = together.scores(Ranks(), {case: cases[case]}).values()
    for rank in (0, 1):
        val, train, losses = found[rank]["scores"][case]
        for ours, theirs in ((val, alone[0]), (train, alone[1])):
            assert ours.keys() == theirs.keys()
            for task in theirs:
                assert ours[task] == pytest.approx(theirs[task], rel=2e-6, abs=1e-12, nan_ok=True)
        for source, tasks in alone[2].items():
            for task, values in tasks.items():
                torch.testing.assert_close(losses[source][task], values, equal_nan=True)


def test_all_evaluate_to_the_very_same(found):
    assert pickle.dumps(found[0]["scores"]["table"][0]) == pickle.dumps(found[1]["scores"]["table"][0])


def test_a_mistake_of_one_is_told_to_all_and_nobody_waits(found):
    assert [process["mistake"] for process in found] == ["only here", "only here"]


def test_random_draws_differ_between_processes_and_steps_and_can_be_repeated(found):
    first, second = (process["draws"] for process in found)
    assert first[0] == first[2]
    assert len({tuple(values) for values in (*first, *second)}) == 4
