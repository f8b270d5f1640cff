"""The yes/no questions about road scenes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mtlrun.data.drawn.road.recipes import scene_recipe
from mtlrun.data.drawn.road.render import ASKED, DETECTED
from mtlrun.data.sets.driving import load as load_driving
from mtlrun.data.sets.presence import load
from mtlrun.errors import ConfigError

SIZES = {"train": 5, "val": 2, "test": 3}


@pytest.fixture(scope="module")
def scenes() -> dict[str, np.ndarray]:
    return scene_recipe(0, 64, 112).make(range(120))


@pytest.mark.parametrize("question", ASKED)
def test_neither_answer_is_rare(question: str, scenes: dict[str, np.ndarray]) -> None:
    assert 0.25 <= scenes["present"][:, ASKED.index(question)].mean() <= 0.75


@pytest.mark.parametrize("question", ["car", "pedestrian"])
def test_answers_agree_with_the_boxes(question: str, scenes: dict[str, np.ndarray]) -> None:
    boxed = (scenes["boxes"][:, :, 0] == DETECTED.index(question)).any(1)
    assert np.array_equal(scenes["present"][:, ASKED.index(question)].astype(bool), boxed)


def test_one_source_answers_all_questions() -> None:
    splits = load(0, SIZES, 64, 112, None)
    (source,) = splits.train
    assert source.tasks == ASKED
    _, targets = source.fetch(torch.arange(5))
    assert all(answer.dtype == torch.int64 and set(answer.tolist()) <= {0, 1} for answer in targets.values())
    assert [len(split[0]) for split in (splits.train, splits.val, splits.test)] == [5, 2, 3]


def test_scenes_and_cache_files_are_those_of_driving(tmp_path: Path) -> None:
    driving = load_driving(0, SIZES, SIZES, 64, 112, 32, str(tmp_path))
    files = set((tmp_path / "driving").iterdir())
    presence = load(0, SIZES, 64, 112, str(tmp_path))
    rows = torch.arange(5)
    assert torch.equal(driving.train[0].fetch(rows)[0], presence.train[0].fetch(rows)[0])
    assert set((tmp_path / "driving").iterdir()) == files


def test_a_missing_split_is_refused() -> None:
    with pytest.raises(ConfigError, match="lacks 'test'"):
        load(0, {"train": 1, "val": 1}, 64, 112, None)
