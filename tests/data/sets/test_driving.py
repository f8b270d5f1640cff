"""Road scenes and sign crops: determinism, labels that match the picture, and a cache that is safe."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from mtlrun.data.drawn.drawings import draw_splits
from mtlrun.data.drawn.road import recipes
from mtlrun.data.drawn.road.camera import Camera
from mtlrun.data.drawn.road.cars import HATCHBACK, Car
from mtlrun.data.drawn.road.crops import KINDS, draw_crop
from mtlrun.data.drawn.road.pen import FIRST_OBJECT, MARKING, ROAD, Pen
from mtlrun.data.drawn.road.recipes import scene_recipe, sign_recipe
from mtlrun.data.drawn.road.render import MAX_BOXES, Scene, draw, paint
from mtlrun.data.drawn.road.road import WHITE_PAINT, Line, Road
from mtlrun.data.drawn.road.signs import SIGNS
from mtlrun.data.drawn.road.thing import Thing
from mtlrun.data.drawn.road.weather import CLEAR
from mtlrun.data.sets.driving import load, road_targets
from mtlrun.data.split_sizes import FIRST_INDEX, MOST_ROWS
from mtlrun.errors import ConfigError

SIZES = {"train": 6, "val": 2, "test": 3}
CAMERA = Camera(focal=100, horizon=26, centre=56, height=1.5, offset=0, heading=0, curvature=0)
ROAD_AHEAD = Road(
    left=-4,
    right=4,
    lanes=2,
    lane_width=3.5,
    two_way=False,
    asphalt=(80, 80, 80),
    pavement=0,
    lines=(Line(0.0, 0.3, WHITE_PAINT),),
    paint=WHITE_PAINT,
    crossing=None,
    stop_line=None,
)


def small(cache: Path | None = None, **changes: object) -> dict:
    options = {
        "seed": 0,
        "num_scenes": SIZES,
        "num_signs": SIZES,
        "height": 64,
        "width": 112,
        "sign_size": 32,
    }
    return {**options, "cache": None if cache is None else str(cache), **changes}


def car(side: float, ahead: float) -> Car:
    return Car(side=side, ahead=ahead, body=HATCHBACK, paint_colour=(200, 0, 0), oncoming=False, lit=False)


def painted(*things: Thing) -> tuple[Pen, list]:
    """A plain scene with these things, which must come from far to near."""
    pen = Pen(CAMERA, (64, 112), ((200, 200, 200), 0.0))
    scene = Scene(CAMERA, CLEAR, ROAD_AHEAD, (90, 120, 60), (0.0, 0.0), things)
    return pen, paint(scene, pen)


@pytest.fixture(scope="module")
def scenes() -> dict[str, np.ndarray]:
    return scene_recipe(0, 64, 112).make(range(80))


def test_a_scene_depends_on_seed_and_index_alone() -> None:
    first, again = draw(3, 17, 64, 112), draw(3, 17, 64, 112)
    assert all(np.array_equal(a, b) for a, b in zip(first.arrays(), again.arrays()))
    assert not np.array_equal(first.image, draw(3, 18, 64, 112).image)
    assert not np.array_equal(first.image, draw(4, 17, 64, 112).image)


def test_more_rows_leave_the_others_alone() -> None:
    few = draw_splits(sign_recipe(0, 32), {"train": 3, "val": 2, "test": 2}, None)
    many = draw_splits(sign_recipe(0, 32), {"train": 7, "val": 2, "test": 2}, None)
    assert np.array_equal(many["train"]["images"][:3], few["train"]["images"])
    assert np.array_equal(many["val"]["images"], few["val"]["images"])


def test_splits_do_not_meet() -> None:
    drawn = draw_splits(sign_recipe(0, 16), {"train": 20, "val": 20, "test": 20}, None)
    pictures = {image.tobytes() for arrays in drawn.values() for image in arrays["images"]}
    assert len(pictures) == 60
    starts = sorted(FIRST_INDEX.values())
    assert all(later - start >= MOST_ROWS for start, later in pairwise(starts))


@pytest.mark.parametrize(("height", "width"), [(64, 112), (32, 48), (96, 96)])
def test_sources_have_the_shapes_that_the_task_kinds_read(height: int, width: int) -> None:
    splits = load(**small(height=height, width=width))
    scenes, signs = splits.train
    assert (scenes.name, scenes.tasks, scenes.input_shape) == (
        "scenes",
        ("detection", "lane", "drivable"),
        (3, height, width),
    )
    assert (signs.name, signs.tasks, signs.input_shape) == ("signs", ("sign",), (3, 32, 32))
    images, targets = scenes.fetch(torch.arange(4))
    assert images.dtype == torch.uint8
    assert targets["detection"].shape == (4, MAX_BOXES, 5)
    assert targets["lane"].shape == targets["drivable"].shape == (4, height, width)
    assert set(targets["lane"].unique().tolist()) <= {0, 1}
    assert signs.fetch(torch.arange(4))[1]["sign"].dtype == torch.int64
    assert [len(source) for source in (*splits.val, *splits.test)] == [2, 2, 3, 3]
    assert "data.seed=0" in splits.statement


def test_training_inputs_are_normalised_per_source() -> None:
    for source in load(**small()).train:
        inputs = source.prepare(source.fetch(torch.arange(len(source)))[0])
        assert inputs.mean((0, 2, 3)) == pytest.approx(torch.zeros(3), abs=1e-4)
        assert inputs.std((0, 2, 3)) == pytest.approx(torch.ones(3), abs=1e-3)


def test_boxes_lie_in_the_picture_and_are_large_enough(scenes: dict[str, np.ndarray]) -> None:
    boxes = scenes["boxes"].reshape(-1, 5)
    kept = boxes[boxes[:, 0] >= 0]
    assert len(kept) > 80
    assert set(kept[:, 0]) == {0, 1, 2}
    assert (kept[:, 1:3] >= 0).all()
    assert (kept[:, 3] <= 112).all()
    assert (kept[:, 4] <= 64).all()
    assert (kept[:, 4] - kept[:, 2] >= 5).all()
    assert (kept[:, 3] - kept[:, 1] >= 2).all()
    assert (boxes[boxes[:, 0] < 0] == [-1, 0, 0, 0, 0]).all()


def test_every_scene_has_a_road_and_some_paint(scenes: dict[str, np.ndarray]) -> None:
    drivable, marking = scenes["masks"] & 1, scenes["masks"] >> 1 & 1
    assert 0.2 < drivable.mean() < 0.6
    assert 0.01 < marking.mean() < 0.08
    assert (marking.sum((1, 2)) > 5).mean() > 0.95
    assert not (marking & ~drivable & 1).any(), "paint lies on the road"


def test_box_is_where_geometry_says() -> None:
    _, (seen,) = painted(car(0.0, 10.0))
    left, top, right, bottom = seen.box
    assert (left, right) == pytest.approx((56 - 8.75, 56 + 8.75), abs=0.3)  # 1.75 m wide, 100 px focal, 10 m
    assert bottom == pytest.approx(26 + 15, abs=0.3)  # camera 1.5 m above ground
    assert top == pytest.approx(26, abs=0.6)  # the car is as high as the camera


def test_the_own_lane_is_part_of_the_road_and_lies_ahead(scenes: dict[str, np.ndarray]) -> None:
    drivable, own = scenes["masks"] & 1, scenes["masks"] >> 2
    assert not (own & ~drivable & 1).any()
    assert 0.2 < own.sum() / drivable.sum() < 0.9
    targets = road_targets(scenes)["drivable"]
    assert torch.equal(targets > 0, torch.from_numpy(drivable) > 0)
    assert torch.equal(targets == 1, torch.from_numpy(own) > 0)


@pytest.mark.parametrize(("place", "sides"), [(-2.0, (-4, 0.0)), (1.0, (0.0, 4)), (9.0, (0.0, 4))])
def test_own_lane_reaches_from_line_to_line(place: float, sides: tuple[float, float]) -> None:
    outline = ROAD_AHEAD.own_lane(place)
    assert (min(spot[0] for spot in outline), max(spot[0] for spot in outline)) == sides


def test_what_a_car_covers_is_neither_drivable_nor_marking() -> None:
    empty, _ = painted()
    pen, (seen,) = painted(car(0.0, 8.0))
    left, top, right, bottom = (round(edge) for edge in seen.box)
    inside = (slice((top + bottom) // 2, bottom - 1), slice(left + 1, right - 1))
    assert (empty.coverage(MARKING, MARKING)[inside] >= 0.33).any()
    assert (empty.coverage(ROAD, MARKING)[inside] >= 0.5).any()
    assert not (pen.coverage(ROAD, MARKING)[inside] >= 0.5).any()


@pytest.mark.parametrize(
    ("things", "visible"),
    [
        ([car(0.0, 20.0)], 1),
        ([car(0.0, 20.0), car(0.0, 8.0)], 1),  # the far one is behind the near one
        ([car(3.2, 20.0), car(0.0, 8.0)], 2),
        ([car(0.0, 80.0)], 0),  # two pixels high
        ([car(30.0, 10.0)], 0),  # beside the picture
        ([car(7.9, 10.0)], 0),  # all but a sliver is beside the picture
    ],
)
def test_only_what_can_be_seen_is_labelled(things: list[Thing], visible: int) -> None:
    assert len(painted(*things)[1]) == visible


def test_area_counts_only_pixels_that_the_thing_still_owns() -> None:
    pen, _ = painted(car(0.0, 20.0), car(0.0, 8.0))
    assert pen.area(FIRST_OBJECT) < 0.2 * pen.area(FIRST_OBJECT + 1)


def test_sign_classes_are_balanced_and_look_different() -> None:
    kinds = sign_recipe(0, 16).make(range(300))["kinds"]
    assert np.bincount(kinds, minlength=len(KINDS)).min() > 20
    faces = {name: face(Random(0)) for name, face in SIGNS.items()}
    assert len({(len(face[0][0]), face[0][1], face[1][1], len(face)) for face in faces.values()}) == len(SIGNS)


@pytest.mark.parametrize("size", [16, 32, 48])
def test_crops_have_the_size_asked_for_and_contrast(size: int) -> None:
    images = np.stack([draw_crop(0, index, size)[0] for index in range(30)])
    assert images.shape == (30, 3, size, size)
    assert (images.reshape(30, -1).std(1) > 8).mean() > 0.9


def test_second_load_reads_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(**small(tmp_path))
    monkeypatch.setattr(recipes, "draw", None)
    monkeypatch.setattr(recipes, "draw_crop", None)
    second = load(**small(tmp_path))
    rows = torch.arange(6)
    for one, two in zip(first.train, second.train):
        assert torch.equal(one.fetch(rows)[0], two.fetch(rows)[0])
        assert all(torch.equal(one.fetch(rows)[1][task], two.fetch(rows)[1][task]) for task in one.tasks)


@pytest.mark.parametrize("change", [{"seed": 1}, {"height": 48}, {"sign_size": 16}])
def test_other_options_use_other_files(tmp_path: Path, change: dict[str, int]) -> None:
    load(**small(tmp_path))
    before = set((tmp_path / "driving").iterdir())
    load(**small(tmp_path, **change))
    assert set((tmp_path / "driving").iterdir()) > before


@pytest.mark.parametrize("damage", [b"", b"not an archive", b"cut", b"flipped"])
def test_a_damaged_file_is_drawn_again(tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    recipe = sign_recipe(0, 16)
    whole = draw_splits(recipe, {"train": 4}, str(tmp_path))
    (file,) = (tmp_path / "driving").iterdir()
    content = file.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :]
    file.write_bytes({b"cut": content[:-200], b"flipped": flipped}.get(damage, damage))
    with caplog.at_level(logging.WARNING):
        again = draw_splits(recipe, {"train": 4}, str(tmp_path))
    assert "making it again" in caplog.text
    assert np.array_equal(again["train"]["images"], whole["train"]["images"])
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    drawn = draw_splits(sign_recipe(0, 16), {"train": 3}, str(tmp_path / "file"))
    assert len(drawn["train"]["images"]) == 3


def test_runs_that_start_together_leave_one_whole_file(tmp_path: Path) -> None:
    recipe = sign_recipe(0, 16)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: draw_splits(recipe, {"train": 4}, str(tmp_path)), range(16)))
    assert all(np.array_equal(r["train"]["images"], results[0]["train"]["images"]) for r in results)
    assert [path.suffix for path in (tmp_path / "driving").iterdir()] == [".npz"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, r"data\.seed should be a whole number from 0"),
        ({"seed": "abc"}, "found 'abc'"),
        ({"height": 8}, r"data\.height should be a whole number from 32 to 1024, found 8"),
        ({"width": 12.5}, r"data\.width"),
        ({"sign_size": True}, r"data\.sign_size"),
        ({"num_scenes": {"train": 0, "val": 1, "test": 1}}, r"data\.num_scenes\.train should be .* found 0"),
        ({"num_signs": {"train": 1, "test": 1}}, r"data\.num_signs lacks 'val'"),
        (
            {"num_signs": dict.fromkeys(SIZES, MOST_ROWS), "sign_size": 1024},
            r"data: 30000000 rows of .* are 9.4e.13 in all",
        ),
        ({"num_signs": {"train": 1, "vall": 1, "test": 1}}, "no split 'vall'; did you mean 'val'"),
    ],
)
def test_impossible_options_are_refused_before_drawing(
    change: dict, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipes, "draw", None)
    with pytest.raises(ConfigError, match=message) as caught:
        load(**small(**change))
    assert "\n" not in str(caught.value)
