"""Drawn silhouettes: determinism, sources of their own, animals that differ."""

from __future__ import annotations

import inspect
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import yaml

from mtlrun.data.drawn.animals.bodies import ANIMALS, Limb, shapes
from mtlrun.data.drawn.animals.render import draw
from mtlrun.data.sets.animals import DETECTORS, load, silhouette_recipe
from mtlrun.errors import ConfigError

CONF = Path(__file__).parents[3] / "conf" / "data"
SIZES = {"train": 12, "val": 4, "test": 5}


def height_over_width(kind: str, seed: int) -> float:
    rng = Random(seed)
    limbs = [part for part in shapes(ANIMALS[kind](rng), rng) if isinstance(part, Limb)]
    places = np.array([place for limb in limbs for place in (limb.start, limb.end)])
    wide, high = np.ptp(places, axis=0)
    return float(high / wide)


def test_yaml_states_every_option() -> None:
    stated = yaml.safe_load((CONF / "animals.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.animals.load"
    assert set(stated) == set(inspect.signature(load).parameters)


def test_a_picture_depends_on_its_seed_source_and_index_alone() -> None:
    first, again = draw(0, "dog", 3, 32), draw(0, "dog", 3, 32)
    assert np.array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert first[0].shape == (3, 32, 32)
    for other in (draw(1, "dog", 3, 32), draw(0, "cat", 3, 32), draw(0, "dog", 4, 32)):
        assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("detector", DETECTORS)
def test_half_of_a_source_shows_its_animal(detector: str) -> None:
    present = silhouette_recipe(0, detector, 24).make(range(300))["present"]
    assert 0.4 < present.mean() < 0.6


def test_giraffes_are_the_tallest_and_pigs_the_lowest() -> None:
    means = {kind: np.mean([height_over_width(kind, seed) for seed in range(50)]) for kind in ANIMALS}
    assert max(means, key=means.__getitem__) == "giraffe"
    assert min(means, key=means.__getitem__) == "pig"


@pytest.mark.parametrize("kind", ANIMALS)
def test_every_animal_stands_on_the_ground(kind: str) -> None:
    rng = Random(0)
    feet = [part.end[1] for part in shapes(ANIMALS[kind](rng), rng) if isinstance(part, Limb)]
    assert min(feet) == 0.0


def test_each_detector_has_a_source_of_its_own() -> None:
    splits = load(0, SIZES, 24, None)
    for part, size in ((splits.train, 12), (splits.val, 4), (splits.test, 5)):
        assert [source.name for source in part] == ["dogs", "cats", "giraffes"]
        assert [source.tasks for source in part] == [("dog",), ("cat",), ("giraffe",)]
        assert {len(source) for source in part} == {size}
    inputs, targets = splits.train[0].fetch(torch.arange(12))
    assert targets["dog"].dtype == torch.int64
    assert set(targets["dog"].tolist()) == {0, 1}
    assert splits.train[0].prepare(inputs).mean((0, 2, 3)).abs().max() < 1e-5


def test_a_second_start_reads_the_cache(tmp_path: Path) -> None:
    first = load(0, SIZES, 24, str(tmp_path))
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "animals").iterdir()}
    again = load(0, SIZES, 24, str(tmp_path))
    assert len(files) == 9
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "animals").iterdir()}
    rows = torch.arange(5)
    for one, other in zip(first.test, again.test):
        assert torch.equal(one.fetch(rows)[0], other.fetch(rows)[0])


@pytest.mark.parametrize(
    ("sizes", "size", "message"),
    [
        (SIZES, 8, "data.size should be a whole number from 24 to 512"),
        ({"train": 3, "val": 2}, 24, "data.num_rows lacks 'test'"),
        ({**SIZES, "train": 0}, 24, "data.num_rows.train should be a whole number"),
    ],
)
def test_impossible_options_are_refused(sizes: dict, size: int, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(0, sizes, size, None)
