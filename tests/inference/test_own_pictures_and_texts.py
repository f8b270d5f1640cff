"""Pictures and texts of one's own, from their files to a trained network and its answers for new files."""

import csv
import json

import pytest
from drawn_pictures import draw

import mtlrun
from mtlrun.cli.main import main

QUICK = ["trainer.max_steps=2", "trainer.device=cpu", "trainer.batch_size=8", "diagnostics=off"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A run on a table, masks and boxes together; its folder is run/ beside theirs."""
    drawn = draw(tmp_path_factory.mktemp("shapes"), 16)
    drawn.write_table(), drawn.write_masks(), drawn.write_coco()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(drawn.folder)
        labels = ["data.table=labels.csv", "data.targets=[ground,covered]", "data.masks=masks", "data.boxes=boxes.json"]
        small = ["data.size=32", "backbone.channels=[8,8]", "data.yes_no={seen: [square,disc]}"]
        words = ["task=pictures", "data.path=pictures", *labels, *small, *QUICK, "diagnostics.pictures=3"]
        result = mtlrun.run([*words, "diagnostics.plots=true"], folder=drawn.folder / "run")
    return drawn, result


def test_all_tasks_are_learned_from_the_same_pictures(shapes):
    drawn, result = shapes
    assert {*result.summary["tasks"]} == {"ground", "covered", "seen", "masks", "boxes"}
    assert (drawn.folder / "run" / "plots" / "samples.png").stat().st_size > 10_000


def test_new_pictures_are_answered(shapes, tmp_path):
    drawn, result = shapes
    found = mtlrun.load(result.folder).predict(drawn.pictures)
    assert len(found) == 16
    assert {"ground", "covered", "seen", "masks_0", "boxes", "boxes_boxes"} <= found[0].keys()
    assert found[0]["ground"] in ("dark", "light")


def test_it_goes_on_from_another_folder(shapes, tmp_path, monkeypatch):
    _, result = shapes
    monkeypatch.chdir(tmp_path)
    assert main(["resume", str(result.folder), "trainer.max_steps=3"]) == 0


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reviews")
    rows = [(f"a {word} film of {word} scenes", word, row % 4) for row, word in enumerate(["good", "bad"] * 16)]
    with (folder / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("review", "mood", "stars"), *rows])
    small = ["data.length=16", "backbone.layers=1", "backbone.width=16", "backbone.heads=2", "data.vocabulary=50"]
    words = ["task=texts", f"data.path={folder / 'reviews.csv'}", "data.text=review", *small, *QUICK]
    return folder, mtlrun.run(words, folder=folder / "run")


def test_texts_of_a_table_are_answered_by_column(reviews):
    folder, result = reviews
    assert {*result.summary["tasks"]} == {"mood", "stars"}
    (folder / "new.csv").write_text("more,review\n1,a good film\n2,a bad film\n")
    (folder / "new.txt").write_text("a good film\na bad film\n")
    table, lines = (mtlrun.load(result.folder).predict(folder / name) for name in ("new.csv", "new.txt"))
    without_file = [
        [{key: value for key, value in row.items() if key != "file"} for row in rows] for rows in (table, lines)
    ]
    assert without_file[0] == without_file[1]
    assert table[0]["mood"] in ("good", "bad")


def test_new_rows_of_texts_are_scored_as_they_are_predicted(reviews, capsys):
    folder, result = reviews
    rows = [("a good film of bad scenes", "good", 1), ("a bad film", "bad", 0), ("bad", "good", 1), ("good", "bad", 2)]
    with (folder / "test.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("stars", "review", "mood"), *((stars, text, mood) for text, mood, stars in rows)])
    assert main(["eval", str(result.folder), f"data.test_path={folder / 'test.csv'}", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    said = mtlrun.load(result.folder).predict(folder / "test.csv")
    right = [one["mood"] == mood for one, (_, mood, _) in zip(said, rows)]
    assert record["tasks"]["mood"]["accuracy"] == pytest.approx(sum(right) / 4)


def test_a_table_without_the_column_is_told(reviews):
    folder, result = reviews
    (folder / "other.csv").write_text("more,reviews\n1,a good film\n")
    with pytest.raises(mtlrun.errors.DataError, match="has no column 'review' of texts; did you mean 'reviews'"):
        mtlrun.load(result.folder).predict(folder / "other.csv")


@pytest.fixture(scope="module")
def tagged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tagged")
    block = "Anna NNP B-PER\nsings VBZ O\n\nin IN O\nOslo NNP B-LOC\n\n"
    (folder / "mine.conll").write_text(block * 12)
    small = ["data.length=16", "backbone.layers=1", "backbone.width=16", "backbone.heads=2", "data.vocabulary=50"]
    words = ["task=texts", f"data.path={folder / 'mine.conll'}", "data.columns=[word,pos,ner]", *small, *QUICK]
    return folder, mtlrun.run(words, folder=folder / "run")


def test_words_get_a_label_for_each_column(tagged):
    folder, result = tagged
    assert {*result.summary["tasks"]} == {"pos", "ner"}
    (folder / "new.txt").write_text("Anna sings in Oslo\n")
    (answer,) = mtlrun.load(result.folder).predict(folder / "new.txt")
    assert [pair.partition("/")[0] for pair in answer["pos"].split()] == ["Anna", "sings", "in", "Oslo"]


def test_new_words_are_scored_as_they_are_predicted(tagged, capsys):
    folder, result = tagged
    (folder / "new.conll").write_text("Oslo NNP B-LOC\nsings VBZ O\nin IN I-PER\nAnna NNP I-PER\n")
    (folder / "words.txt").write_text("Oslo sings in Anna\n")
    assert main(["eval", str(result.folder), f"data.test_path={folder / 'new.conll'}", "--json"]) == 0
    said = capsys.readouterr()
    assert "same" not in said.err
    (record,) = json.loads(said.out)
    (answer,) = mtlrun.load(result.folder).predict(folder / "words.txt")
    tags = [pair.rpartition("/")[2] for pair in answer["pos"].split()]
    right = sum(tag == true for tag, true in zip(tags, ["NNP", "VBZ", "IN", "NNP"]))
    assert record["tasks"]["pos"]["accuracy"] == pytest.approx(right / 4)


@pytest.mark.parametrize(("tag", "column"), [("NNP X-PER", "ner"), ("NNP B-ORG", "ner"), ("NN O", "pos")])
def test_a_tag_that_training_did_not_know_is_told(tag, column, tagged, capsys):
    folder, result = tagged
    (folder / "odd.conll").write_text(f"Oslo NNP B-LOC\nAnna {tag}\n")
    assert main(["eval", str(result.folder), f"data.test_path={folder / 'odd.conll'}"]) == 2
    assert f"in column '{column}' is no class of task '{column}' in training" in capsys.readouterr().err
