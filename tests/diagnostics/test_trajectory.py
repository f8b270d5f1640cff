from itertools import product

import numpy as np
import pytest
from matplotlib.image import imread

from mtlrun.data.sets import toy
from mtlrun.diagnostics.trajectory import draw_trajectory, evaluate, recorded_points, trajectory
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.runs.records import METRICS
from mtlrun.tasks.objective import Objective
from mtlrun.tasks.regression import Regression

POINTS = [(9.0, 9.0), (6.0, 2.5), (5.0, -8.0)]
TOY = {
    "first": Objective("first", toy.first, scale=0.1, lower_bound=-21),
    "second": Objective("second", toy.second, lower_bound=-21),
}


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path)
    table = folder.table(folder.metrics_csv, METRICS)
    for epoch, point in enumerate(POINTS):
        for task, (name, value) in product(TOY, zip(("x1", "x2"), point)):
            table.append([(epoch, 50 * epoch + 50, "val", task, name, value), (epoch, 0, "test", task, name, 0.0)])
    return Run(tmp_path)


def test_points_are_read_from_the_metrics(run):
    assert recorded_points(run, "first").tolist() == [[*point] for point in POINTS]
    assert recorded_points(run, "third").shape == (0, 2)


def test_it_begins_at_the_start_if_that_is_stated(run):
    (run.path / ".hydra").mkdir()
    config = run.path / ".hydra" / "config.yaml"
    config.write_text("backbone:\n  start: [9.5, 9.5]\n")
    assert recorded_points(Run(run.path), "first")[:2].tolist() == [[9.5, 9.5], [9.0, 9.0]]
    for elsewhere in ("  weights: a.pt\n", "init_from: b\n"):
        config.write_text("backbone:\n  start: [9.5, 9.5]\n" + elsewhere)
        assert recorded_points(Run(run.path), "first")[0].tolist() == [9.0, 9.0]


def test_draws_a_panel_per_objective_and_their_sum(run):
    path = draw_trajectory(run, TOY)
    assert path == run.path / "plots" / "trajectory.png"
    assert imread(path).std() > 0.05
    panels = trajectory([*TOY.values()], dict.fromkeys(TOY, np.array(POINTS))).axes
    assert [axes.get_title(loc="left") for axes in panels] == ["first", "second", "sum, as scaled"]
    for axes in panels:
        assert drawn(axes) == [[[*point] for point in POINTS]]


def drawn(axes):
    return [line.get_xydata().tolist() for line in axes.lines if line.get_label() == "trajectory"]


def test_tasks_with_a_point_each_have_a_trajectory_each():
    one, other = [[9.0, 9.0], [6.0, 2.5]], [[9.0, 9.0], [5.0, 3.0]]
    first, second, both = trajectory([*TOY.values()], {"first": np.array(one), "second": np.array(other)}).axes
    assert [drawn(axes) for axes in (first, second, both)] == [[one], [other], [one, other]]


def test_gradients_are_opposite_along_the_pareto_set():
    grid = evaluate([*TOY.values()], np.array(POINTS))
    column = np.abs(grid.x1).argmin()
    low = grid.opposed[grid.x2 < -5, column]
    crossing = np.flatnonzero(np.diff(np.sign(low)) != 0)
    assert grid.x2[crossing].tolist() == pytest.approx([-8.36], abs=0.1)


def test_the_frame_grows_with_the_trajectory():
    grid = evaluate([*TOY.values()], np.array([[-14.0, 0.0], [0.0, 12.0]]))
    assert (grid.x1[0], grid.x1[-1], grid.x2[0], grid.x2[-1]) == (-14.5, 10, -10, 12.5)


def test_other_runs_have_no_trajectory(run, tmp_path):
    assert draw_trajectory(run, {**TOY, "size": Regression("size")}) is None
    assert draw_trajectory(run, {"first": Objective("first", toy.first, coordinates=3)}) is None
    assert draw_trajectory(run, {}) is None
    assert draw_trajectory(Run(tmp_path / "empty"), TOY) is None
