import io

import pytest
from rich.console import Console

from mtlrun.reporting.tables import judge, number, results_table


def _plain(table, width=80):
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return text.getvalue()


def _entry(value, metric="accuracy", higher=True, **others):
    results = {"loss": 0.12345, metric: value, **others}
    return {"metric": metric, "higher_is_better": higher, "best": {"test": results}, "last": {"test": {}}}


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.91234, "0.9123"), (0, "0.0000"), (123.45678, "123.4568"), (123456.7, "1.2346e+05"), (1e-5, "1e-05"),
     (-0.5, "-0.5000"), (None, "-"), (float("nan"), "nan")],
)  # fmt: skip
def test_numbers(value, text):
    assert number(value) == text


def test_results_name_metric_direction_and_epoch():
    tasks = {"left": _entry(0.9, macro_f1=0.8), "depth": _entry(1.5, "rmse", False)}
    lines = _plain(results_table({"tasks": tasks, "best_epoch": 7, "last_epoch": 9})).splitlines()
    assert "best validation epoch, 7" in lines[0]
    (left,) = [line for line in lines if "left" in line]
    (depth,) = [line for line in lines if "depth" in line]
    assert "accuracy ↑" in left
    assert left.index("0.9000") < left.index("macro_f1=0.8000")
    assert "rmse ↓" in depth
    assert "1.5000" in depth


def test_means_over_the_last_epochs_stand_below():
    left = _entry(0.9) | {"mean_of_last": {"epochs": 10, "test": {"accuracy": 0.87, "loss": 1.0}}}
    assert "mean over the last 10 epochs: left 0.8700" in _plain(results_table({"tasks": {"left": left}}))
    assert "mean over" not in _plain(results_table({"tasks": {"left": _entry(0.9)}}))


@pytest.mark.parametrize("num_tasks", [1, 2, 4, 40])
@pytest.mark.parametrize("letters", [4, 40])
def test_no_value_is_cut_at_width_80(num_tasks, letters):
    values = [0.1 + task / 977 for task in range(num_tasks)]
    metrics = {f"mean_average_precision_{size}": 0.2468 for size in ("small", "medium")}
    names = [f"{task:02d}".rjust(letters, "t") for task in range(num_tasks)]
    tasks = {name: _entry(value, "map", **metrics) for name, value in zip(names, values)}
    text = _plain(results_table({"tasks": tasks}))
    for value in values:
        assert number(value) in text
    assert text.count("mean_average_precision_medium=0.2468") == num_tasks
    assert text.count("loss=0.1235") == num_tasks
    assert max(map(len, text.splitlines())) <= 80


def test_lines_beside_the_table_are_as_wide_as_the_terminal():
    facts = {"wall_seconds": 1, "rows_per_second": 1665, "peak_memory_bytes": 2**30, "conflict_share": 0.25}
    summary = {"tasks": {"left": _entry(0.9)}, "best_epoch": 17, "last_epoch": 19, **facts}
    lines = [line.strip() for line in _plain(results_table(summary)).splitlines()]
    assert lines[0] == "Test metrics at the best validation epoch, 17 (last: 19)"
    assert " ".join(lines[-2:]).startswith(
        "1 s, 1,665 rows/s, peak memory 1.00 GiB, 25 % of pairs and steps in conflict,"
    )


def test_a_table_of_nothing():
    assert "Test metrics" in _plain(results_table({}))


def test_direction_in_words_where_arrows_cannot_be_shown(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert judge(_entry(0.5)) == "accuracy (higher is better)"
