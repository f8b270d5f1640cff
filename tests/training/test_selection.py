"""Which epoch is the best one, and when test rows are looked at."""

import math

import pytest

from mtlrun.errors import ConfigError, ResumeError
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.detection import Detection
from mtlrun.tasks.regression import Regression
from mtlrun.tasks.segmentation import Segmentation
from mtlrun.tasks.token_classification import TokenClassification
from mtlrun.training import selection as selection_module
from mtlrun.training.score import overall_score
from mtlrun.training.selection import Selection
from mtlrun.training.settings import Select, SelectOn

TASKS = {"kind": Classification("kind", classes=2), "size": Regression("size")}


def scores(accuracy, mae, loss=1.0):
    return {"kind": {"accuracy": accuracy, "f1": 0.5, "loss": loss}, "size": {"mae": mae, "loss": loss}}


def test_score_is_the_geometric_mean_with_errors_inverted():
    assert overall_score(scores(0.8, 0.2), TASKS) == pytest.approx(math.sqrt(0.8 / 0.2))


@pytest.mark.parametrize(
    ("tasks", "monitor", "words"),
    [
        (TASKS, None, "geometric mean of kind accuracy, 1 / size mae on validation rows; higher is better"),
        ({"kind": TASKS["kind"]}, None, "kind accuracy on validation rows; higher is better"),
        (
            {f"kind{number}": Classification(f"kind{number}", classes=2) for number in range(40)},
            None,
            "geometric mean of the judging metrics of 40 tasks on validation rows; higher is better",
        ),
        (TASKS, "kind/f1", "kind/f1 on validation rows"),
        (TASKS, "size/mae", "size/mae on validation rows, negative since lower is better"),
    ],
)
def test_the_score_is_said_in_words(tasks, monitor, words):
    assert Selection(tasks, monitor).meaning() == f"score: {words}"


def test_units_do_not_change_the_order_of_epochs():
    epochs = [(0.8, 0.2), (0.7, 0.1), (0.9, 0.3)]
    metres = [overall_score(scores(a, m), TASKS) for a, m in epochs]
    millimetres = [overall_score(scores(a, 1000 * m), TASKS) for a, m in epochs]
    assert sorted(range(3), key=metres.__getitem__) == sorted(range(3), key=millimetres.__getitem__)


def test_zero_and_nan_do_not_decide_everything():
    assert overall_score(scores(0.0, 1.0), TASKS) > 0
    assert overall_score(scores(math.nan, 0.5), TASKS) == pytest.approx(2.0)
    assert overall_score(scores(math.nan, math.nan), TASKS) == -math.inf


@pytest.mark.parametrize(
    ("monitor", "better", "worse"),
    [
        ("kind/f1", {"kind": {"f1": 0.6}}, {"kind": {"f1": 0.5}}),
        ("size/mae", {"size": {"mae": 0.5}}, {"size": {"mae": 0.6}}),
        ("kind/loss", {"kind": {"loss": 0.5}}, {"kind": {"loss": 0.6}}),
    ],
)
def test_monitor_follows_the_direction_of_its_metric(monitor, better, worse):
    selection = Selection(TASKS, monitor)
    assert selection.score(better) > selection.score(worse)


def test_patience_counts_evaluations_without_a_better_score():
    selection = Selection(TASKS, patience=2)
    courses = [scores(0.8, mae) for mae in (0.2, 0.3, 0.1, 0.1)]
    assert [selection.update(course, epoch) for epoch, course in enumerate(courses)] == [1, 0, 1, 0]
    assert not selection.exhausted()
    selection.update(scores(0.8, 0.2), 4)
    assert selection.exhausted()
    assert selection.best_epoch == 2


def test_continues_from_its_state():
    selection, other = Selection(TASKS, patience=3), Selection(TASKS, patience=3)
    selection.update(scores(0.8, 0.2), 0)
    selection.update(scores(0.8, 0.3), 1)
    other.load_state_dict(selection.state_dict())
    assert (other.best_score, other.best_epoch, other.waited) == (pytest.approx(2.0), 0, 1)
    assert other.validation == {"best": scores(0.8, 0.2), "last": scores(0.8, 0.3)}


def best_of(*epochs, monitor=None):
    selection = Selection(TASKS, monitor)
    for epoch, (accuracy, mae) in enumerate(epochs):
        selection.update(scores(accuracy, mae), epoch)
    return selection.best_epoch


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        ([(math.nan, math.nan), (0.1, 9.0)], 1),
        ([(math.nan, 0.01), (0.8, 0.2), (math.nan, 0.01)], 1),  # of one task alone it is the better score
        ([(0.8, 0.2), (math.nan, math.nan)], 0),
        ([(math.nan, 0.2), (math.nan, 0.1), (math.nan, 0.3)], 1),  # a task that no epoch has a score of
        ([(math.nan, math.nan)] * 2, 0),
    ],
)
def test_nan_is_never_better_and_scores_are_compared_over_the_same_tasks(epochs, best):
    assert best_of(*epochs) == best


@pytest.mark.parametrize(("course", "best"), [([math.nan, 5.0, 6.0], 1), ([5.0, math.nan], 0), ([math.nan] * 2, 0)])
def test_a_monitored_metric_that_is_nan(course, best):
    assert best_of(*[(0.5, mae) for mae in course], monitor="size/mae") == best


class Counting:
    """Stands in for the evaluator and for the table: counts evaluations, keeps what is written."""

    def __init__(self):
        self.evaluations, self.written = 0, []

    def evaluate(self, sources):
        self.evaluations += 1
        return {"kind": {"accuracy": self.evaluations / 10}}

    def write(self, epoch, step, split, found):
        self.written.append((epoch, step, split, found["kind"]["accuracy"]))


def test_test_rows_are_scored_once_a_step_and_at_late_epochs():
    counting = Counting()
    made = [selection_module.TestScores(counting, [], counting, late) for late in ({14, 21}, {14, 21}, set())]
    tests, resumed, never = made
    for epoch, step in enumerate((7, 14)):
        tests.after_epoch(epoch, step)
        never.after_epoch(epoch, step)
    assert counting.written == [(1, 14, "test", 0.1)]
    resumed.load_state_dict(tests.state_dict())
    assert resumed.at(1, 14) == {"kind": {"accuracy": 0.1}}
    resumed.at(0, 7)
    resumed.after_epoch(2, 21)
    assert counting.evaluations == 3
    assert [found["kind"]["accuracy"] for found in resumed.late()] == [0.1, 0.3]  # the best epoch's is no late one


COURSE = [(0.5, 2.0), (0.9, 2.4), (0.6, 1.8)]
ONE = {"kind": {"accuracy": 0.5}, "size": {"mae": 2.0}}
TWO = {"kind": {"accuracy": 0.5, "f1": 0.5}, "size": {"mae": 2.0}}


def chosen(select, epochs=COURSE, reference=None, tasks=TASKS):
    selection = Selection(tasks, select=Select(select), reference=reference)
    for epoch, (accuracy, mae) in enumerate(epochs):
        selection.update(scores(accuracy, mae), epoch)
    return selection


@pytest.mark.parametrize(
    ("select", "reference", "epoch", "score"),
    [
        ("delta_m", ONE, 1, (80 - 20) / 2),
        ("delta_m", TWO, 1, (80 + 0 - 20) / 3),  # all metrics alike
        ("delta_p", TWO, 1, ((80 + 0) / 2 - 20) / 2),  # a task's metrics first
        ("delta_m", "first", 1, (80 - 20) / 2),
        ("last", None, 2, math.sqrt(0.6 / 1.8)),
    ],
)
def test_rules_choose_by_their_formula(select, reference, epoch, score):
    selection = chosen(select, reference=reference)
    assert (selection.best_epoch, selection.best_score) == (epoch, pytest.approx(score))


@pytest.mark.parametrize(
    ("task", "counted"),
    [
        (Segmentation("road", classes=["lane", "car"]), ["miou", "pixel_accuracy"]),
        (Detection("road", classes=["lane", "car"]), ["map", "map_50", "map_75"]),
        (TokenClassification("road", classes=["O", "B-lane", "I-lane"]), ["f1", "precision", "recall"]),
    ],
)
def test_delta_p_counts_no_single_class(task, counted):
    assert [metric for metric in task.counted if metric in counted] == counted
    assert not [metric for metric in task.counted if metric.endswith(("_lane", "_car"))]
    first = dict.fromkeys(task.directions, 0.5)
    later = {metric: 0.6 if metric in task.counted else 0.1 for metric in first}
    selection = Selection({"road": task}, select=Select.delta_p, reference="first")
    for epoch, row in enumerate([first, later]):
        selection.update({"road": row}, epoch)
    assert selection.best_score == pytest.approx(20)


def test_arithmetic_mean_needs_one_direction():
    kinds = {"kind": TASKS["kind"], "other": Classification("other", classes=2)}
    rows = [{name: {"accuracy": value} for name, value in zip(kinds, pair)} for pair in [(0.5, 0.5), (0.1, 0.99)]]
    best = {}
    for select in (Select.geometric, Select.arithmetic):
        selection = Selection(kinds, select=select)
        for epoch, row in enumerate(rows):
            selection.update(row, epoch)
        best[select.value] = selection.best_epoch
    assert best == {"geometric": 0, "arithmetic": 1}
    with pytest.raises(ConfigError, match=r"select=arithmetic: some tasks' judging metrics are better when higher"):
        Selection(TASKS, select=Select.arithmetic)


def test_gains_are_compared_over_the_same_tasks_and_nan_is_no_gain():
    assert chosen("delta_m", [(math.nan, 0.1), (0.6, 1.9), (0.9, math.nan)], ONE).best_epoch == 1


def test_a_metric_that_is_nan_at_first_is_compared_with_its_first_number():
    selection = chosen("delta_m", [(math.nan, 2.0), (0.6, 2.4), (0.9, 2.4)], "first")
    assert (selection.best_epoch, selection.best_score) == (2, pytest.approx((50 - 20) / 2))


def test_test_scores_choose_where_asked_and_validation_is_what_is_kept():
    selection = Selection(TASKS, on=SelectOn.test)
    for epoch, (val, test) in enumerate([((0.9, 1.0), (0.5, 1.0)), ((0.4, 1.0), (0.8, 1.0))]):
        selection.update(scores(*val), epoch, scores(*test))
    assert (selection.best_epoch, selection.best_score) == (1, pytest.approx(math.sqrt(0.4)))
    assert selection.validation["best"] == scores(0.4, 1.0)
    assert selection.stated() == {"select": "geometric", "on": "test"}


def test_the_first_reference_is_kept_over_a_resume_and_another_rule_is_refused():
    before, after = chosen("delta_p", COURSE[:1], "first"), Selection(TASKS, select=Select.delta_p, reference="first")
    after.load_state_dict(before.state_dict())
    assert after.score(scores(0.9, 2.4)) == pytest.approx(chosen("delta_p", reference="first").best_score)
    with pytest.raises(ResumeError, match=r"compared by trainer.select=delta_p trainer.select_on=val: keep it"):
        Selection(TASKS).load_state_dict(before.state_dict())


def test_another_monitor_or_reference_is_refused_over_a_resume():
    """The best so far was measured by the one before, in its unit."""
    monitored = Selection(TASKS, "kind/f1")
    monitored.update(scores(0.9, 2.0), 0)
    Selection(TASKS, "kind/f1").load_state_dict(monitored.state_dict())
    with pytest.raises(ResumeError, match=r"compared by trainer.monitor=kind/f1 trainer.select_on=val: keep it"):
        Selection(TASKS, "size/mae").load_state_dict(monitored.state_dict())
    given = {"kind": {"accuracy": 0.5}, "size": {"mae": 2.0}}
    measured = Selection(TASKS, select=Select.delta_m, reference=given)
    measured.update(scores(0.9, 2.0), 0)
    Selection(TASKS, select=Select.delta_m, reference=given).load_state_dict(measured.state_dict())
    other = Selection(TASKS, select=Select.delta_m, reference={**given, "size": {"mae": 1.0}})
    with pytest.raises(ResumeError, match=r"compared with another trainer.reference: keep it"):
        other.load_state_dict(measured.state_dict())
