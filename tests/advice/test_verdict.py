"""What measured scores say; among them those of a short budget that says the opposite of the truth."""

import pytest
from advised import scored

from mtlrun.advice.arrangement import APART, TOGETHER, Arrangement, in_groups
from mtlrun.advice.verdict import (
    asks_for_alternatives,
    beats,
    choose_best,
    corrected,
    judge,
    look_at,
    moving,
    settled,
)

NOISE = (0.0, 0.1, -0.1)
FILM = Arrangement("film", "film", ("sharing=film",))

# study_subspace, eight tasks, three seeds: epochs -> Delta-m of the joint network by seed; tasks better, tasks worse.
SUBSPACE = {
    8: ((15, 7, 28), 0, 2),
    16: ((9, -18, 6), 2, 0),
    32: ((-1, -20, -20), 4, 0),
    40: ((-17, -20, -20), 7, 0),
}


def judged(arrangement=TOGETHER, **deltas):
    """Of tasks with these relative losses in %, by seed, against single-task networks with an error of 1."""
    found = {task: [1 + value / 100 for value in values] for task, values in deltas.items()}
    apart = {task: [1.0] * len(values) for task, values in deltas.items()}
    return judge(arrangement, scored(arrangement.name, found), scored(APART.name, apart))


def looked(length, val=None, apart_val=None, **deltas):
    """The same as one budget's look; `val`: errors on validation rows."""
    found = {task: [1 + value / 100 for value in values] for task, values in deltas.items()}
    apart = {task: [1.0] * len(values) for task, values in deltas.items()}
    return look_at(length, TOGETHER, scored("together", found, val), scored("apart", apart, apart_val))


def with_counts(means, better, worse, tasks=8):
    """Tasks of which so many are separated on either side, and the others spread, with the means by seed."""
    fixed = {f"better{i}": [-22 + e for e in NOISE] for i in range(better)}
    fixed |= {f"worse{i}": [40 + e for e in NOISE] for i in range(worse)}
    rest = tasks - better - worse
    left = [tasks * mean - sum(values[seed] for values in fixed.values()) for seed, mean in enumerate(means)]
    return {f"t{i}": values for i, values in enumerate([*fixed.values(), *[[one / rest for one in left]] * rest])}


def test_the_delta_is_the_reports():
    found = judged(a=[-10, -12, -14], b=[2, 0, -2])
    assert found.by_seed == pytest.approx({0: -4, 1: -6, 2: -8})
    assert found.delta.mean == pytest.approx(-6)
    assert (found.tasks("better"), found.tasks("undecided"), found.effect) == (["a"], ["b"], "gain")
    assert found.line.startswith("together: Delta-m -6.00 % [-10.97, -1.03]: better; a +0.1200")


@pytest.mark.parametrize(
    ("deltas", "effect"),
    [
        ({"a": [-10, -11, -12], "b": [-9, -10, -12]}, "gain"),
        ({"a": [10, 11, 12], "b": [9, 10, 12]}, "loss"),
        ({"a": [-10, -10.1, -10.2], "b": [9, 9.1, 9.2]}, "mixed"),
        ({"a": [-10, 11, 1], "b": [9, -10, 2]}, "open"),
        ({"a": [0, 0, 0], "b": [0, 0, 0]}, "open"),  # two copies of one network
    ],
)
def test_an_arrangement_gains_loses_both_or_neither(deltas, effect):
    assert judged(**deltas).effect == effect


def test_seeds_are_paired_and_others_left_out():
    found, apart = scored("together", {"a": [0.9, 0.8, 0.7]}), scored("apart", {"a": [1.0, 1.0]})
    assert judge(TOGETHER, found, apart).by_seed == pytest.approx({0: -10, 1: -20})
    with pytest.raises(ValueError, match="no seed in common"):
        judge(TOGETHER, found[2:], apart)


def test_a_short_budget_that_says_the_opposite_is_outgrown():
    """The table as it was measured: at a fifth of the epochs tasks are worse, at the end almost all are better."""
    looks, end = [], None
    for length, (means, better, worse) in SUBSPACE.items():
        looks.append(looked(length, **with_counts(means, better, worse)))
        end = settled(looks, last=40, full=40)
        if end is not None:
            break
    assert looks[0].judged.effect == "loss"
    assert len(looks[0].judged.tasks("worse")) == 2
    assert end.effect == "gain"
    assert end.look.length > 16
    assert choose_best(end.look.judged, end.effect, ()).answer == "together"


GAIN = {"a": [-10, -11, -12]}
LOSS = {"a": [10, 11, 12]}
OPEN = {"a": [-10, 11, 1]}


@pytest.mark.parametrize(
    ("looks", "last", "expected"),
    [
        ([(8, GAIN)], 40, None),
        ([(8, GAIN), (16, GAIN)], 40, ("gain", "agree")),
        ([(8, LOSS), (16, GAIN)], 40, None),
        ([(8, LOSS), (16, GAIN)], 16, ("open", "spent")),
        ([(8, GAIN)], 8, ("open", "spent")),
        ([(32, OPEN), (40, GAIN)], 40, ("gain", "full")),
        ([(8, OPEN), (16, OPEN)], 40, ("open", "agree")),
        ([(32, GAIN), (64, LOSS)], 80, None),
        ([(40, LOSS)], 40, ("loss", "full")),
    ],
)
def test_two_budgets_must_agree_or_the_configured_length_decides(looks, last, expected):
    end = settled([looked(length, **deltas) for length, deltas in looks], last, full=40)
    assert (None if end is None else (end.effect, end.reason)) == expected


@pytest.mark.parametrize(
    ("side", "expected"), [("val", [("together", "a")]), ("apart_val", [("apart", "a")]), (None, [])]
)
def test_a_curve_that_still_falls_more_than_the_interval_asks_for_more(side, expected):
    reach = looked(8, **GAIN).judged.row.cells[0].gain.reach
    before = {side: {"a": 1.0}} if side else {}
    now = {side: {"a": 1.0 - 1.01 * reach}} if side else {}
    looks = [looked(8, **before, **GAIN), looked(16, **now, **GAIN)]
    assert [(one.side, one.task) for one in moving(*looks)] == expected
    assert (settled(looks, 40, 40) is None) == bool(expected)
    if side:
        flat = looked(16, **{side: {"a": 1.0 - 0.99 * reach}}, **GAIN)
        assert settled([looks[0], flat], 40, 40).reason == "agree"
        assert settled(looks, 16, 40).effect == "open"  # the budget is spent, and the curves still move


def test_a_task_that_changes_sides_is_no_agreement():
    first = looked(8, a=[-10, -10.1, -10.2], b=[9, 9.1, 9.2])
    second = looked(16, a=[9, 9.1, 9.2], b=[-10, -10.1, -10.2])
    assert settled([first, second], 40, 40) is None


@pytest.mark.parametrize(
    ("deltas", "asked"),
    [
        (GAIN, False),
        (LOSS, True),
        (OPEN, True),
        ({"a": [-10, -10.1, -10.2], "b": [30, -32, 1]}, True),  # one gains, the whole and the other are not decided
        ({"a": [-40, -41, -42], "b": [3, -3.2, 1]}, False),  # the whole is better
    ],
)
def test_other_arrangements_are_tried_where_too_little_is_decided(deltas, asked):
    end = settled([looked(8, **deltas), looked(16, **deltas)], 40, 40)
    assert asks_for_alternatives(end) == asked


def test_nothing_is_tried_on_networks_that_still_learn():
    assert not asks_for_alternatives(settled([looked(8, **LOSS)], 8, 40))


GROUPS = in_groups((("a",), ("b", "c")))


@pytest.mark.parametrize(
    ("together", "others", "answer", "best"),
    [
        ([-10, -11, -12], {}, "together", "together"),
        ([-10, -11, -12], {GROUPS: [-12, -10, -13]}, "together", "together"),  # not separated: the simpler one
        ([-10, -11, -12], {GROUPS: [-30, -31, -33]}, "otherwise", GROUPS.name),
        ([10, 11, 12], {GROUPS: [-30, -31, -32], FILM: [-20, -21, -22]}, "otherwise", GROUPS.name),
        ([10, 11, 12], {FILM: [1, -2, 0.5]}, "apart", None),
        ([10, 11, 12], {}, "apart", None),
        ([-10, 11, 1], {FILM: [1, -2, 0.5]}, "undecided", None),
        ([-10, 11, 1], {GROUPS: [-30, -31, -32]}, "otherwise", GROUPS.name),
    ],
)
def test_the_best_measured_one_is_the_answer(together, others, answer, best):
    joint = judged(a=together)
    choice = choose_best(joint, joint.effect, corrected([judged(one, a=values) for one, values in others.items()]))
    assert choice.answer == answer
    assert (choice.best.arrangement.name if choice.best else None) == best
    if answer == "apart":
        assert [one.arrangement for one in choice.as_good] == [*others]


@pytest.mark.parametrize(
    ("together", "film", "answer"),
    [
        ({"a": [-40, -41, -42], "b": [9, 9.1, 9.2]}, None, "together"),  # a task pays, and the whole gains
        ({"a": [-40, -41, -42], "b": [9, 9.1, 9.2]}, {"a": [-40, -41, -42], "b": [-1, 1, 0]}, "otherwise"),
        ({"a": [-40, -41, -42], "b": [9, 9.1, 9.2]}, {"a": [-10, -11, -12], "b": [-1, 1, 0]}, "together"),
        ({"a": [-9, -9.1, -9.2], "b": [9, 9.1, 9.2]}, None, "apart"),
        ({"a": [-30, -1, -60], "b": [-9, -9.1, -9.2]}, {"a": [-9, -9.1, -9.2], "b": [-9, -9.1, -9.2]}, "otherwise"),
        ({"a": [-30, -1, -60], "b": [-9, -9.1, -9.2]}, None, "together"),
    ],
)
def test_a_task_that_pays_is_weighed_on_the_whole(together, film, answer):
    joint = judged(**together)
    assert choose_best(joint, joint.effect, [judged(FILM, **film)] if film else []).answer == answer


def test_several_alternatives_are_corrected_together():
    close = [-10, -13, -16.5]
    one = judged(FILM, a=close, b=[50, -60, 1])
    two = judged(FILM, a=[-9, -10, -11], b=[-9, -10, -11])
    assert [found.row.verdict for found in corrected([two])] == ["better"]
    adjusted = corrected([two, one, one, one, one, one, one])[0]
    assert adjusted.delta.adjusted == pytest.approx(min(1.0, 7 * two.delta.p))


def test_one_beats_another_by_the_seeds_that_both_have():
    assert beats(judged(a=[-30, -31, -33]), judged(a=[-10, -12, -11]))
    assert not beats(judged(a=[-10, -12, -11]), judged(a=[-30, -31, -33]))
    assert not beats(judged(a=[-30, -1, -33]), judged(a=[-10, -12, -11]))
