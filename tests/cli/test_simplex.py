"""Sweeps over fixed weights: the jobs that `simplex(N)` leads to, and mistakes."""

import json
from pathlib import Path

import pytest

SWEEP = ["-m", "balancer=fixed"]
WEIGHTS = "balancer.task_weights=simplex(3)"
OPEN = "balancer.task_weights=simplex(...)"


@pytest.mark.parametrize(
    "start", [["task=multidigits"], pytest.param(["task=driving", "tasks=[lane,sign]"], marks=pytest.mark.slow)]
)
def test_a_job_for_each_weighting_and_seed(start, command, training):
    outcome = command(*SWEEP, *start, WEIGHTS, "seed=0,1", "hydra.sweep.dir=sweep")
    assert outcome.code == 0, outcome.err
    first, second = ("left", "right") if start == ["task=multidigits"] else ("lane", "sign")
    wanted = [{first: weight, second: 2 - weight} for weight in (0, 1, 2)]
    assert [config.balancer.task_weights for config, _, _ in training.calls] == [one for one in wanted for _ in "01"]
    assert Path(f"sweep/0_balancer.task_weights-{first}-0-{second}-2_seed-0").is_dir()
    record = json.loads(Path(f"sweep/2_balancer.task_weights-{first}-1-{second}-1_seed-0/run.json").read_text())
    assert f"++balancer.task_weights={{{first}:1,{second}:1}}" in record["command"]


@pytest.mark.parametrize(
    ("more", "tasks"), [([], ["churn", "customer_value"]), (["tasks=[customer_value,age]"], ["customer_value", "age"])]
)
def test_the_columns_that_a_table_is_to_predict_name_the_tasks(more, tasks, command, training):
    Path("own.csv").write_text("x,churn,age,customer value (€)\n1,0,1,2\n")
    table = ["task=table", "data.path=own.csv", f"data.targets=[churn,{'age,' if more else ''}'customer value (€)']"]
    outcome = command(*SWEEP, *table, *more, WEIGHTS)
    assert outcome.code == 0, outcome.err
    wanted = [dict(zip(tasks, (weight, 2 - weight))) for weight in (0, 1, 2)]
    assert [config.balancer.task_weights for config, _, _ in training.calls] == wanted


def test_a_sweep_in_a_file(command, training, tmp_path):
    (tmp_path / "conf/experiment").mkdir(parents=True)
    (tmp_path / "conf/experiment/front.yaml").write_text(
        "# @package _global_\n# A front\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n"
        "      balancer: fixed\n      balancer.task_weights: simplex(2)\n"
    )
    outcome = command("--config-dir", "conf", "task=multidigits", "experiment=front")
    assert outcome.code == 0, outcome.err
    found = [config.balancer.task_weights for config, _, _ in training.calls]
    assert found == [{"left": 0, "right": 2}, {"left": 2, "right": 0}]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["balancer=fixed", "task=multidigits", WEIGHTS], f"{WEIGHTS} is a sweep over the weights: add -m"),
        (
            [*SWEEP, "task=multidigits", "balancer.task_weights=simplex(1)"],
            "balancer.task_weights=simplex(1): give a number of weightings from 2 to 10000",
        ),
        ([*SWEEP, "task=multidigits", "balancer.task_weights=simplex()"], "balancer.task_weights=simplex(): give a"),
        (
            [*SWEEP, "task=arrays", WEIGHTS],
            f"{OPEN}: the tasks are known only with the data",
        ),
        (
            [*SWEEP, "task=driving", "tasks=[lane]", WEIGHTS],
            f"{OPEN}: the single task 'lane'",
        ),
        ([*SWEEP, "task=table", "data.targets=[a],[b,c]", WEIGHTS], f"{OPEN}: one set of tasks at a time"),
        ([*SWEEP, "task=table", WEIGHTS], f"{OPEN}: the tasks are known only with the data, name them: data.targets="),
        ([*SWEEP, "task=driving,presence", WEIGHTS], f"{OPEN}: one set of tasks at a time"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(words, line, command, training):
    outcome = command(*words)
    assert outcome.code == 2
    assert outcome.err.startswith(f"mtlrun: error: {line}")
    assert outcome.err.count("\n") == 1
    assert not training.calls
