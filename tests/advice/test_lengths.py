"""Budgets: a fifth, doubled, up to what may be spent."""

import pytest

from mtlrun.advice.lengths import TrainingLength, budgets, training_length


@pytest.mark.parametrize(
    ("full", "share", "expected"),
    [
        (40, 1.0, [8, 16, 32, 40]),
        (40, 0.5, [8, 16, 20]),
        (40, 0.2, [8]),
        (40, 0.1, [4]),
        (40, 2.0, [8, 16, 32, 64, 80]),
        (150, 1.0, [30, 60, 120, 150]),
        (5, 1.0, [1, 2, 4, 5]),
        (1, 1.0, [1]),
        (3, 0.1, [1]),
    ],
)
def test_a_fifth_is_doubled_until_the_budget_is_spent(full, share, expected):
    assert budgets(full, share) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((40, None, 5), ("trainer.epochs", 40)),
        ((40, 1000, 5), ("trainer.epochs", 40)),
        ((40, 120, 5), ("trainer.max_steps", 120)),
        ((3, None, 50), ("trainer.max_steps", 150)),
    ],
)
def test_the_setting_that_bounds_a_run_is_what_is_doubled(settings, expected):
    found = training_length(*settings)
    assert (found.key, found.full) == expected


def test_it_is_said_in_its_unit():
    assert TrainingLength("trainer.max_steps", 150).said(30) == "30 of 150 steps"
    assert TrainingLength("trainer.epochs", 40).word(8) == "trainer.epochs=8"
