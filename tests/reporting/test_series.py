import numpy as np
import pytest

from mtlrun.reporting.series import Course, Series, smooth
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.runs.records import COSINES, METRICS, TASKS, CsvTable


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_tasks_come_in_the_order_of_the_summary(folder):
    CsvTable(folder.tasks_csv, TASKS).append([(1, "b", 1.0, None, None, 1), (1, "a", 1.0, None, None, 1)])
    assert Series(Run(folder.path)).tasks == ["b", "a"]
    folder.write_summary({"tasks": {"a": {"metric": "rmse", "higher_is_better": False}, "b": {}}})
    series = Series(Run(folder.path))
    assert series.tasks == ["a", "b"]
    assert series.judge("a") == ("rmse", False)


def test_the_gap_is_as_written_or_else_the_difference_of_losses(folder):
    CsvTable(folder.metrics_csv, METRICS).append(
        [
            *((epoch, epoch, "train", "a", "loss", 1.0) for epoch in (1, 2)),
            *((epoch, epoch, "val", "a", "loss", 1.5) for epoch in (2, 3)),
            (1, 1, "val", "b", "gap", 0.25),
            (1, 1, "val", "b", "loss", 9.0),
        ]
    )
    series = Series(Run(folder.path))
    assert (series.gap("a").x.tolist(), series.gap("a").y.tolist()) == ([2], [0.5])
    assert series.gap("b").y.tolist() == [0.25]


def test_mean_cosines_are_over_the_steps_at_which_a_pair_was_measured(folder):
    CsvTable(folder.tasks_csv, TASKS).append((1, task, 1.0, None, None, 1) for task in "abc")
    CsvTable(folder.cosines_csv, COSINES).append(
        [(1, "a", "b", 0.5), (2, "b", "a", -0.1), (2, "a", "c", 0.3), (2, "a", "gone", 0.9)]
    )
    mean = Series(Run(folder.path)).cosines.mean()
    np.testing.assert_allclose(mean, [[1, 0.2, 0.3], [0.2, 1, np.nan], [0.3, np.nan, 1]])


def test_shares_of_the_update_at_measured_steps(folder):
    table = CsvTable(folder.tasks_csv, TASKS)
    table.append((9, task, 1.0, 1.0, None, 4) for task in "ab")
    table.append((10, task, 1.0, 1.0, norm, 4) for task, norm in (("a", 2.0), ("b", 1.0)))
    CsvTable(folder.cosines_csv, COSINES).append([(10, "a", "b", 0.0)])
    shares = Series(Run(folder.path)).update_shares()
    assert shares["a"].x.tolist() == [10]
    assert [shares[task].y.tolist() for task in "ab"] == [[pytest.approx(0.8)], [pytest.approx(0.2)]]


@pytest.mark.parametrize("count", [0, 1, 2, 29, 30, 100, 601])
def test_smoothing_keeps_straight_lines(count):
    x = np.arange(count, dtype=float)
    mean = smooth(Course(x, 2 * x + 1))
    np.testing.assert_allclose(mean.y, 2 * mean.x + 1, atol=1e-6)
    assert len(mean.x) >= 0.9 * count


def test_smoothing_removes_noise():
    noise = np.random.default_rng(0).normal(size=3000)
    assert smooth(Course(np.arange(3000.0), noise)).y.std() < 0.15
