"""Categories of BDD100K under all their names: none is lost without a word."""

import json

import pytest

from mtlrun.data.readers.bdd100k_labels import classes_of, read_boxes
from mtlrun.data.readers.bdd100k_words import Census
from mtlrun.errors import DataError

BOX = {"x1": 10, "y1": 20, "x2": 30, "y2": 40}
DETECT = {"car": ["car"], "pedestrian": ["pedestrian"], "cyclist": ["bicycle", "motorcycle"]}


def read(folder, *categories, detect=DETECT):
    """The classes of one frame's boxes, and the census; lanes and areas stand beside them as in 2018's files."""
    labels = [{"category": category, "box2d": BOX} for category in categories]
    labels += [{"category": "drivable area", "poly2d": []}, {"category": "lane", "box2d": None}]
    (folder / "det.json").write_text(json.dumps([{"name": "a.jpg", "labels": labels}]))
    census = Census(classes_of(detect))
    return [box[0] for box in read_boxes(folder / "det.json", census)["a.jpg"]], census


@pytest.mark.parametrize("words", [("car", "pedestrian", "bicycle", "motorcycle"), ("van", "person", "bike", "motor")])
def test_names_of_2018_and_of_2020_are_of_the_same_classes(tmp_path, words):
    classes, census = read(tmp_path, *words, "traffic light")
    assert classes == [0, 1, 2, 2]
    census.check(DETECT)


def test_the_older_names_may_stand_in_the_setting_too(tmp_path):
    detect = {"pedestrian": ["person"], "cyclist": ["bike", "motor"]}
    classes, census = read(tmp_path, "person", "motor", "bicycle", detect=detect)
    assert classes == [0, 1, 1]
    census.check(detect)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("car", "car", "person"),
            r"'bicycle' of data.detect.cyclist \(boxes: car 2, pedestrian 1\): give no class cyclist",
        ),
        (("car", "person", "motor"), r"'bicycle' .* give 'data.detect.cyclist=\[motorcycle\]'"),
        ((), r"'car' of data.detect.car \(boxes: none\)"),
    ],
)
def test_a_category_that_never_occurs_is_an_error(tmp_path, words, message):
    _, census = read(tmp_path, *words)
    with pytest.raises(DataError, match=message):
        census.check(DETECT)


def test_an_unknown_category_is_an_error(tmp_path):
    with pytest.raises(
        DataError, match=r"det.json: boxes of BDD100K have no category 'pedestrain'; did you mean 'pedestrian'"
    ):
        read(tmp_path, "car", "pedestrain")


def test_regions_that_the_official_score_ignores_are_regions_of_their_class(tmp_path):
    classes, census = read(tmp_path, "car", "trailer", "other vehicle", "other person", "other vehicle")
    assert classes == [0, -2, -3, -2]
    assert census.counts == {"car": 1}
    assert census.statement == (
        "; regions that the official score ignores are ignored (1 of other person, 2 of other vehicle)"
    )
    assert read(tmp_path, "car")[1].statement == ""
