"""Drawing rows: exact shares, exact batch sizes, shuffled passes, exact continuation."""

import copy

import pytest
import torch

from mtlrun.data.source import TensorSource
from mtlrun.errors import ConfigError
from mtlrun.samplers.base import Sampler, TrainingProgress
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.curriculum import Curriculum, Stage
from mtlrun.samplers.examples import Examples
from mtlrun.samplers.pools import make_pools, task_sizes
from mtlrun.samplers.proportional import Proportional
from mtlrun.samplers.temperature import Temperature
from mtlrun.samplers.uniform import Uniform

TASKS = ("a", "b", "c")


def source(name, rows, tasks, labelled=None):
    return TensorSource(name, torch.zeros(rows, 1), {t: torch.zeros(rows) for t in tasks}, labelled)


def pools():
    """Tasks a and b on 900 rows of one source, c on 100 rows of another."""
    return make_pools([source("big", 900, ["a", "b"]), source("small", 100, ["c"])], TASKS)


def steps_of(steps):
    return [TrainingProgress(step, step // 10, step / steps) for step in range(steps)]


class Given(Sampler):
    def __init__(self, shares):
        self.shares = shares

    def probabilities(self, sizes, progress):
        return self.shares


def test_tasks_on_the_same_rows_form_one_pool():
    half = torch.arange(10) < 5
    made = make_pools([source("s", 10, ["a", "b", "c"], {"b": half})], TASKS)
    assert [(pool.tasks, len(pool.rows)) for pool in made] == [(("a", "c"), 10), (("b",), 5)]
    assert task_sizes(made, TASKS) == {"a": 10, "b": 5, "c": 10}


def test_a_task_without_a_labelled_row_in_a_source_has_no_pool_there():
    made = make_pools([source("s", 10, ["a", "b"], {"b": torch.zeros(10).bool()}), source("t", 4, ["b"])], TASKS)
    assert [(pool.source, pool.tasks) for pool in made] == [("s", ("a",)), ("t", ("b",))]
    rows = BatchSampler(Uniform(), made, ("a", "b"), batch_size=4, seed=0).next(steps_of(1)[0]).rows
    assert {name: len(part) for name, part in rows.items()} == {"s": 2, "t": 2}


def test_a_task_with_two_sources_takes_from_each_in_proportion_to_its_rows():
    made = make_pools([source("one", 300, ["a"]), source("two", 100, ["a"])], ("a",))
    batches = BatchSampler(Uniform(), made, ("a",), batch_size=10, seed=0)
    drawn = [batches.next(progress).rows for progress in steps_of(20)]
    assert [sum(len(rows[name]) for rows in drawn) for name in ("one", "two")] == [150, 50]


def test_sources_of_one_size_are_passed_through_in_orders_of_their_own():
    made = make_pools([source("one", 50, ["a"]), source("two", 50, ["b"])], ("a", "b"))
    rows = BatchSampler(Uniform(), made, ("a", "b"), batch_size=100, seed=0).next(steps_of(1)[0]).rows
    assert not torch.equal(rows["one"], rows["two"])


@pytest.mark.parametrize(
    ("sampler", "share_of_c"),
    [
        (Uniform(), 1 / 3),
        (Proportional(), 100 / 1900),
        (Temperature(1.0), 100 / 1900),
        (Temperature(2.0), 10 / 70),
        (Temperature(float("inf")), 1 / 3),
    ],
)
def test_long_run_shares_are_exact(sampler, share_of_c):
    batches = BatchSampler(sampler, pools(), TASKS, batch_size=32, seed=0)
    drawn = 0
    for step, progress in enumerate(steps_of(400), start=1):
        rows = batches.next(progress).rows
        assert sum(len(part) for part in rows.values()) == 32
        drawn += len(rows.get("small", ()))
        assert abs(drawn - 32 * step * share_of_c) < 1


def test_a_task_with_less_than_one_row_a_batch_is_still_seen():
    batches = BatchSampler(Given({"a": 0.995, "c": 0.005}), pools(), TASKS, batch_size=10, seed=0)
    counts = [len(batches.next(progress).rows.get("small", ())) for progress in steps_of(1000)]
    assert sum(counts) == 50
    assert set(counts) == {0, 1}


def test_every_row_is_seen_once_a_pass_in_a_new_order():
    batches = BatchSampler(Given({"c": 1.0}), pools(), TASKS, batch_size=30, seed=3)
    rows = torch.cat([batches.next(progress).rows["small"] for progress in steps_of(10)])
    passes = rows.view(3, 100)
    assert all(torch.equal(one.sort().values, torch.arange(100)) for one in passes)
    assert not torch.equal(passes[0], passes[1])


def test_order_depends_on_the_seed_alone():
    first, again, other = (BatchSampler(Uniform(), pools(), TASKS, 32, seed) for seed in (0, 0, 1))
    for progress in steps_of(40):
        a, b, c = (batches.next(progress).rows["big"] for batches in (first, again, other))
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


@pytest.mark.parametrize("sampler", [Uniform(), Temperature(3.0), Curriculum(), Examples()])
def test_continues_exactly(sampler):
    straight = BatchSampler(sampler, pools(), TASKS, 7, seed=0)
    ahead = steps_of(60)
    losses = [torch.rand(len(pool.rows), generator=torch.Generator().manual_seed(0)) for pool in straight.pools]
    for progress in ahead[:25]:
        straight.next(progress)
    straight.keep_easiest(losses, ahead[25]) if sampler.wants_row_losses else None
    resumed = BatchSampler(sampler, pools(), TASKS, 7, seed=0)
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for progress in ahead[25:]:
        a, b = straight.next(progress), resumed.next(progress)
        assert a.tasks == b.tasks
        assert a.rows.keys() == b.rows.keys()
        assert all(torch.equal(a.rows[name], b.rows[name]) for name in a.rows)


def test_batches_stay_exact_while_shares_jump_about():
    generator = torch.Generator().manual_seed(0)
    single = make_pools([source(t, 50, [t]) for t in "abcdefgh"], "abcdefgh")
    given = Given({})
    batches = BatchSampler(given, single, tuple("abcdefgh"), batch_size=5, seed=0)
    for progress in steps_of(300):
        active = [t for t in "abcdefgh" if torch.rand((), generator=generator) < 0.6] or ["a"]
        shares = torch.rand(len(active), generator=generator).pow(4)
        given.shares = dict(zip(active, (shares / shares.sum()).tolist()))
        rows = batches.next(progress).rows
        assert sum(len(part) for part in rows.values()) == 5
        assert set(rows) <= set(active)


def test_a_pool_that_is_left_with_the_debts_of_many_gets_no_negative_rows():
    """Half of 40 pools have had a row of the 20 so far; the others, which are owed theirs, are alone from then on."""
    names = tuple(f"t{number:02d}" for number in range(40))
    given = Given(dict.fromkeys(names, 1 / 40))
    batches = BatchSampler(given, make_pools([source(t, 50, [t]) for t in names], names), names, batch_size=2, seed=0)
    steps = steps_of(11)
    seen = {name for progress in steps[:10] for name in batches.next(progress).rows}
    left = [name for name in names if name not in seen]
    assert len(left) == 20
    given.shares = dict.fromkeys(left, 0.1 / 19) | {left[0]: 0.9}
    assert sum(len(part) for part in batches.next(steps[10]).rows.values()) == 2


def test_the_easiest_of_few_rows_are_at_least_one():
    made = make_pools([source("few", 3, ["a"])], ("a",))
    batches = BatchSampler(Examples(start=0.1, full_at=0.5), made, ("a",), 4, seed=0)
    batches.keep_easiest([torch.tensor([2.0, 0.0, 1.0])], TrainingProgress(0, 0, 0.0))
    assert batches.next(TrainingProgress(0, 0, 0.0)).rows["few"].tolist() == [1] * 4


def test_curriculum_stage_names_its_tasks_and_its_sampler():
    stages = [
        Stage(["c"], from_fraction=0.0),
        Stage(["a", "c"], from_epoch=2, sampler=Proportional()),
        Stage(None, from_fraction=0.5),
    ]
    batches = BatchSampler(Curriculum(stages), pools(), TASKS, 10, seed=0)
    draws = [batches.next(progress) for progress in steps_of(60)]
    assert [draws[step].tasks for step in (0, 19, 20, 29, 30)] == [
        ("c",),
        ("c",),
        ("a", "c"),
        ("a", "c"),
        TASKS,
    ]
    assert sum(len(draw.rows["small"]) for draw in draws[20:30]) == 10  # proportional: 100 of 1000


def test_examples_uses_the_easiest_rows_first():
    batches = BatchSampler(Examples(start=0.2, full_at=0.5), pools(), TASKS, 50, seed=0)
    hard_last = [torch.arange(len(pool.rows), dtype=torch.float32) for pool in batches.pools]
    for fraction, share in ((0.0, 0.2), (0.25, 0.6), (0.5, 1.0), (0.9, 1.0)):
        progress = TrainingProgress(0, 0, fraction)
        batches.keep_easiest(hard_last, progress)
        rows = torch.cat([batches.next(progress).rows["big"] for _ in range(40)])
        assert rows.max() == round(share * 900) - 1


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: Temperature(0), "temperature"),
        (lambda: Examples(start=0), "start"),
        (lambda: Examples(pacing="lineer"), "did you mean 'linear'"),
        (lambda: Curriculum([Stage(["a"], from_epoch=1)]), "begins at the start"),
        (lambda: Stage(["a"]), "from_epoch and from_fraction"),
        (lambda: Curriculum([Stage(["z"], from_epoch=0)]).check(["a"]), "'z'"),
        (lambda: Curriculum([Stage(None, from_epoch=0), Stage([], from_epoch=3)]).check(["a"]), "names no task"),
        (lambda: Examples(sampler=Curriculum([Stage(["z"], from_epoch=0)])).check(["a"]), "'z'"),
    ],
)
def test_mistakes_are_named(build, word):
    with pytest.raises(ValueError, match=word):
        build()


def test_what_does_not_fill_a_batch_is_left_out():
    """Ten rows in batches of four: two whole ones of a pass, then a new pass; without it the third takes the rest."""
    batches = BatchSampler(Uniform(), make_pools([source("s", 10, ["a"])], ("a",)), ("a",), batch_size=4, seed=0)
    drawn = []
    for progress in steps_of(40):
        if progress.step % 2 == 0:
            batches.drop_rest()
        drawn.append(batches.next(progress).rows["s"])
    epochs = [torch.cat(drawn[step : step + 2]) for step in range(0, 40, 2)]
    assert all(len(epoch.unique()) == 8 for epoch in epochs)
    assert set(torch.cat(epochs).tolist()) == set(range(10))
    first = BatchSampler(Uniform(), make_pools([source("s", 10, ["a"])], ("a",)), ("a",), batch_size=4, seed=0)
    assert torch.equal(first.next(steps_of(1)[0]).rows["s"], drawn[0]), "a pass that has just begun is not dropped"


def test_an_answer_that_is_changed_in_place_is_followed_and_looked_at():
    """Answers are kept from step to step: not the sampler's own dict, which it may write into."""
    shares = {"a": 0.0, "b": 0.0, "c": 1.0}
    batches = BatchSampler(Given(shares), pools(), TASKS, 10, seed=0)
    assert batches.next(TrainingProgress(0, 0, 0.0)).tasks == ("c",)
    shares.update(a=1.0, c=0.0)
    drawn = batches.next(TrainingProgress(1, 0, 0.1))
    assert (drawn.tasks, [*drawn.rows]) == (("a",), ["big"])
    shares.update(a=2.0)
    with pytest.raises(ConfigError, match="its probabilities sum to 1"):
        batches.next(TrainingProgress(2, 0, 0.2))
