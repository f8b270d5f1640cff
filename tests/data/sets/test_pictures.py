"""Pictures of one's own: rows with the labels of their table, masks and boxes; every mistake a line."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from drawn_pictures import NAMES, draw
from PIL import Image

from mtlrun.contracts.source import check_splits
from mtlrun.data.fingerprint import difference, fingerprint
from mtlrun.data.readers.yolo_boxes import class_names
from mtlrun.data.sets.pictures import load
from mtlrun.errors import ConfigError, DataError, MtlrunError

CONF = Path(__file__).parents[3] / "conf"
SIZE = (96, 192)
"""Multiples of the files' sizes by which the nearest pixel is never one of two."""


@pytest.fixture
def drawn(tmp_path):
    made = draw(tmp_path)
    made.write_table()
    made.write_masks()
    made.write_coco()
    return made


def loaded(drawn, **options):
    """The splits; tables, masks and boxes by their names in the folder, rows read when they are asked for."""
    named = {
        key: str(drawn.folder / value)
        for key, value in options.items()
        if key in ("table", "masks", "boxes") and (drawn.folder / str(value)).exists()
    }
    return load(str(drawn.pictures), **{"memory_mb": 0, "size": SIZE, **options, **named})


def by_picture(splits):
    """Of each picture its row: inputs, targets of the tasks that label it."""
    found = {}
    for source in (*splits.train, *splits.val, *splits.test):
        inputs, targets = source.fetch(torch.arange(len(source)))
        for row, path in enumerate(source._pictures.paths):
            known = {task: values[row] for task, values in targets.items() if source.labelled(task)[row]}
            found[Path(path).name] = (inputs[row], known)
    return found


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "pictures.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.pictures.load"
    assert stated == {name: p.default for name, p in inspect.signature(load).parameters.items()}


def test_each_picture_has_the_labels_of_its_row(drawn):
    splits = loaded(drawn, table="labels.csv", yes_no={"seen": ["square", "disc"]}, kinds={"shapes": "Regression"})
    found = by_picture(splits)
    assert sorted(found) == drawn.names
    for row in drawn.rows:
        known = found[row["file"]][1]
        assert (known["shapes"].item(), known["seen"].tolist()) == (row["shapes"], [row["square"], row["disc"]])
        assert known["ground"].item() == ("dark", "light").index(row["ground"])
        assert known["covered"].item() == pytest.approx(row["covered"])
    assert {task: kind["kind"] for task, kind in splits.inferred.items()} == {
        "shapes": "Regression",
        "ground": "Classification",
        "covered": "Regression",
        "seen": "MultiLabel",
    }
    assert splits.inferred["seen"]["labels"] == ["square", "disc"]
    assert splits.inferred["ground"]["classes"] == ["dark", "light"]


def test_masks_and_boxes_follow_their_pictures_to_another_size(drawn):
    found = by_picture(loaded(drawn, masks="masks", boxes="boxes.json"))
    for name, (inputs, known) in found.items():
        assert inputs.shape == (3, *SIZE)
        height, width = drawn.size(name)
        rows, columns = (np.floor((np.arange(to) + 0.5) * of / to).astype(int) for to, of in zip(SIZE, (height, width)))
        assert np.array_equal(known["masks"].numpy(), drawn.masks[name][rows][:, columns])
        scale = np.array([SIZE[1] / width, SIZE[0] / height] * 2)
        wanted = [[kind, *(np.array(corners) * scale)] for kind, *corners in drawn.boxes[name]]
        there = known["boxes"][known["boxes"][:, 0] >= 0]
        torch.testing.assert_close(there, torch.tensor(np.array(wanted), dtype=torch.float32))


def test_three_formats_say_the_same(drawn):
    drawn.write_yolo(), drawn.write_voc()
    made = [loaded(drawn, boxes=name) for name in ("boxes.json", "yolo", "voc")]
    assert [splits.inferred["boxes"]["classes"] for splits in made] == [[*NAMES], [*NAMES], ["disc", "square"]]
    coco, yolo, voc = (by_picture(splits) for splits in made)
    for name in drawn.names:
        one, two, three = (found[name][1]["boxes"] for found in (coco, yolo, voc))
        torch.testing.assert_close(one, two)
        torch.testing.assert_close(one[:, 1:], three[:, 1:])
        assert [NAMES[int(kind)] for kind in one[:, 0] if kind >= 0] == [
            ("disc", "square")[int(kind)] for kind in three[:, 0] if kind >= 0
        ]


def test_each_row_is_labelled_for_what_it_has(drawn):
    drawn.write_yolo()
    names = drawn.names
    for name in names[:3]:
        (drawn.folder / "masks" / f"{Path(name).stem}.png").unlink()
    for name in names[2:5]:
        (drawn.folder / "yolo" / f"{Path(name).stem}.txt").unlink()
    (drawn.folder / "yolo" / f"{Path(names[6]).stem}.txt").write_text("")
    drawn.write_table([row | ({"shapes": ""} if row["file"] == names[9] else {}) for row in drawn.rows[5:]])
    splits = loaded(drawn, table="labels.csv", targets=["shapes"], masks="masks", boxes="yolo")
    has = {name: {*known} for name, (_, known) in by_picture(splits).items()}
    assert has[names[0]] == {"boxes"}
    assert has[names[3]] == {"masks"}
    assert has[names[5]] == {"masks", "boxes", "shapes"}
    assert has[names[9]] == {"masks", "boxes"}
    assert names[2] not in has, "nothing labels it"
    assert (by_picture(splits)[names[6]][1]["boxes"][:, 0] == -1).all(), "an empty file says that nothing is there"
    assert splits.inferred["shapes"] == {"kind": "Classification", "classes": 3}, "gaps do not make numbers of classes"


def test_what_is_inferred_is_said(drawn, caplog):
    caplog.set_level("INFO")
    Image.new("RGB", (9, 9)).save(drawn.pictures / "other.png")
    loaded(drawn, table="labels.csv", masks="masks", boxes="boxes.json", smallest=28.0)
    for words in (
        "12 pictures of",
        "of 2 sizes from 24x32 to 32x24, stretched to 96x192",
        "left out, since nothing labels them: 1 pictures (other.png)",
        "names pictures in column 'file'",
        "task masks: 12 masks, classes are the values that occur: 0, 1, 2; the value 255 is no label",
        "task boxes: 16 boxes in 12 pictures, COCO of",
        "8 boxes with a side below data.smallest=28 are left out",
    ):
        assert words in caplog.text


@pytest.mark.parametrize("form", ["palette", "colours", "labelmap", "bits", "named", "unlabelled", "several", "column"])
def test_masks_in_every_form(form, drawn):
    folder, options = drawn.folder / "masks", {}
    names = ["ground", "square", "disc"]
    colours = {"ground": [0, 0, 0], "square": [128, 0, 0], "disc": [0, 128, 0]}
    expected = {name: mask.astype(int) for name, mask in drawn.masks.items()}
    for name, mask in drawn.masks.items():
        path = folder / f"{Path(name).stem}.png"
        if form == "palette":
            picture = Image.fromarray(mask, "P")
            picture.putpalette([*colours["ground"], *colours["square"], *colours["disc"]])
            picture.save(path)
        if form in ("colours", "labelmap"):
            edged = np.array([*colours.values()], dtype=np.uint8)[mask]
            edged[0, 0] = (224, 224, 192)
            expected[name][0, 0] = 255
            Image.fromarray(edged).save(path)
        if form == "bits":
            expected[name] = (mask > 0).astype(int)
            Image.fromarray(mask > 0).save(path)
        if form == "unlabelled":
            expected[name] = np.where(mask == 1, 255, mask // 2)
            with_edge = mask.copy()
            with_edge[0, 0], expected[name][0, 0] = 255, 255
            Image.fromarray(with_edge).save(path)
        if form == "named":
            expected[name][-1, -1] = 255
            Image.fromarray(np.where(expected[name] == 255, 255, expected[name] * 100).astype(np.uint8)).save(path)
    if form == "colours":
        options = {"mask_classes": {**colours, "unlabelled": [224, 224, 192]}}
    if form == "labelmap":
        lines = [f"{name}:{r},{g},{b}::" for name, (r, g, b) in {**colours, "unlabelled": [224, 224, 192]}.items()]
        (folder / "labelmap.txt").write_text("\n".join(["# label:color_rgb:parts:actions", *lines]))
    if form == "named":
        options = {"mask_classes": {"ground": 0, "square": 100, "disc": 200}}
    if form == "unlabelled":
        (folder / "classes.txt").write_text("ground\nunlabelled\ndisc\n")
    if form == "palette":
        (folder / "classes.txt").write_text("\n".join(names))
    chosen, task = {"masks": "masks"}, "masks"
    if form == "several":
        (folder / "classes.txt").write_text("\n".join(names))
        chosen, task = {"masks": {"shape": str(folder)}}, "shape"
    if form == "column":
        drawn.write_table([{"file": r["file"], "outline": f"masks/{Path(r['file']).stem}.png"} for r in drawn.rows])
        chosen = {"masks": "outline", "table": "labels.csv"}
    splits = loaded(drawn, **chosen, **options)
    there = by_picture(splits)
    for name, mask in expected.items():
        rows, columns = (np.floor((np.arange(to) + 0.5) * of / to).astype(int) for to, of in zip(SIZE, mask.shape))
        assert np.array_equal(there[name][1][task].numpy(), mask[rows][:, columns]), name
    plain = {"bits": ["0", "1"], "column": ["0", "1", "2"], "unlabelled": ["ground", "disc"]}
    assert splits.inferred[task]["classes"] == plain.get(form, names)


def test_difficult_objects_and_crowds_are_ignored_regions(drawn):
    drawn.write_voc()
    for path in (drawn.folder / "voc").iterdir():
        path.write_text(path.read_text().replace("<difficult>0", "<difficult>1", 1))
    content = drawn.coco()
    for annotation in content["annotations"]:
        annotation["iscrowd"] = int(annotation["image_id"] == content["images"][2]["id"])
    (drawn.folder / "crowds.json").write_text(json.dumps(content))
    name = drawn.names[2]
    assert by_picture(loaded(drawn, boxes="voc"))[name][1]["boxes"][:, 0].tolist() == [-3, 0]
    assert by_picture(loaded(drawn, boxes="crowds.json"))[name][1]["boxes"][:, 0].tolist() == [-2, -3]


def test_parts_of_objects_are_no_objects(drawn):
    drawn.write_voc()
    whole = by_picture(loaded(drawn, boxes="voc"))
    part = "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part>"
    for path in (drawn.folder / "voc").iterdir():
        path.write_text(path.read_text().replace("</object>", f"{part}</object>"))
    splits = loaded(drawn, boxes="voc")
    assert splits.inferred["boxes"]["classes"] == ["disc", "square"]
    found = by_picture(splits)
    for name in drawn.names:
        torch.testing.assert_close(found[name][1]["boxes"], whole[name][1]["boxes"])


def test_names_of_yolo_classes_come_from_data_yaml(drawn):
    drawn.write_yolo()
    (drawn.folder / "yolo" / "classes.txt").unlink()
    assert loaded(drawn, boxes="yolo").inferred["boxes"]["classes"] == ["0", "1"]
    (drawn.folder / "data.yaml").write_text("nc: 3\nnames: {0: a, 1: b, 2: c}\n")
    assert loaded(drawn, boxes="yolo").inferred["boxes"]["classes"] == ["a", "b", "c"]


def test_files_are_named_as_the_user_names_the_folder(drawn, monkeypatch):
    drawn.write_yolo()
    monkeypatch.chdir(drawn.folder / "pictures")
    assert class_names(Path("../yolo"))[1] == "../yolo/classes.txt"
    assert class_names(drawn.folder / "yolo")[1] == str(drawn.folder / "yolo" / "classes.txt")


def test_several_answers_may_be_named_among_the_targets(drawn):
    answers = {"seen": ["square", "disc"]}
    splits = loaded(drawn, table="labels.csv", yes_no=answers, targets=["seen", "covered"])
    assert {*splits.inferred} == {"seen", "covered"}


@pytest.mark.parametrize("prefix", ["", "pictures/"])
def test_of_two_columns_of_files_the_one_with_the_pictures_own_paths_names_them(prefix, drawn):
    drawn.write_table(
        [row | {"outline": f"masks/{row['file']}", "file": f"{prefix}{row['file']}"} for row in drawn.rows]
    )
    assert {*loaded(drawn, table="labels.csv", targets=["ground"]).inferred} == {"ground"}


def test_splits_by_group_and_by_order(drawn):
    drawn.write_table([row | {"who": f"p{i % 4}", "when": f"2024-01-{i + 1:02}"} for i, row in enumerate(drawn.rows)])
    number = {name: index for index, name in enumerate(drawn.names)}

    def numbers(splits, split):
        (source,) = getattr(splits, split)
        return {number[Path(path).name] for path in source._pictures.paths}

    options = {"table": "labels.csv", "targets": ["covered"], "val": 0.25, "test": 0.25}
    grouped = loaded(drawn, group="who", **options)
    people = [{index % 4 for index in numbers(grouped, split)} for split in ("train", "val", "test")]
    assert sorted(person for part in people for person in part) == [0, 1, 2, 3]
    ordered = loaded(drawn, order="when", **options)
    assert numbers(ordered, "test") == {9, 10, 11}
    assert numbers(ordered, "val") == {6, 7, 8}


def test_files_in_folders_below_and_names_without_endings(tmp_path):
    made = draw(tmp_path)
    (made.pictures / "train").mkdir()
    for name in made.names:
        (made.pictures / name).rename(made.pictures / "train" / name)
    rows = [{**row, "file": f"images/train/{Path(row['file']).stem}"} for row in made.rows]
    made.write_table(rows)
    found = by_picture(loaded(made, table="labels.csv", file="file", targets=["covered"]))
    assert {name: known["covered"].item() for name, (_, known) in found.items()} == pytest.approx(
        {row["file"]: row["covered"] for row in made.rows}
    )


def test_all_files_may_lie_in_the_folder_of_the_pictures(drawn, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path.parent)
    splits = load(str(drawn.folder), table="labels.csv", masks="masks", boxes="boxes.json", size=SIZE, memory_mb=0)
    assert sorted(by_picture(splits)) == drawn.names, "masks are no inputs"
    assert "boxes" in splits.inferred
    drawn.write_table([row | {"outline": f"masks/{row['file']}"} for row in drawn.rows])
    splits = load(str(drawn.folder), table="labels.csv", masks="outline", size=SIZE, memory_mb=0)
    assert sorted(by_picture(splits)) == drawn.names


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_pictures_that_their_tag_turns_are_upright(ending, drawn):
    content, name = drawn.coco(), drawn.names[0]
    turned = Image.open(drawn.pictures / name).transpose(Image.Transpose.ROTATE_90)
    tag = Image.Exif()
    tag[0x0112] = 6  # turned back by whoever shows it
    (drawn.pictures / name).unlink()
    turned.save(drawn.pictures / f"picture00.{ending}", exif=tag)
    content["images"][0]["file_name"] = f"picture00.{ending}"
    (drawn.folder / "boxes.json").write_text(json.dumps(content))
    assert by_picture(loaded(drawn, boxes="boxes.json"))[f"picture00.{ending}"][0].shape == (3, *SIZE)
    content["images"][0].update(width=24, height=32)
    (drawn.folder / "boxes.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"is 32x24 .* and the picture is 24x32, as its EXIF tag turns it: save it"):
        loaded(drawn, boxes="boxes.json")


def test_masks_are_turned_by_their_tag_as_pictures_are(drawn):
    expected = by_picture(loaded(drawn, masks="masks"))[drawn.names[0]]
    tag = Image.Exif()
    tag[0x0112] = 6
    for folder in (drawn.pictures, drawn.folder / "masks"):
        path = folder / drawn.names[0]
        Image.open(path).transpose(Image.Transpose.ROTATE_90).save(path, exif=tag)
    found = by_picture(loaded(drawn, masks="masks"))[drawn.names[0]]
    torch.testing.assert_close(found, expected)


def test_copies_in_two_splits_are_told(drawn, caplog):
    for number in range(6, 12):
        first = (drawn.pictures / drawn.names[number - 6]).read_bytes()
        (drawn.pictures / drawn.names[number]).write_bytes(first)
    loaded(drawn, table="labels.csv", targets=["covered"])
    assert "are in train too, byte by byte" in caplog.text


def test_classes_without_a_box_in_training_are_told(drawn, caplog):
    drawn.write_yolo()
    (drawn.folder / "yolo" / "classes.txt").write_text("square\ndisc\nstar\n")
    loaded(drawn, boxes="yolo")
    assert "task boxes: no box of star in the training pictures" in caplog.text


def test_rows_in_memory_are_those_of_the_files(drawn):
    made = [loaded(drawn, masks="masks", boxes="boxes.json", memory_mb=most) for most in (0, 100)]
    one, two = (splits.train[0].fetch(torch.arange(4)) for splits in made)
    assert [splits.train[0].in_memory for splits in made] == [False, True]
    torch.testing.assert_close(one, two)
    assert difference(*map(fingerprint, made)) is None, "a run goes on with another data.memory_mb"


@pytest.mark.parametrize("memory_mb", [0, 100])
def test_sources_keep_their_promises(memory_mb, drawn):
    options = {"table": "labels.csv", "masks": "masks", "boxes": "boxes.json", "memory_mb": memory_mb}
    check_splits(lambda: loaded(drawn, **options))


def _missing_picture(drawn):
    (drawn.pictures / drawn.names[3]).rename(drawn.pictures / "picture_3.png")


def _damaged(drawn):
    (drawn.pictures / drawn.names[2]).write_bytes(b"no picture")


def _cut(drawn):
    path = drawn.pictures / drawn.names[2]
    path.write_bytes(path.read_bytes()[:200])


def _twice(drawn):
    drawn.write_table([*drawn.rows, drawn.rows[4]])


def _nameless(drawn):
    drawn.write_table([*drawn.rows[:4], drawn.rows[4] | {"file": ""}, *drawn.rows[5:]])


def _same_stem(drawn):
    for folder in ("one", "other"):
        (drawn.pictures / folder).mkdir()
        Image.new("RGB", (24, 24)).save(drawn.pictures / folder / drawn.names[0])
    (drawn.pictures / drawn.names[0]).unlink()
    drawn.write_table([row | {"file": row["file"][:-4]} for row in drawn.rows])


def _two_names(drawn):
    drawn.write_table([*drawn.rows, drawn.rows[4] | {"file": "pictures/picture04.png"}])


def _mask_of_another_size(drawn):
    Image.fromarray(np.zeros((24, 24), np.uint8)).save(drawn.folder / "masks" / "picture01.png")


def _mask_without_picture(drawn):
    (drawn.folder / "masks" / "picture01.png").rename(drawn.folder / "masks" / "other.png")


def _no_mask(drawn):
    drawn.write_table([row | {"outline": "masks/other.png" if at == 1 else ""} for at, row in enumerate(drawn.rows)])


def _mask_in_colours(drawn):
    pixels = np.zeros((24, 32, 3), np.uint8)
    pixels[0, 0, 0] = 9
    Image.fromarray(pixels).save(drawn.folder / "masks" / "picture00.png")


def _class_without_name(drawn):
    (drawn.folder / "masks" / "classes.txt").write_text("ground\nsquare\n")


def _one_class(drawn):
    for path in (drawn.folder / "masks").iterdir():
        Image.fromarray((np.asarray(Image.open(path)) > 0).astype(np.uint8) * 255).save(path)


def _coco(change):
    def apply(drawn):
        content = drawn.coco()
        change(content)
        (drawn.folder / "boxes.json").write_text(json.dumps(content))

    return apply


def _no_json(drawn):
    (drawn.folder / "boxes.json").write_text("{images: 3")


def _yolo(line):
    def apply(drawn):
        drawn.write_yolo()
        (drawn.folder / "yolo" / "picture00.txt").write_text(line)

    return apply


def _voc(old, new):
    def apply(drawn):
        drawn.write_voc()
        path = drawn.folder / "voc" / "picture00.xml"
        path.write_text(path.read_text().replace(old, new))

    return apply


def _masks_are_pictures(drawn):
    drawn.write_table([row | {"outline": row["file"]} for row in drawn.rows])


TABLE, MASKS, COCO = {"table": "labels.csv"}, {"masks": "masks"}, {"boxes": "boxes.json"}
YOLO, VOC = {"boxes": "yolo"}, {"boxes": "voc"}
MISTAKES = [
    (None, {}, "nothing says what is to be learned: give data.table=FILE"),
    (None, {**TABLE, "size": None}, "the pictures have 2 sizes, from 24x32 to 32x24"),
    (None, {**TABLE, "size": "big"}, "data.size=big: a number of pixels, or"),
    (None, {**TABLE, "size": 3}, "data.size should be a whole number from 8"),
    (None, {"masks": {}}, "nothing says what is to be learned: give data.table=FILE, data.masks or data.boxes"),
    (None, {"table": "labels.csv", "targets": []}, "labels.csv is left for data.targets: name one, or give data.table"),
    (None, {"boxes": "boxes.json", "smallest": 500}, "task 'boxes' has no box in the pictures of train, of sides from"),
    (None, {"table": "lables.csv"}, "data.table=lables.csv: no such file or folder, here or in"),
    (None, {**TABLE, "targets": ["shape"]}, "no column 'shape' (data.targets); did you mean 'shapes'?"),
    (None, {**TABLE, "yes_no": {"seen": ["covered"]}}, "MultiLabel takes 0, 1"),
    (None, {**TABLE, "yes_no": {"seen": ["disc"]}, "targets": ["disc"]}, "column 'disc' is named twice"),
    (None, {**TABLE, "file": "shapes"}, "names the picture '1' in 8 rows: 1, 2, 4, 5 and 4 more"),
    (None, {**TABLE, "kinds": {"size": "Regression"}}, "no task in data.kinds 'size'"),
    (None, {**MASKS, "targets": ["shapes"]}, "speak of a table: give data.table=FILE"),
    (None, {**MASKS, "group": "who"}, "'who' is a column of a table: name its file"),
    (None, {**TABLE, "yes_no": ["disc"]}, "data.yes_no=[disc]: should be settings by name, as in 'data.yes_no={seen"),
    (None, {**TABLE, "yes_no": {"seen": "disc"}}, "data.yes_no.seen should be a list, found 'disc'"),
    (None, {**TABLE, "kinds": "Regression"}, "data.kinds=Regression: should be settings by name"),
    (None, {"table": 7}, "data.table=7: should be the name of a file or folder"),
    (None, {"masks": {"lane": 7}}, "should be the name of a file or folder, or {TASK: NAME}"),
    (None, {"masks": "pictures"}, "holds the pictures too"),
    (None, {**MASKS, "mask_classes": {"a": 0, "b": "red"}}, "'b' should be a value from 0 to 255 or a colour"),
    (None, {**MASKS, "mask_classes": {"a": 0, "b": 1}}, "holds the value 2, which is no class"),
    (None, {**MASKS, "mask_classes": ["a"]}, "should name two classes or more"),
    (None, {**TABLE, "masks": "masks", "val": 0.0}, "data.val=0.0 and data.test=0.15 must each be above 0"),
    (_missing_picture, TABLE, "column 'file': file 'picture03.png' has no picture in"),
    (_missing_picture, COCO, "did you mean 'picture_3.png'?"),
    (_damaged, TABLE, "picture02.png is damaged, or no picture"),
    (_cut, {**TABLE, "memory_mb": 100}, "picture02.png is damaged, or no picture"),
    (_twice, TABLE, "names the picture 'picture04.png' in 2 rows: 5, 13"),
    (_two_names, TABLE, "files 'picture04.png' and 'pictures/picture04.png' both belong to the picture picture04.png"),
    (_nameless, TABLE, "row 5 names no picture in column 'file'"),
    (_same_stem, {**TABLE, "file": "file"}, "'picture00' may be"),
    (_mask_of_another_size, MASKS, "picture01.png is 24x24 (height x width), and its picture 32x24"),
    (_mask_without_picture, MASKS, "mask 'other' has no picture in"),
    (_mask_in_colours, MASKS, "picture00.png holds colours, such as [9,0,0]: say which is which class"),
    (_class_without_name, MASKS, "holds the value 2, which is no class"),
    (_one_class, MASKS, "hold the value 0 beside 255, which is no label"),
    (_masks_are_pictures, {**TABLE, "masks": "outline"}, "the masks in column 'outline' are the pictures themselves"),
    (_no_mask, {**TABLE, "masks": "outline"}, "row 2: no mask"),
    (_no_json, COCO, "should hold images (id, file_name, width, height)"),
    (_coco(lambda c: c["annotations"][0].update(category_id=9)), COCO, "annotation 0 has category_id 9"),
    (_coco(lambda c: c["annotations"][0].update(image_id=9)), COCO, "annotations have image_id 9"),
    (_coco(lambda c: c["annotations"][0].update(bbox=[1, 2, 3])), COCO, "annotation 0 has no bbox of four numbers"),
    (_coco(lambda c: c["annotations"][0].update(bbox=[30, 2, 8, 8])), COCO, "is not within the picture of 24x32"),
    (_coco(lambda c: c["annotations"][0].update(bbox=[9, 2, -4, 8])), COCO, "ends before it begins"),
    (_coco(lambda c: c["images"][0].update(width=99)), COCO, "is 24x99 (height x width), and the picture is 24x32"),
    (_coco(lambda c: c["images"].append(c["images"][0])), COCO, "has image 'picture00.png' twice"),
    (_coco(lambda c: c.pop("categories")), COCO, "names no categories"),
    (_yolo("5 0.5 0.5 0.1 0.1\n"), YOLO, "picture00.txt, line 1: class 5 has no name (there are 2: square, disc)"),
    (_yolo("0 0.5 0.5 0.1\n"), YOLO, "line 1: expected a class from 0 on"),
    (_yolo("0 1.5 0.5 0.1 0.1\n"), YOLO, "box 1 of 'picture00' (46.4 10.8 49.6 13.2) is not within the picture"),
    (_voc("<xmin>3<", "<xmin>three<"), VOC, "picture00.xml should be an annotation with objects"),
    (_voc("</annotation>", ""), VOC, "picture00.xml should be an annotation with objects"),
    (_voc("<width>32<", "<width>64<"), VOC, "says that 'picture00' is 24x64 (height x width)"),
]


@pytest.mark.parametrize(("harm", "options", "line"), MISTAKES, ids=[line[:50] for _, _, line in MISTAKES])
def test_a_mistake_is_one_line(harm, options, line, drawn):
    if harm is not None:
        harm(drawn)
    with pytest.raises(MtlrunError) as caught:
        loaded(drawn, **options)
    assert isinstance(caught.value, ConfigError | DataError)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
