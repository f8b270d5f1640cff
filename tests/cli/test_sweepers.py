"""Sweepers and launchers of Hydra's plugins: what a job tells them, our ready options, refusals before the first job."""

# ruff: noqa: E501 (a mistake and its line stand side by side)

import copy
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from mtlrun.cli import launching


def _needs(plugin, extra):
    absent = find_spec("hydra_plugins") is None or find_spec(f"hydra_plugins.{plugin}") is None
    return pytest.mark.skipif(absent, reason=f"pip install 'mtlrun[{extra}]'")


optuna = _needs("hydra_optuna_sweeper", "optuna")
joblib = _needs("hydra_joblib_launcher", "joblib")

RATE = "optimizer.lr=interval(0.01,0.1)"


@pytest.fixture
def scored(training, monkeypatch):
    """Each job's validation scores follow from its learning rate: accuracy rises with it, and so does the loss."""
    train = training.train

    def told(config, folder, resume):
        summary = copy.deepcopy(train(config, folder, resume))
        rate, left = config.optimizer.lr, summary["tasks"]["left"]
        left["directions"] = {"accuracy": True}
        left["best"]["val"] = {"accuracy": rate, "loss": 2 * rate}
        left["best"]["test"] = {"accuracy": 1 - rate, "loss": -2 * rate}  # a sweeper that saw these would turn round
        return summary | {"best_score": rate}

    monkeypatch.setattr(training, "train", told)
    return training


def only_sweep():
    (folder,) = Path("outputs").glob("*/*")
    return folder


def results():
    return yaml.safe_load((only_sweep() / "optimization_results.yaml").read_text())


def rates(training):
    return [config.optimizer.lr for config, _, _ in training.calls]


@optuna
@pytest.mark.parametrize(
    ("objective", "best", "value"),
    [("score", max, 1), pytest.param("left/accuracy", max, 1, marks=pytest.mark.slow), ("left/loss", min, -2)],
)
def test_optuna_finds_the_best_validation_score(objective, best, value, command, scored):
    words = ["task=multidigits", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", f"objective={objective}", RATE]
    outcome = command("-m", *words)
    assert outcome.code == 0, outcome.err
    found, wanted = results(), best(rates(scored))
    assert len(scored.calls) == 4
    assert found["best_params"]["optimizer.lr"] == pytest.approx(wanted)
    assert found["best_value"] == pytest.approx(value * wanted)


@optuna
def test_optuna_searches_the_pareto_front_of_two_objectives(command, scored):
    words = ["task=multidigits", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", RATE]
    assert command("-m", *words, "objective=[left/accuracy,left/loss]").code == 0
    solutions = results()["solutions"]
    assert len(solutions) == 4  # the one rises where the other falls: none is better than another
    for solution in solutions:
        rate = solution["params"]["optimizer.lr"]
        assert solution["values"] == pytest.approx([rate, -2 * rate])


@optuna
def test_a_search_goes_on_without_a_failed_job(command, scored):
    def fail_once(config):
        if len(scored.calls) == 2:
            raise RuntimeError("boom")

    scored.behave = fail_once
    outcome = command("-m", "task=multidigits", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", RATE)
    left = [rate for place, rate in enumerate(rates(scored)) if place != 1]
    assert (outcome.code, len(scored.calls)) == (1, 4)
    assert "job 1: RuntimeError: boom" in outcome.err
    assert results()["best_params"]["optimizer.lr"] == pytest.approx(max(left))


@optuna
def test_a_search_of_which_every_job_fails_ends_in_a_line(command, scored):
    scored.behave = lambda config: {}["x"]
    outcome = command("-m", "task=multidigits", "hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", RATE)
    assert outcome.code == 1
    assert "No trials are completed" not in outcome.err
    assert outcome.err.splitlines()[-1] == "mtlrun: error: no job of the sweep has finished"


@optuna
@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("balancer=equal,gradnrom", "no balancer 'gradnrom'; did you mean 'gradnorm'? [in job task=multidigits"),
        ("trainer.epochs=int(interval(0,3))", "trainer.epochs=0: must be 1 or more [in job task=multidigits"),
        ("trainer.epochs=range(3,-1,-1)", "trainer.epochs=0: must be 1 or more [in job task=multidigits"),
        ("optimizer.lr=choice(0.1,big)", "optimizer.lr=big: must be a number, like the default"),
        ("hydra.sweeper.direction=minimize", "hydra.sweeper.direction=minimize: leave it out, it is maximize for each of 1 objective(s)"),
        ("objective=[score,left/loss] hydra.sweeper.direction=maximize", "hydra.sweeper.direction=maximize: leave it out, it is maximize for each of 2 objective(s)"),
        ("objective=letf/loss", "objective=letf/loss: no task 'letf' is trained; did you mean 'left'? [in job task=multidigits"),
        ("objective=loss", "objective=loss: must be score or TASK/METRIC [in job task=multidigits"),
        ("hydra.sweeper.n_trials=many", "hydra.sweeper.n_trials=many: must be a whole number"),
    ],
)  # fmt: skip
def test_a_mistake_that_a_sweeper_could_choose_is_told_before_the_first_job(words, line, command, training):
    outcome = command("-m", "task=multidigits", "hydra/sweeper=optuna", *words.split())
    assert outcome.code == 2
    assert outcome.err.startswith(f"mtlrun: error: {line}")
    assert not training.calls
    assert not Path("outputs").exists()


@pytest.mark.parametrize("launcher", ["basic", pytest.param("joblib", marks=joblib)])
def test_a_mistake_in_the_last_job_refuses_the_sweep_with_any_launcher(launcher, command, training):
    outcome = command("-m", f"hydra/launcher={launcher}", "task=multidigits", "trainer.epochs=1,2,0")
    assert outcome.code == 2
    assert "trainer.epochs=0: must be 1 or more" in outcome.err
    assert not training.calls
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("option", "extra"),
    [
        ("launcher=joblib", "joblib"),
        ("launcher=submitit_local", "submitit"),
        ("launcher=submitit_slurm", "submitit"),
        ("launcher=ray", "ray"),
        ("sweeper=optuna", "optuna"),
    ],
)
def test_what_is_not_installed_is_named(option, extra, command, training, monkeypatch):
    monkeypatch.setattr(launching, "find_spec", lambda name: None)
    outcome = command("-m", f"hydra/{option}", "task=multidigits", "seed=0,1")
    assert (outcome.code, outcome.err) == (
        2,
        f"mtlrun: error: hydra/{option} is not installed: pip install 'mtlrun[{extra}]'\n",
    )


@pytest.mark.parametrize(
    ("words", "threads"),
    [
        ("hydra/launcher=basic seed=0,1", None),
        pytest.param("hydra/launcher=joblib seed=0,1", 4, marks=joblib),
        pytest.param("hydra/launcher=joblib seed=0,1,2,3,4,5", 2, marks=joblib),
        pytest.param("hydra/launcher=joblib hydra.launcher.n_jobs=3 seed=0,1,2,3", 2, marks=joblib),
        pytest.param("hydra/launcher=joblib trainer.devices=2 seed=0,1", 2, marks=joblib),
        pytest.param("hydra/launcher=joblib hydra.launcher.n_jobs=-1 seed=range(0,9)", 1, marks=joblib),
    ],
)
def test_jobs_on_one_machine_share_its_cores(words, threads, command, training, monkeypatch):
    monkeypatch.setattr(launching, "cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    started = []
    if threads is not None:
        from hydra_plugins.hydra_joblib_launcher import joblib_launcher

        monkeypatch.setattr(
            joblib_launcher.JoblibLauncher, "launch", lambda self, jobs, initial_job_idx: started.append(self.config)
        )
    command("-m", "task=multidigits", *words.split())
    record = yaml.safe_load((only_sweep() / "sweep.yaml").read_text())
    set_there = [word for word in record["hydra"]["overrides"]["hydra"] if "env_set" in word]
    assert set_there == ([] if threads is None else [f"+hydra.job.env_set.OMP_NUM_THREADS='{threads}'"])


@joblib
@pytest.mark.slow
def test_joblib_trains_jobs_and_optuna_reads_them(tmp_path, capsys):
    from mtlrun.cli.main import main

    words = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "task=study_conflict", "diagnostics.plots=false"]
    short = ["trainer.epochs=1", "trainer.eval_every=1", "trainer.device=cpu"]
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=2", RATE]
    plugin = find_spec("hydra_plugins.hydra_optuna_sweeper") is not None
    assert main(["-m", *words, *short, *(search if plugin else ["seed=0,1"])]) == 0
    statuses = [json.loads(path.read_text())["status"] for path in only_sweep().glob("*/run.json")]
    assert statuses == ["finished", "finished"]
    if plugin:
        assert results()["best_value"] > 0
