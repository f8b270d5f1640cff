"""`simplex(N)`: the weightings of a sweep over plain sums."""

import pytest

from mtlrun.config.simplex import quoted, simplex_points


def test_two_tasks_go_evenly_from_one_end_to_the_other():
    points = simplex_points(["a", "b"], 11)
    assert [point["a"] for point in points] == pytest.approx([0.2 * place for place in range(11)])
    assert points[5] == {"a": 1.0, "b": 1.0}  # the plain sum


@pytest.mark.parametrize("count", [3, 7])
def test_more_tasks_are_covered_from_the_middle_on(count):
    tasks = [f"t{index}" for index in range(count)]
    points = simplex_points(tasks, 50)
    assert points == simplex_points(tasks, 50)
    assert len({tuple(point.values()) for point in points}) == 50
    assert set(points[0].values()) == {1.0}
    for point in points:
        assert [*point] == tasks
        assert min(point.values()) >= 0
        assert sum(point.values()) == pytest.approx(count, abs=1e-3 * count)
    means = [sum(point[task] for point in points) / 50 for task in tasks]
    assert means == pytest.approx([1.0] * count, abs=0.12)  # 50 random points would stray by 0.12 for three tasks


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("balancer.task_weights=simplex(11)", 'balancer.task_weights="simplex(11)"'),
        ("++balancer.task_weights='simplex(3)'", '++balancer.task_weights="simplex(3)"'),
        ("balancer.task_weights={a:1}", "balancer.task_weights={a:1}"),
        ("seed=range(3)", "seed=range(3)"),
    ],
)
def test_hydra_reads_it_as_a_text(word, meant):
    assert quoted(word) == meant
