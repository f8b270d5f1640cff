"""From which step on a point is on the front: read off the run's own table."""

import pytest

from mtlrun.reporting.reproduced import _path, _since
from mtlrun.runs.records import METRICS, CsvTable

FRONT = {"x1": (-7.3, 7.3), "x2": (-9.36, -7.36)}
AWAY, THERE = (9.0, 9.0), (0.0, -8.0)


@pytest.mark.parametrize(
    ("points", "since"),
    [
        ([AWAY, THERE, THERE], 20),
        ([THERE, AWAY, THERE], 30),
        ([THERE, THERE, AWAY], None),
        ([], None),
    ],
)
def test_the_first_step_after_which_it_is_not_left_any_more(points, since, tmp_path):
    rows = [
        (place, 10 * (place + 1), split, "first", name, value)
        for place, point in enumerate(points)
        for split, shown in (("val", point), ("train", THERE))
        for name, value in zip(FRONT, shown)
    ]
    CsvTable(tmp_path / "metrics.csv", METRICS).append(rows)
    assert _since(_path(str(tmp_path), "first", FRONT), FRONT) == since
