"""Detectors from folders of pictures."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from mtlrun.data.sets.image_folders import KIND, load
from mtlrun.data.source import Source, Splits
from mtlrun.errors import ConfigError, DataError

CONF = Path(__file__).parents[3] / "conf" / "data"
GREYS = {"dog": 0, "cat": 60, "giraffe": 120, "other": 180}
"""Picture n of a folder is of this grey plus n."""


def write(root: Path, count: int = 20) -> str:
    for name, grey in GREYS.items():
        (root / name).mkdir(parents=True)
        for index in range(count):
            Image.fromarray(np.full((9, 7), grey + index, dtype=np.uint8)).save(root / name / f"{index:02d}.png")
        (root / name / "notes.txt").write_text("no picture")
    return str(root)


def greys(source: Source) -> torch.Tensor:
    return source.fetch(torch.arange(len(source)))[0].float().mean((1, 2, 3)).round().int()


def parts(splits: Splits) -> list[list[Source]]:
    return [splits.train, splits.val, splits.test]


def test_yaml_states_every_option_with_its_default() -> None:
    stated = yaml.safe_load((CONF / "image_folders.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.image_folders.load"
    defaults = {name: value.default for name, value in inspect.signature(load).parameters.items()}
    assert tuple(stated.pop("detect")) == defaults.pop("detect")
    assert stated.pop("tasks") == "${tasks}"
    assert defaults.pop("tasks") is None
    assert stated == defaults


def test_each_detector_sees_its_pictures_and_as_many_others(tmp_path: Path) -> None:
    splits = load(write(tmp_path), size=16)
    assert [len(source) for source in splits.train] == [28, 28, 28]
    assert [len(source) for source in splits.val] == [6, 6, 6]
    for part in parts(splits):
        for name, source in zip(("dog", "cat", "giraffe"), part):
            assert source.tasks == (name,)
            own = (greys(source) >= GREYS[name]) & (greys(source) < GREYS[name] + 20)
            assert torch.equal(source.fetch(torch.arange(len(source)))[1][name], own.long())
            assert own.float().mean() == 0.5
    assert splits.inferred == dict.fromkeys(("dog", "cat", "giraffe"), KIND)


def test_no_picture_is_in_two_splits(tmp_path: Path) -> None:
    seen = [
        {grey for source in part for grey in greys(source).tolist()} for part in parts(load(write(tmp_path), size=16))
    ]
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_few_rows_and_more_negatives_as_asked(tmp_path: Path) -> None:
    splits = load(write(tmp_path), detect=["dog"], size=16, rows=8, absent=3.0)
    answers = splits.train[0].targets("dog")
    assert (len(answers), int(answers.sum())) == (8, 2)
    assert len(splits.test[0]) == 12


def test_large_sets_are_read_from_the_files(tmp_path: Path) -> None:
    root = write(tmp_path)
    lazy, held = load(root, size=16, memory_mb=0), load(root, size=16)
    assert not any(source.in_memory for source in lazy.train)
    assert all(source.in_memory for source in held.train)
    assert torch.equal(greys(lazy.train[1]), greys(held.train[1]))


def test_missing_folders_are_named_with_what_to_do(tmp_path: Path) -> None:
    root = write(tmp_path)
    with pytest.raises(DataError, match=r"no folder 'girafe'; did you mean 'giraffe'\?.*https://"):
        load(root, detect=["girafe"])
    with pytest.raises(DataError, match=r"no folder 'dog' in .*nowhere"):
        load(str(tmp_path / "nowhere"))


def test_nearly_empty_folders_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, count=2)
    with pytest.raises(DataError, match="2 pictures in"):
        load(root, detect=["cat"])


def test_one_folder_is_not_enough(tmp_path: Path) -> None:
    write(tmp_path / "all")
    (tmp_path / "all" / "dog").rename(tmp_path / "dog")
    (tmp_path / "root").mkdir()
    (tmp_path / "dog").rename(tmp_path / "root" / "dog")
    with pytest.raises(DataError, match="one folder of pictures"):
        load(str(tmp_path / "root"), detect=["dog"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": None}, "data.root is not set"),
        ({"detect": []}, "data.detect names no folder"),
        ({"detect": "dog"}, r"data.detect should be a list, found 'dog': write data.detect=\[dog\]"),
        ({"detect": ["dog", "cat", "dog"]}, "data.detect has 'dog' twice"),
        ({"size": 2}, "data.size should be"),
        ({"val": 0.0}, "must each be above 0"),
        ({"val": 0.5, "test": 0.5}, "must each be above 0, and below 1 in sum"),
        ({"rows": 1}, "data.rows should be"),
        ({"absent": 0}, "data.absent should be a number above 0"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(**{"root": write(tmp_path), **changes})


def write_parts(root: Path, *parts: str) -> dict[str, set[int]]:
    """Dogs, cats and others in folders for the splits; per folder the greys in it."""
    found = {}
    for place, part in enumerate(parts):
        rows = range(10 * place, 10 * place + 10)
        for name in ("dog", "cat", "other"):
            (root / part / name).mkdir(parents=True)
            for row in rows:
                values = np.full((9, 7), GREYS[name] + row, dtype=np.uint8)
                Image.fromarray(values).save(root / part / name / f"{row:02d}.png")
        found[part] = {grey + row for grey in (0, 60, 180) for row in rows}
    return found


@pytest.mark.parametrize("names", [("train", "val", "test"), ("training", "validation", "testing")])
def test_folders_that_are_splits_are_the_splits(tmp_path: Path, names: tuple[str, ...]) -> None:
    there = write_parts(tmp_path / "inner", *names)
    splits = load(str(tmp_path), detect=["dog", "cat"], size=16)
    for part, name in zip(parts(splits), names):
        assert {grey for source in part for grey in greys(source).tolist()} <= there[name]
        assert all(source.targets(task).sum() == 10 for source, task in zip(part, ("dog", "cat")))
    assert f"split as its folders {', '.join(names)}" in splits.statement


@pytest.mark.parametrize("second", ["valid", "test"])
def test_of_two_folders_the_second_is_the_test(tmp_path: Path, second: str) -> None:
    there = write_parts(tmp_path, "train", second)
    train, val, test = parts(load(str(tmp_path), detect=["dog"], size=16, val=0.2))
    seen = [set(greys(part[0]).tolist()) for part in (train, val, test)]
    assert seen[0] | seen[1] <= there["train"]
    assert not seen[0] & seen[1]
    assert seen[2] <= there[second]
    assert [int(part[0].targets("dog").sum()) for part in (train, val, test)] == [8, 2, 10]


def test_a_thing_without_pictures_in_a_split_is_told(tmp_path: Path) -> None:
    write_parts(tmp_path, "train", "val", "test")
    (tmp_path / "val" / "dog").rename(tmp_path / "val" / "dogs")
    with pytest.raises(DataError, match=r"no pictures in .*val/dog.*: each of train, val, test needs a folder dog"):
        load(str(tmp_path), detect=["dog"], size=16)


def test_a_thing_called_train_is_no_split(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "dog").rename(tmp_path / "train")
    assert len(load(str(tmp_path), detect=["train"], size=16).train[0]) == 28


def test_only_the_folders_of_the_tasks_are_needed(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "giraffe").rename(tmp_path / "okapi")
    with pytest.raises(DataError, match="no folder 'giraffe'"):
        load(str(tmp_path), size=16)
    assert [source.tasks for source in load(str(tmp_path), size=16, tasks=["dog"]).train] == [("dog",), ("cat",)]


def test_strays_are_no_pictures(tmp_path: Path) -> None:
    expected = load(write(tmp_path / "clean"), size=16)
    root = tmp_path / "with strays"
    write(root)
    (root / ".ipynb_checkpoints").mkdir(), (root / "dog/.ipynb_checkpoints").mkdir()
    for index in range(5):
        for folder in (".ipynb_checkpoints", "dog/.ipynb_checkpoints"):
            Image.new("L", (9, 7)).save(root / folder / f"{index}.png")
        (root / "cat" / f"._{index:02d}.png").write_bytes(b"no picture")
    found = load(str(root), size=16)
    assert all(torch.equal(greys(one), greys(other)) for one, other in zip(expected.train, found.train))
