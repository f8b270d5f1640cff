"""BDD100K with GTSRB, from small files in the formats of the real ones."""

from __future__ import annotations

import inspect
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from PIL import Image

from mtlrun.config.build_data import build_task
from mtlrun.config.compose import compose
from mtlrun.data.readers.bdd100k_labels import classes_of, lane_masks
from mtlrun.data.readers.box_rows import Boxes
from mtlrun.data.sets.bdd100k import load
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, DataError

CONF = Path(__file__).parents[3] / "conf"
DETECT = {"car": ["car", "bus"], "pedestrian": ["pedestrian"], "cyclist": ["rider"]}
COUNTS = {"train": 10, "val": 4}
BOX = {"x1": 20.0, "y1": 10.0, "x2": 60.0, "y2": 30.0}


def write(root: Path, number_of_labels: int = 3) -> Path:
    """Pictures of 160 x 90 whose grey is their number; the left half is the own lane, one column a lane marking."""
    for part, count in COUNTS.items():
        frames = []
        for number in range(count):
            name = f"{part}{number:04d}"
            save(root / "images/100k" / part / f"{name}.jpg", np.full((90, 160, 3), 20 * number, dtype=np.uint8))
            drivable = np.full((90, 160), 2, dtype=np.uint8)
            drivable[:, :80], drivable[:, 120:] = 0, 1
            lanes = np.full((90, 160), 0b1111, dtype=np.uint8)
            lanes[:, 40:60], lanes[:, 100:120] = 0b110110, 0b000100  # a dashed white line across, and a curb
            save(root / "labels/drivable/masks" / part / f"{name}.png", drivable)
            save(root / "labels/lane/masks" / part / f"{name}.png", lanes)
            frames.append(frame(f"{name}.jpg", number_of_labels))
        path = root / f"labels/det_20/det_{part}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(frames))
    return root


def write_signs(root: Path) -> None:
    """Two tracks of two pictures for each of three signs, and one test picture for each."""
    lines = ["Filename;Width;Height;ClassId"]
    for number in (1, 14, 25):
        for frame in range(4):
            name = f"{frame // 2:05d}_{frame % 2:05d}.ppm"
            save(root / f"GTSRB/Final_Training/Images/{number:05d}/{name}", np.zeros((9, 9, 3), dtype=np.uint8))
        save(root / f"GTSRB/Final_Test/Images/{number:05d}.ppm", np.zeros((9, 9, 3), dtype=np.uint8))
        lines.append(f"{number:05d}.ppm;9;9;{number}")
    (root / "GTSRB/GT-final_test.csv").write_text("\n".join(lines))


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)


def frame(name: str, number: int) -> dict:
    labels = [
        {"id": "0", "category": "bus", "box2d": BOX},
        {"id": "1", "category": "traffic sign", "box2d": BOX},
        {"id": "2", "category": "rider", "box2d": {"x1": 150.0, "y1": 0.0, "x2": 170.0, "y2": 90.0}},
        {"id": "3", "category": "pedestrian", "box2d": {"x1": 10.0, "y1": 10.0, "x2": 11.0, "y2": 40.0}},
        {"id": "4", "category": "lane", "poly2d": []},
        {"id": "5", "category": "car", "box2d": {"x1": 5.0, "y1": 5.0, "x2": 6.0, "y2": 6.0}},  # too small
    ]
    chosen = [*labels[: number + 2], labels[-1]]
    return {"name": name, "attributes": {"weather": "clear"}, "timestamp": 10000, "labels": chosen}


def options(root: Path, **changes: object) -> dict:
    return {"root": str(root), "detect": DETECT, "height": 36, "width": 64, "signs": "none", "val": 0.2, **changes}


def test_yaml_states_every_option_with_its_default() -> None:
    stated = yaml.safe_load((CONF / "data" / "bdd100k.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.bdd100k.load"
    defaults = {name: value.default for name, value in inspect.signature(load).parameters.items()}
    task = yaml.safe_load((CONF / "task" / "driving.yaml").read_text())["task"]["tasks"]["detection"]
    assert list(stated.pop("detect")) == task["classes"]
    assert defaults.pop("detect") is None
    assert stated.pop("tasks") == "${tasks}"
    assert defaults.pop("tasks") is None
    assert stated == defaults


def test_splits_hold_out_training_pictures_and_test_on_the_official_validation(tmp_path: Path) -> None:
    splits = load(**options(write(tmp_path)))
    assert [len(part[0]) for part in (splits.train, splits.val, splits.test)] == [8, 2, 4]
    greys = [
        set((part[0].fetch(torch.arange(len(part[0])))[0].float().mean((1, 2, 3)) / 20).round().int().tolist())
        for part in (splits.train, splits.val)
    ]
    assert greys[0] | greys[1] == set(range(10))
    assert not greys[0] & greys[1]


def test_boxes_are_scaled_cut_and_merged(tmp_path: Path) -> None:
    (source,) = load(**options(write(tmp_path))).test
    _, targets = source.fetch(torch.tensor([2]))
    boxes = targets["detection"][0]
    assert boxes[:, 0].tolist() == [0.0, 2.0]  # bus is a car; the sign is no class, the pedestrian is too thin
    assert torch.allclose(boxes[:, 1:], torch.tensor([[8.0, 4.0, 24.0, 12.0], [60.0, 0.0, 64.0, 36.0]]))


def test_rows_with_fewer_boxes_are_padded() -> None:
    box = (1, 10.0, 10.0, 20.0, 20.0)
    boxes = Boxes([[box, box], None, [box]], (100, 100), (100, 100), 3.0)
    assert boxes.shape == (2, 5)
    assert boxes.stack(torch.arange(3))[:, :, 0].tolist() == [[1, 1], [-1, -1], [1, -1]]


def test_masks_have_the_classes_of_the_task_set(tmp_path: Path) -> None:
    (source,) = load(**options(write(tmp_path))).test
    _, targets = source.fetch(torch.tensor([0]))
    drivable, lane = targets["drivable"][0], targets["lane"][0]
    assert drivable.shape == lane.shape == (36, 64)
    assert drivable[0, [0, 31, 40, 60]].tolist() == [1, 1, 0, 2]
    assert lane[0, [0, 20, 44, 60]].tolist() == [0, 1, 0, 0]


def test_curbs_can_count_as_markings(tmp_path: Path) -> None:
    table = lane_masks([], (2, 2), curbs=True).classes.numbers
    assert table[[0b1000, 0b1111, 0b0100, 0b110110]].tolist() == [0, 0, 1, 1]
    assert lane_masks([], (2, 2), curbs=False).classes.numbers[0b0100] == 0


def test_pictures_without_a_label_file_train_the_other_tasks(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "labels/lane/masks/val/val0001.png").unlink()
    path = tmp_path / "labels/det_20/det_val.json"
    path.write_text(json.dumps([frame for frame in json.loads(path.read_text()) if frame["name"] != "val0002.jpg"]))
    (source,) = load(**options(tmp_path)).test
    assert source.labelled("lane").tolist() == [True, False, True, True]
    assert source.labelled("detection").tolist() == [True, True, False, True]
    assert source.labelled("drivable").all()


def test_frames_without_labels_have_no_boxes(tmp_path: Path) -> None:
    write(tmp_path)
    path = tmp_path / "labels/det_20/det_val.json"
    path.write_text(json.dumps([{"name": f"val{number:04d}.jpg", "labels": None} for number in range(4)]))
    (source,) = load(**options(tmp_path)).test
    assert source.labelled("detection").all()
    assert (source.targets("detection")[..., 0] == -1).all()


@pytest.mark.parametrize("memory_mb", [0, 500])
def test_the_tasks_of_driving_accept_the_labels(tmp_path: Path, memory_mb: float) -> None:
    write(tmp_path)
    write_signs(tmp_path)
    splits = load(**options(tmp_path, signs="driving", memory_mb=memory_mb))
    kinds = OmegaConf.to_container(
        compose(["task=driving", "data=bdd100k", f"data.root={tmp_path}"]).task.tasks, resolve=True
    )
    sources = {task: source for source in splits.train for task in source.tasks}
    assert set(sources) == set(kinds)
    assert {source.in_memory for source in splits.train} == {memory_mb > 0}
    for name, kind in kinds.items():
        task = build_task(name, kind)
        task.check(sources[name].targets(name))
        task.fit(sources[name].targets(name))
    assert "GTSRB" in splits.statement


@pytest.mark.parametrize(
    "gone", ["images/100k/val", "labels/det_20/det_train.json", "labels/drivable/masks/train", "labels/lane/masks/val"]
)
def test_absent_files_are_named_with_where_they_are(tmp_path: Path, gone: str) -> None:
    write(tmp_path).joinpath(gone).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError) as caught:
        load(**options(tmp_path))
    message = str(caught.value)
    assert message.startswith(f"no {gone} in {tmp_path}")
    for part in ("images/100k", "det_20", "drivable/masks", "lane/masks", "http"):
        assert part in message
    assert "\n" not in message


@pytest.mark.parametrize("text", ["[{", '{"frames": 1}', '[{"labels": []}]', '[{"name": "x", "labels": [{"id": 1}]}]'])
def test_malformed_boxes_are_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path).joinpath("labels/det_20/det_train.json").write_text(text)
    with pytest.raises(DataError, match=r"det_train\.json should be a list of frames"):
        load(**options(tmp_path))


def test_labels_of_other_pictures_are_refused(tmp_path: Path) -> None:
    write(tmp_path).joinpath("labels/det_20/det_val.json").write_text('[{"name": "x.jpg"}]')
    with pytest.raises(DataError, match=r"names none of the 4 pictures"):
        load(**options(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": None}, "data.root is not set"),
        ({"height": 5}, "data.height should be"),
        ({"signs": "nothing"}, "no data.signs 'nothing'"),
        ({"val": 1.5}, "data.val should be a share"),
        ({"val": 0}, "data.val should be a share above 0 and below 1, found 0"),
        ({"detect": {"car": "car"}}, r"data.detect.car should be a list, found 'car': write data.detect.car=\[car\]"),
        ({"detect": {"car": ["car", "car"]}}, "data.detect.car has 'car' twice"),
        ({"detect": {"car": ["cars"]}}, "did you mean 'car'"),
        ({"detect": {}}, "names no category"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(**{**options(write(tmp_path)), **changes})


def test_a_category_has_one_class() -> None:
    assert classes_of(DETECT) == {"car": 0, "bus": 0, "pedestrian": 1, "rider": 2}
    with pytest.raises(ConfigError, match="'car' is in two classes"):
        classes_of({"a": ["car"], "b": ["car"]})


def as_of_2018(root: Path) -> Path:
    """The same labels under the names and numbers of 2018; lanes are lines in its files, and have no masks."""
    shutil.rmtree(root / "labels/lane")
    for part in COUNTS:
        (root / f"labels/det_20/det_{part}.json").rename(root / f"labels/bdd100k_labels_images_{part}.json")
        for path in (root / "labels/drivable/masks" / part).iterdir():
            values = np.array([1, 2, 0], dtype=np.uint8)[np.asarray(Image.open(path))]
            save(root / "drivable_maps/labels" / part / f"{path.stem}_drivable_id.png", values)
    shutil.rmtree(root / "labels/drivable"), (root / "labels/det_20").rmdir()
    return root


def rows_of(splits: Splits) -> list[torch.Tensor]:
    """Pictures, boxes and drivable area of the test."""
    inputs, targets = splits.test[0].fetch(torch.arange(len(splits.test[0])))
    return [inputs, targets["detection"], targets["drivable"]]


def test_the_files_of_2018_are_the_same_rows(tmp_path: Path) -> None:
    asked = ["detection", "drivable"]
    newer = rows_of(load(**options(write(tmp_path / "new"), tasks=asked)))
    older = rows_of(load(**options(as_of_2018(write(tmp_path / "old")), tasks=asked)))
    assert all(torch.equal(one, other) for one, other in zip(newer, older))


@pytest.mark.parametrize("inner", ["bdd100k", "bdd100k/bdd100k"])
def test_a_folder_too_high_will_do(tmp_path: Path, inner: str) -> None:
    write(tmp_path / inner)
    assert len(load(**options(tmp_path)).test[0]) == COUNTS["val"]


def test_archives_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    """As they do when each is unpacked into a folder of its name."""
    write(tmp_path / "all/bdd100k")
    for name in ("labels/det_20", "labels/lane", "images"):
        target = tmp_path / "all" / f"archive_{Path(name).name}" / "bdd100k" / name
        target.parent.mkdir(parents=True)
        (tmp_path / "all/bdd100k" / name).rename(target)
    (source,) = load(**options(tmp_path / "all")).test
    assert source.tasks == ("detection", "lane", "drivable")


@pytest.mark.parametrize(
    ("tasks", "kept"),
    [
        (["detection"], ["labels/det_20"]),
        (["lane"], ["labels/lane"]),
        (["drivable"], ["labels/drivable"]),
        (["drivable", "lane"], ["labels/drivable", "labels/lane"]),
    ],
)
def test_only_the_files_of_the_tasks_are_needed(tmp_path: Path, tasks: list[str], kept: list[str]) -> None:
    whole = load(**options(write(tmp_path)))
    for name in {"labels/det_20", "labels/lane", "labels/drivable"} - {*kept}:
        shutil.rmtree(tmp_path / name)
    splits = load(**options(tmp_path, tasks=tasks, signs="driving"))
    (source,) = splits.train
    assert set(source.tasks) == set(tasks)
    rows = torch.arange(len(source))
    assert torch.equal(source.fetch(rows)[0], whole.train[0].fetch(rows)[0])
    assert all(torch.equal(source.targets(task), whole.train[0].targets(task)) for task in tasks)


def test_signs_alone_need_no_scenes(tmp_path: Path) -> None:
    write_signs(tmp_path)
    splits = load(**options(tmp_path, tasks=["sign"], signs="driving"))
    assert [source.name for source in splits.train] == ["signs"]
    assert "official test set of GTSRB" in splits.statement


def test_the_command_passes_its_tasks_on() -> None:
    assert compose(["task=driving", "data=bdd100k", "data.root=.", "tasks=[lane]"]).data.tasks == ["lane"]
    assert compose(["task=driving", "data=bdd100k", "data.root=."]).data.tasks is None


@pytest.mark.parametrize(
    ("change", "root", "message"),
    [
        (as_of_2018, ".", r"no labels/lane/masks/train \(and 1 more\) .*of 2018 have lanes as lines.*leave lane out"),
        (lambda root: root, "images", r"no images/100k/train .*: set data\.root="),
        (
            lambda root: (root / "labels/det_20").rename(root / "labels/100k") and (root / "labels/100k/train").mkdir(),
            ".",
            r"a file for each picture, which is not read: fetch",
        ),
        (lambda root: shutil.copytree(root / "images", root / "copy/images"), ".", r"^$"),
    ],
)
def test_what_is_there_instead_is_told(tmp_path: Path, change, root: str, message: str) -> None:
    change(write(tmp_path))
    if message == "^$":  # a copy further down does not matter
        load(**options(tmp_path / root))
        return
    with pytest.raises(DataError, match=message):
        load(**options(tmp_path / root))


def test_two_that_fit_on_one_level_are_told(tmp_path: Path) -> None:
    write(tmp_path / "one"), write(tmp_path / "two")
    with pytest.raises(DataError, match=r"has the same files in .*one and in .*two: set data\.root to one of them"):
        load(**options(tmp_path))


def test_masks_of_other_pictures_are_refused(tmp_path: Path) -> None:
    for path in (write(tmp_path) / "labels/drivable/masks/val").iterdir():
        path.rename(path.with_name(f"{path.stem}_drivable_id.png"))
    with pytest.raises(DataError, match=r"no mask in .*drivable/masks/val belongs to a picture: expected val0000\.png"):
        load(**options(tmp_path))


def test_regions_that_are_ignored_reach_the_task(tmp_path: Path) -> None:
    """Other vehicles are ignored for cars; a crowd of riders for its own class."""
    write(tmp_path)
    path = tmp_path / "labels/det_20/det_val.json"
    frames = json.loads(path.read_text())
    frames[0]["labels"] = [
        {"category": "bus", "box2d": BOX},
        {"category": "other vehicle", "box2d": BOX},
        {"category": "rider", "box2d": BOX, "attributes": {"crowd": True}},
        {"category": "trailer", "box2d": BOX},  # trucks are not detected here
    ]
    path.write_text(json.dumps(frames))
    splits = load(**options(tmp_path, max_boxes=2))
    assert splits.test[0].targets("detection")[0, :, 0].tolist() == [0, -2, -4]
    assert "regions that the official score ignores are ignored (1 of other vehicle, 1 of rider)" in splits.statement
