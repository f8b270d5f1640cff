import sys

import pytest
from matplotlib.image import imread

from mtlrun.reporting.figures.style import look, short
from mtlrun.reporting.plots import FIGURES, plot_run
from mtlrun.reporting.series import Series
from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run
from mtlrun.runs.records import COSINES, METRICS, TASKS, CsvTable


def _texts(drawing):
    """All that is written in a figure, which need not be drawn for that, as drawing is slow."""
    texts = {text.get_text() for text in drawing.findobj(lambda part: hasattr(part, "get_text"))}
    return texts | {label.get_text() for label in drawing.axes[0].get_yticklabels()}


def _possible(run):
    series = Series(run)
    return {name for name, draw in FIGURES.items() if draw(series) is not None}


def test_every_plot_is_written(make_run):
    run = make_run(3, epochs=2, steps_per_epoch=20)
    written = plot_run(run)
    assert [path.stem for path in written] == [*FIGURES]
    for path in written:
        height, width = imread(path).shape[:2]
        assert min(height, width) > 150
    assert "matplotlib.pyplot" not in sys.modules or sys.modules["matplotlib.pyplot"].get_fignums() == []


@pytest.mark.parametrize("num_tasks", [4, 12, pytest.param(40, marks=pytest.mark.slow)])
def test_every_task_can_be_told(make_run, num_tasks):
    series = Series(make_run(num_tasks, epochs=4, steps_per_epoch=20))
    names = {f"task{number:02d}" for number in range(num_tasks)}
    assert names <= _texts(FIGURES["losses"](series))
    assert names <= _texts(FIGURES["rows"](series))
    assert names <= _texts(FIGURES["cosines"](series))
    assert names <= _texts(FIGURES["gates"](series))
    metrics = " ".join(_texts(FIGURES["metrics"](series)))
    assert all(name in metrics for name in names)
    named = names & _texts(FIGURES["norms"](series))
    assert len(named) == (num_tasks if num_tasks <= 10 else 8)


def test_small_heat_maps_show_their_values(make_run):
    series = Series(make_run(4, epochs=2, steps_per_epoch=20))
    value = f"{series.cosines.mean()[0, 1]:.2f}".replace("-", "−")
    assert value in _texts(FIGURES["cosines"](series))
    few = Series(make_run(12, name="many", epochs=2, steps_per_epoch=20))
    assert f"{few.cosines.mean()[0, 1]:.2f}" not in _texts(FIGURES["cosines"](few))


def test_a_run_without_measured_gradients_lacks_their_plots(make_run):
    run = make_run(3, epochs=2, steps_per_epoch=9)
    (run.path / "cosines.csv").unlink()
    (run.path / "gates.csv").unlink()
    assert _possible(run) == {"losses", "metrics", "weights", "norms", "rows", "gap"}


def test_a_run_that_has_just_begun(tmp_path):
    folder = RunFolder(tmp_path)
    assert plot_run(Run(tmp_path)) == []
    CsvTable(folder.tasks_csv, TASKS).append([(1, "a", 0.5, None, None, 8), (1, "b", None, None, None, 0)])
    assert _possible(Run(tmp_path)) == {"losses", "rows"}
    CsvTable(folder.metrics_csv, METRICS).append(
        [
            (0, 1, "val", "a", "accuracy", 0.5),
            (0, 1, "val", "a", "loss", 0.0),
            (0, 1, "val", "b", "rmse", None),
        ]
    )
    assert _possible(Run(tmp_path)) == {"losses", "rows", "metrics"}


def test_looks_are_unique_for_40_tasks():
    assert len({look(place) for place in range(40)}) == 40


@pytest.mark.parametrize(("name", "expected"), [("lane", "lane"), ("a" * 13 + "b" * 17, "a" * 12 + "…" + "b" * 13)])
def test_long_names_are_cut_in_the_middle(name, expected):
    assert short(name) == expected


COSINE_FIGURES = ("cosines", "cosine_course")


@pytest.mark.parametrize("steps", [1, 2])
def test_figures_of_cosines_name_pairs_in_the_runs_order_and_say_how_little_they_say(make_run, steps):
    run = make_run(3, epochs=2, steps_per_epoch=20)
    pairs = [("task01", "task00"), ("task02", "task01"), ("task00", "task02")]  # as a step may have its tasks
    (run.path / "cosines.csv").unlink()
    CsvTable(run.path / "cosines.csv", COSINES).append([(step, *pair, 0.5) for step in range(steps) for pair in pairs])
    series = Series(run)
    for name in COSINE_FIGURES:
        said = " ".join(_texts(FIGURES[name](series)))
        assert "no reason against sharing" in " ".join(said.split())
        assert ("measured at one step only" in said) == (steps == 1)
    named = {text for text in _texts(FIGURES["cosine_course"](series)) if "–" in text}
    assert named == {"task00 – task01", "task00 – task02", "task01 – task02"}
