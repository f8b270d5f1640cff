"""Clicks of all rows, purchases of clicked ones, and effects that are there to be learned."""

import inspect

import pytest
import torch
import yaml

from mtlrun.data.drawn.shop_visits import PRICE, draw_visits
from mtlrun.data.sets import clicks
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF

SMALL = {"num_rows": {"train": 600, "val": 100, "test": 200}, "users": 50, "items": 300, "shops": 8}


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "clicks.yaml").read_text())
    del stated["_target_"], stated["num_rows"]
    defaults = {name: parameter.default for name, parameter in inspect.signature(clicks.load).parameters.items()}
    del defaults["num_rows"]
    assert stated == defaults


def test_purchases_are_known_where_there_was_a_click():
    splits = clicks.load(**SMALL)
    for [source] in (splits.train, splits.val, splits.test):
        _, targets = source.fetch(torch.arange(len(source)))
        assert source.labelled("click").all()
        assert torch.equal(source.labelled("purchase"), targets["click"][:, 0] == 1)
    assert [len(part[0]) for part in (splits.train, splits.val, splits.test)] == [600, 100, 200]


def test_numbers_then_codes_of_values_that_are_not_rare():
    splits = clicks.load(**SMALL, rare=3)
    [source] = splits.train
    assert [column.name for column in source.columns] == ["price", "age", "user", "item", "shop", "hour", "device"]
    codes = source.fetch(torch.arange(600))[0][:, 3]
    counts = torch.bincount(codes.long())
    assert len(counts) == source.columns[3].codes
    assert counts[1:].min() >= 3
    assert counts[0] > 0  # the tail


def test_the_same_seed_draws_the_same_rows():
    one, two, other = (clicks.load(**SMALL, seed=seed) for seed in (0, 0, 1))
    rows = torch.arange(600)
    assert torch.equal(one.train[0].fetch(rows)[0], two.train[0].fetch(rows)[0])
    assert not torch.equal(one.train[0].fetch(rows)[0], other.train[0].fetch(rows)[0])


def likeness(relatedness):
    """Correlation of the logits of both tasks, without what the price adds."""
    generator = torch.Generator().manual_seed(0)
    visits = draw_visits(5000, {"user": 2000, "item": 2000, "shop": 50}, relatedness, generator)
    purchase = visits.logits["purchase"] - PRICE * (visits.price.log() - 3)
    return float(torch.corrcoef(torch.stack([visits.logits["click"], purchase]))[0, 1])


def test_effects_are_related_as_asked():
    assert likeness(-1.0) < likeness(0.0) < likeness(0.5) < likeness(1.0)
    assert likeness(1.0) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"users": 1}, "data.users should be a whole number from 2"),
        ({"relatedness": 2}, "data.relatedness must be a number from -1 to 1"),
        ({"rare": 0}, "data.rare must be"),
    ],
)
def test_wrong_options_are_told(options, message):
    with pytest.raises(ConfigError, match=message):
        clicks.load(**{**SMALL, **options})
