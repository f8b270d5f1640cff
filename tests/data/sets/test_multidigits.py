import inspect
from pathlib import Path

import pytest
import torch
import yaml

from mtlrun.data.drawn.overlay import draw_pairs, overlay, passes
from mtlrun.data.sets import multidigits
from mtlrun.errors import ConfigError

CONF = Path(__file__).parents[3] / "conf"
FEW = {"num_train": 60, "num_val": 20, "num_test": 20}


def rows_of(splits, split):
    [source] = getattr(splits, split)
    inputs, targets = source.fetch(torch.arange(len(source)))
    return inputs, targets["left"], targets["right"]


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "multidigits.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.multidigits.load"
    assert stated == {name: p.default for name, p in inspect.signature(multidigits.load).parameters.items()}


def test_shapes_types_and_counts():
    splits = multidigits.load(**FEW)
    for split, count in (("train", 60), ("val", 20), ("test", 20)):
        inputs, left, right = rows_of(splits, split)
        assert (inputs.shape, inputs.dtype) == ((count, 1, 28, 28), torch.uint8)
        assert left.dtype == right.dtype == torch.int64
    assert "1079/359/359" in splits.statement


def test_items_lie_in_opposite_corners_with_their_labels():
    digits = multidigits.load_digits(scale=3)
    inputs, left, right = rows_of(multidigits.load(size=48, **FEW), "train")
    known = {image.numpy().tobytes(): int(label) for image, label in zip(digits.images, digits.labels)}
    assert [known[image.numpy().tobytes()] for image in inputs[:, 0, :24, :24].contiguous()] == left.tolist()
    assert [known[image.numpy().tobytes()] for image in inputs[:, 0, 24:, 24:].contiguous()] == right.tolist()


def test_no_digit_is_in_two_splits():
    parts = multidigits.split_rows(1797, torch.Generator().manual_seed(0))
    assert sorted(torch.cat(parts).tolist()) == list(range(1797))


def test_same_seed_same_data_other_seed_other_data():
    first, again, other = (rows_of(multidigits.load(seed=seed, **FEW), "val")[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_training_inputs_are_standardised():
    [source] = multidigits.load(**FEW).train
    prepared = source.prepare(source.fetch(torch.arange(60))[0])
    assert prepared.mean().item() == pytest.approx(0, abs=1e-5)
    assert prepared.std(correction=0).item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_equal_classes_can_be_left_out(split):
    _, left, right = rows_of(multidigits.load(same_class=False, num_train=500, num_val=500, num_test=500), split)
    assert (left != right).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_val": 0}, "data.num_val should be a whole number from 1 to 10000000, found 0"),
        ({"size": 20}, "needs data.size=24 pixels or more, found data.size=20"),
        ({"scale": 0}, "data.scale=0"),
        ({"num_train": 10**13}, "data.num_train should be a whole number from 1 to 10000000, found 10000000000000"),
        ({"size": 10**7}, "data.size should be a whole number from 1 to 4096, found 10000000"),
        ({"scale": 100_000, "size": 800_000}, "data.size should be a whole number from 1 to 4096, found 800000"),
        ({"num_train": 10**7, "size": 4000}, "data: 10002000 rows of 16000000 values are 1.6e.14 in all"),
    ],
)
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        multidigits.load(**options)


def test_overlay_keeps_the_brighter_pixel():
    left, right = torch.full((1, 2, 2), 9, dtype=torch.uint8), torch.full((1, 2, 2), 5, dtype=torch.uint8)
    expected = [[9, 9, 0], [9, 9, 5], [0, 5, 5]]
    assert overlay(left, right, size=3, offset=1)[0].tolist() == expected


def test_passes_use_every_item_before_any_a_second_time():
    drawn = passes(5, 12, torch.Generator().manual_seed(0))
    assert sorted(drawn[:5].tolist()) == sorted(drawn[5:10].tolist()) == list(range(5))
    assert drawn[:5].tolist() != drawn[5:10].tolist()


def test_one_class_cannot_make_unequal_pairs():
    labels = torch.zeros(4, dtype=torch.int64)
    with pytest.raises(ConfigError, match="same_class=true"):
        draw_pairs(labels, labels, 4, same_class=False, generator=torch.Generator())
