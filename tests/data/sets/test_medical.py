"""Procedural radiographs: determinism, findings that can be seen, labels that are missing."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
import yaml

from mtlrun.data.drawn.chest.body import LIMIT, Break, Chest, Fluid, Patch, random_chest
from mtlrun.data.drawn.chest.render import _Film, draw
from mtlrun.data.readers.radiograph_labels import FINDINGS, Reading
from mtlrun.data.sets.medical import entries, load, radiograph_recipe
from mtlrun.errors import ConfigError

CONF = Path(__file__).parents[3] / "conf" / "data"
SIZES = {"train": 40, "val": 6, "test": 8}
HEALTHY = Chest(
    centre=0.0,
    half=0.75,
    top=-0.7,
    floors=(0.45, 0.48),
    ratio=0.44,
    tilt=0.1,
    ribs=(-0.65, 0.16, 0.1, 0.25),
    breast=0.0,
    wires=(),
    patches=(),
    breaks=(),
    fluids=(),
)


def options(**changes: object) -> dict:
    stated = {"seed": 0, "num_rows": SIZES, "size": 48, "blank_share": 0.2, "uncertain_share": 0.1}
    return {**stated, "uncertain": "ignore", "blank": "ignore", "cache": None, **changes}


def change(ill: Chest) -> np.ndarray:
    """How much brighter each pixel is than in the healthy chest."""
    return _Film(ill, 128).expose() - _Film(HEALTHY, 128).expose()


def test_yaml_states_every_option() -> None:
    stated = yaml.safe_load((CONF / "medical.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.medical.load"
    assert set(stated) == set(inspect.signature(load).parameters)


def test_a_radiograph_depends_on_its_seed_and_index_alone() -> None:
    first, again, other = draw(0, 7, 48), draw(0, 7, 48), draw(1, 7, 48)
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])
    assert first[0].shape == (1, 48, 48)
    assert first[0].dtype == np.uint8


def test_every_finding_is_neither_rare_nor_common() -> None:
    found = np.mean([random_chest(Random(index)).findings() for index in range(2000)], axis=0)
    assert (found > 0.25).all()
    assert (found < 0.5).all()


def test_a_large_heart_often_comes_with_fluid() -> None:
    found = np.array([random_chest(Random(index)).findings() for index in range(2000)])
    large = found[:, 2]
    assert found[large, 3].mean() > found[~large, 3].mean() + 0.2


@pytest.mark.parametrize(
    ("finding", "part"),
    [
        ("pneumonia", {"patches": (Patch(0.4, -0.1, 0.2, 0.2, 5),)}),
        ("fracture", {"breaks": (Break(-1, 3, 0.5, 0.07, 0.3),)}),
        ("cardiomegaly", {"ratio": LIMIT + 0.08}),
        ("pleural_effusion", {"fluids": (Fluid(-1, 0.15, 0.15),)}),
    ],
)
def test_a_finding_can_be_seen_and_is_labelled(finding: str, part: dict) -> None:
    ill = replace(HEALTHY, **part)
    assert [name for name, there in zip(FINDINGS, ill.findings()) if there] == [finding]
    assert not any(HEALTHY.findings())
    assert (change(ill) > 0.08).mean() > 0.004
    assert (np.abs(change(ill)) > 0.02).mean() < 0.2


def test_fluid_lies_at_the_bottom_of_its_side() -> None:
    added = change(replace(HEALTHY, fluids=(Fluid(-1, 0.15, 0.15),)))
    rows, columns = np.nonzero(added > 0.1)
    assert columns.max() < 64
    assert rows.min() > 64


def test_training_rows_lack_labels_and_the_others_do_not() -> None:
    splits = load(**options(num_rows={"train": 400, "val": 6, "test": 8}))
    (train,), (val,), (test,) = splits.train, splits.val, splits.test
    for task in FINDINGS:
        assert 0.55 < train.labelled(task).float().mean() < 0.85
        assert val.labelled(task).all()
        assert test.labelled(task).all()
        assert set(train.targets(task).unique().tolist()) == {0.0, 1.0}
        assert train.targets(task).shape[1:] == (1,)
    assert not torch.equal(train.labelled("fracture"), train.labelled("pneumonia"))


def test_known_labels_are_those_of_the_drawing() -> None:
    (train,) = load(**options()).train
    drawn = radiograph_recipe(0, 48).make(range(40))["findings"]
    for index, task in enumerate(FINDINGS):
        known = train.labelled(task)
        assert torch.equal(train.targets(task)[:, 0], torch.from_numpy(drawn[:, index]).float()[known])


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected"),
    [
        ("ignore", "ignore", [1.0, 0.0, None, None]),
        ("zeros", "ignore", [1.0, 0.0, 0.0, None]),
        ("ones", "zeros", [1.0, 0.0, 1.0, 0.0]),
    ],
)
def test_uncertain_and_blank_entries_are_read_as_asked(uncertain: str, blank: str, expected: list) -> None:
    column = torch.tensor([1.0, 0.0, -1.0, math.nan])
    targets, known = Reading(uncertain, blank).answers(column, training=True)
    found = [value if there else None for value, there in zip(targets[:, 0].tolist(), known.tolist())]
    assert found == expected


def test_nobody_is_judged_by_uncertain_entries() -> None:
    _, known = Reading("ones", "zeros").answers(torch.tensor([1.0, -1.0, math.nan]), training=False)
    assert known.tolist() == [True, False, True]


def test_the_shares_of_missing_entries_are_as_asked() -> None:
    labels = entries({"findings": np.zeros((5000, 4), dtype=np.uint8)}, 0, 0.3, 0.1)
    for column in labels.values():
        assert column.isnan().float().mean() == pytest.approx(0.3, abs=0.03)
        assert (column == -1).float().mean() == pytest.approx(0.1, abs=0.02)


def test_a_second_start_reads_the_cache(tmp_path: Path) -> None:
    first = load(**options(cache=str(tmp_path)))
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "medical").iterdir()}
    again = load(**options(cache=str(tmp_path)))
    assert len(files) == 3
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "medical").iterdir()}
    rows = torch.arange(8)
    assert torch.equal(first.test[0].fetch(rows)[0], again.test[0].fetch(rows)[0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"uncertain": "zeroes"}, "did you mean 'zeros'"),
        ({"blank": "ones"}, "no data.blank 'ones'"),
        ({"blank_share": 1.0}, "data.blank_share should be a share from 0 to below 1"),
        ({"blank_share": 0.6, "uncertain_share": 0.4}, "leave no label"),
        ({"size": 8}, "data.size should be a whole number from 32 to 512"),
        ({"num_rows": {"train": 3, "val": 1}}, "data.num_rows lacks 'test'"),
    ],
)
def test_impossible_options_are_refused(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(**options(**changes))
