"""Runs and sweeps: folders, statuses, exit codes."""

import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest
from hydra.core.utils import JobReturn

from mtlrun.cli.folders import job_name
from mtlrun.errors import ConfigError, DataError, Interrupted
from mtlrun.runs.folder import RunFolder


def record(folder: Path) -> dict:
    return json.loads((folder / "run.json").read_text())


def only_run() -> Path:
    (folder,) = Path("outputs").glob("*/*")
    return folder


def test_a_run_leaves_a_folder_and_names_it_last(command, training):
    outcome = command("task=multidigits", "seed=3")
    folder = only_run()
    assert outcome.code == 0
    assert "0.75" in outcome.out
    assert outcome.out.splitlines()[-1] == str(folder)
    assert record(folder)["status"] == "finished"
    assert record(folder)["command"] == ["mtlrun", "task=multidigits", "seed=3"]
    assert (folder / ".hydra/config.yaml").exists()
    assert "INFO mtlrun.training: training" in (folder / "run.log").read_text()
    config, path, resume = training.calls[0]
    assert (config.seed, path, resume) == (3, folder.absolute(), False)


def test_runs_never_share_a_folder(command):
    for _ in range(2):
        assert command("task=multidigits").code == 0
    assert len(list(Path("outputs").glob("*/*"))) == 2


def test_an_explicit_folder_is_used_once(command):
    assert command("hydra.run.dir=mine").code == 0
    again = command("hydra.run.dir=mine", "seed=9")
    assert again.code == 2
    assert again.err == (
        "mtlrun: error: mine already holds a run: continue it with mtlrun resume mine, or choose another\n"
    )
    assert record(Path("mine"))["seed"] == 0


@pytest.mark.parametrize("error", [ConfigError("impossible\npair"), DataError("impossible pair")])
def test_a_mistake_found_while_building(error, command, training):
    training.behave = lambda config: (_ for _ in ()).throw(error)
    outcome = command()
    assert (outcome.code, outcome.err) == (2, "mtlrun: error: impossible pair\n")
    assert not Path("outputs").exists()


def test_a_refused_start_leaves_what_others_put_into_its_folder(command, training):
    def refuse(config):
        folder = RunFolder(training.calls[-1][1])
        (folder.plots / "first.png").touch()
        raise ConfigError("impossible pair")

    Path("mine").mkdir()
    Path("mine/notes.txt").touch()
    training.behave = refuse
    assert command("hydra.run.dir=mine").code == 2
    assert [entry.name for entry in Path("mine").iterdir()] == ["notes.txt"]


def test_a_mistake_that_shows_while_it_trains_is_written_down(command, training):
    def train(config):
        RunFolder(training.calls[-1][1]).note("cpu")
        raise ConfigError("a sampler that sums to 2")

    training.behave = train
    outcome = command("hydra.run.dir=mine")
    assert (outcome.code, outcome.err) == (2, "mtlrun: error: a sampler that sums to 2\n")
    assert (record(Path("mine"))["status"], record(Path("mine"))["error"]) == ("failed", "a sampler that sums to 2")


def test_a_folder_that_vanishes_is_told_and_does_not_come_back(command, training):
    def lose(config):
        shutil.rmtree("mine")
        Path("mine/summary.json").write_text("{}")

    training.behave = lose
    outcome = command("hydra.run.dir=mine")
    line = "/mine has vanished: somebody has removed the folder while the run went on\n"
    assert (outcome.code, outcome.err.endswith(line), outcome.err.count("\n")) == (1, True, 1)
    assert not Path("mine").exists()


def test_a_sweep_of_one_job_is_told(command, training):
    outcome = command("task=multidigits", "-m")
    line = "mtlrun: -m without a list such as seed=0,1: this is a sweep of one job\n"
    assert (outcome.code, outcome.err, len(training.calls)) == (0, line, 1)
    assert command("task=multidigits", "-m", "seed=0,1").err == ""


@pytest.mark.parametrize("balancers", ["uncertainty,gradnorm", "choice(uncertainty,gradnorm)"])
def test_a_setting_that_the_options_of_a_sweep_have_in_common(balancers, command, training):
    """The default, balancer=equal, has no rate."""
    words = [f"balancer={balancers}", "balancer.lr=0.01,0.1", "optimizer.lr=0.5"]
    outcome = command("task=multidigits", "-m", *words)
    assert (outcome.code, outcome.err) == (0, "")
    found = [(config.balancer._target_.rpartition(".")[2], config.balancer.lr) for config, *_ in training.calls]
    assert found == [(name, rate) for name in ("Uncertainty", "GradNorm") for rate in (0.01, 0.1)]
    assert {config.optimizer.lr for config, *_ in training.calls} == {0.5}


@pytest.mark.parametrize("choices", ["task=study_scales,study_scarce", "experiment=famo/toy,nash_mtl/toy"])
def test_settings_of_groups_that_the_options_of_a_sweep_choose(choices, command, training):
    """The default, task=driving, has neither these data nor this backbone."""
    words = ["data.noise=2.0"] if "task" in choices else ["data.rows=5", "backbone.start=[0,0]"]
    outcome = command(choices, *words, "-m")
    assert (outcome.code, outcome.err, len(training.calls)) == (0, "", 2)
    for config, *_ in training.calls:
        assert config.data.noise == 2 if "task" in choices else (config.data.rows, config.backbone.start) == (5, [0, 0])


def test_a_bug_is_one_line_and_a_traceback_in_the_log(command, training):
    training.behave = lambda config: {}["x"]
    outcome = command()
    log = only_run() / "run.log"
    assert outcome.code == 1
    assert outcome.err == f"mtlrun: error: KeyError: 'x' (details: {log})\n"
    assert "Traceback" not in outcome.out
    assert "Traceback" in log.read_text()
    assert record(only_run())["error"] == "KeyError: 'x'"


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 130), (Interrupted(143), 143), (Interrupted(130), 130)]
)
def test_an_interrupted_run(error, code, command, training):
    training.behave = lambda config: (_ for _ in ()).throw(error)
    outcome = command()
    assert outcome.code == code
    assert "Traceback" not in outcome.err
    assert record(only_run())["status"] == "interrupted"


def test_a_failing_job_does_not_stop_a_sweep(command, training):
    def fail_for_one(config):
        if config.seed == 1:
            raise RuntimeError("boom")

    training.behave = fail_for_one
    outcome = command("task=multidigits", "seed=0,1,2", "-m")  # the flag may stand anywhere
    sweep = only_run()
    statuses = {job.name: record(job)["status"] for job in sweep.iterdir() if job.is_dir()}
    assert statuses == {"0_seed-0": "finished", "1_seed-1": "failed", "2_seed-2": "finished"}
    assert outcome.code == 1
    assert outcome.err == f"mtlrun: error: job 1: RuntimeError: boom (details: {sweep}/1_seed-1/run.log)\n"
    assert "boom" in outcome.out
    assert outcome.out.splitlines()[-1] == str(sweep)


def test_a_job_begins_when_the_memory_of_the_last_one_is_free(command, training, monkeypatch):
    monkeypatch.setattr("mtlrun.cli.run.gc", gc)
    networks, alive = [], []

    class Network:
        def __init__(self):
            self.itself = self  # freed by the collector alone, as what a caught error holds

    def train(config):
        alive.append(sum(network() is not None for network in networks))
        networks.append(weakref.ref(Network()))

    training.behave = train
    gc.disable()  # which else may come by itself between two jobs
    try:
        assert command("-m", "seed=0,1,2").code == 0
    finally:
        gc.enable()
    assert alive == [0, 0, 0]


@pytest.mark.parametrize("words", ["-m seed=0,1,2 hydra.sweep.dir=sweep", "rerun sweep --all"])
def test_configurations_of_jobs_that_are_over_are_free(words, command, training):
    if words.startswith("rerun"):
        assert command("-m", "seed=0,1,2", "hydra.sweep.dir=sweep").code == 0
    kept = []

    def train(config):
        results = [one for one in gc.get_objects() if isinstance(one, JobReturn)]
        kept.append(sum(one.cfg is not None or one.hydra_cfg is not None for one in results))

    training.behave = train
    assert command(*words.split()).code == 0
    assert len(kept) == 3
    assert len(set(kept)) == 1  # that of the job itself, and what other tests have left


def test_an_interrupt_stops_a_sweep(command, training):
    training.behave = lambda config: (_ for _ in ()).throw(Interrupted(143))
    outcome = command("-m", "seed=0,1")
    assert outcome.code == 143
    assert [record(job)["status"] for job in only_run().glob("*/")] == ["interrupted"]


def test_a_sweep_folder_with_runs_is_not_used_again(command, training):
    Path("mine/0_seed-0").mkdir(parents=True)
    Path("mine/0_seed-0/run.json").touch()
    outcome = command("-m", "seed=0,1", "hydra.sweep.dir=mine")
    assert outcome.code == 2
    assert "mine/0_seed-0 already holds a run" in outcome.err
    assert not training.calls


def test_a_sweep_from_an_experiment_file(command, training):
    assert command("experiment=compare_balancers", "task=multidigits", "hydra.sweeper.params.seed=0").code == 0
    assert len(training.calls) == 4
    assert {Path(path).name for _, path, _ in training.calls} >= {"0_balancer-equal_seed-0"}


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ("", "3"),
        ("seed=1", "3_seed-1"),
        ("tasks=[a,b],seed=1", "3_tasks-a-b_seed-1"),
        ("data.path='/x y'", "3_data.path-x-y"),
        ("a=" + "b" * 99, "3"),
    ],
)
def test_job_folders_are_named_by_what_varies_if_it_is_plain(overrides, name):
    assert job_name(3, overrides) == name


def test_users_own_classes_beside_them_are_found(command, training, tmp_path):
    (tmp_path / "my_balancer.py").write_text("class Mine: ...\n")
    (tmp_path / "conf/balancer").mkdir(parents=True)
    (tmp_path / "conf/balancer/mine.yaml").write_text("_target_: my_balancer.Mine\nstrength: 1.0\n")
    assert command("--config-dir", "conf", "balancer=mine", "+balancer.more=2").code == 0
    assert training.calls[0][0].balancer == {"_target_": "my_balancer.Mine", "strength": 1.0, "more": 2}


def test_entries_of_an_empty_mapping_can_be_given_as_a_whole(command, training):
    assert command("optimizer.head_lr={sign:1e-4}").code == 0
    assert training.calls[0][0].optimizer.head_lr == {"sign": 1e-4}


SLOW_TRAINING = """
import sys, time, types
fake = types.ModuleType("mtlrun.experiment.train")
def train(config, folder, resume):
    (folder.path / "ready").touch()
    time.sleep(60)
fake.train = train
sys.modules[fake.__name__] = fake
from mtlrun.cli.main import main
sys.exit(main(["hydra.run.dir=mine"]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_real_signals(number, code, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW_TRAINING],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        # whoever started the tests in the background made them, and all their children, deaf to Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "mine/ready").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, "")
    assert record(tmp_path / "mine")["status"] == "interrupted"


def test_runs_to_start_from_are_looked_for_before_the_first_job(command, training, run_folder):
    checkpoints = run_folder / "checkpoints"
    checkpoints.mkdir()
    for name in ("best", "last"):
        (checkpoints / f"{name}.pt").touch()
    words = ("-m", "task=multidigits", f"init_from={run_folder},{checkpoints}/last.pt")
    assert command(*words).code == 0
    assert [config.init_from for config, _, _ in training.calls] == ["runs/first", "runs/first/checkpoints/last.pt"]
    outcome = command(*words[:-1], f"init_from={run_folder},runs/frist")
    assert (outcome.code, len(training.calls)) == (2, 2)
    line = "init_from=runs/frist: no folder 'runs/frist'; did you mean 'first'? [in job "
    assert outcome.err.startswith(f"mtlrun: error: {line}")


def test_a_mistake_that_a_sweeper_comes_upon_as_it_goes_fails_its_job(command, training, monkeypatch):
    """Each value is right beside the others' first ones, so only the pair is wrong."""
    monkeypatch.setattr("mtlrun.runs.sweeps.BASIC", "another sweeper's name")
    outcome = command("-m", "trainer.test_last=1,2", "trainer.patience=null,3")
    jobs = [record(job) for job in sorted(only_run().glob("*_*/"))]
    assert outcome.code == 1
    assert outcome.err.startswith("mtlrun: error: job 3: trainer.test_last=2")
    assert jobs[3]["error"] in outcome.err
    assert ([job["status"] for job in jobs], len(training.calls)) == (["finished"] * 3 + ["failed"], 3)
