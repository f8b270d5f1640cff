"""Results that must not be taken at their face value are named, others are not."""

import pytest

from mtlrun.reporting.doubts import doubts


def summary(metric="accuracy", higher=True, val=(0.9, 0.3), test=(0.1, 4.0)):
    entry = {"metric": metric, "higher_is_better": higher}
    parts = {split: {metric: judged, "loss": loss} for split, (judged, loss) in {"val": val, "test": test}.items()}
    return {"tasks": {"sign": {**entry, "best": parts}}}


def test_names_task_metric_and_both_values():
    (line,) = doubts(summary())
    assert line.startswith("task 'sign': accuracy 0.1 on test rows, 0.9 on validation rows: ")


@pytest.mark.parametrize(
    "case",
    [
        summary(test=(0.88, 0.35)),
        summary(val=(0.04, 3.0), test=(0.01, 3.2)),  # a metric near 0 is half as good by chance; its loss is not
        summary(test=(0.8, 4.0)),
        summary("mae", False, val=(1.0, 2.0), test=(1.1, 5.0)),
        summary("r2", True, val=(-0.1, 1.0), test=(-0.9, 5.0)),  # nothing was learned in the first place
        summary(test=(None, None)),  # not finite
        {"tasks": {"sign": {"metric": "accuracy", "higher_is_better": True}}},
        {},
    ],
)
def test_says_nothing_where_there_is_nothing_to_say(case):
    assert doubts(case) == []


def test_lower_is_better():
    (line,) = doubts(summary("mae", False, val=(1.0, 2.0), test=(3.0, 5.0)))
    assert "mae 3 on test rows, 1 on validation rows" in line
