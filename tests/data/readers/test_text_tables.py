"""Parquet and Arrow files with the columns and the layouts of the library `datasets`; written here with pyarrow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtlrun.data.sets.text_files import load, read
from mtlrun.data.text.example import NO_ANSWER
from mtlrun.data.text.labels import TAGS, UPOS
from mtlrun.errors import ConfigError, DataError

pa = pytest.importorskip("pyarrow", reason="pip install 'mtlrun[tables]': the tables are written with pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

IOB = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"]
POS = ["NOUN", "PUNCT", "_", "VERB"]
ROWS: dict[str, list[dict[str, Any]]] = {
    "ner": [{"tokens": ["EU", "rejects"], "ner_tags": [3, 0]}, {"tokens": [], "ner_tags": []}],
    "pos": [{"tokens": ["call", "."], "upos": [0, 1]}, {"tokens": ["x"], "upos": [2]}],
    "sentiment": [{"sentence": "a fine film ", "label": 1}, {"sentence": "a bad film", "label": 0}],
    "qa": [
        {
            "title": title,
            "context": "Ada wrote it.",
            "question": "Who?",
            "answers": {"text": ["Ada"], "answer_start": [0]},
        }
        for title in ("t", "t", "u")
    ],
}
FEATURES = {
    "ner": {"ner_tags": {"feature": {"names": IOB, "_type": "ClassLabel"}, "_type": "Sequence"}},
    "pos": {"upos": [{"names": POS, "_type": "ClassLabel"}]},  # as older releases write lists
    "sentiment": {"label": {"names": ["negative", "positive"], "_type": "ClassLabel"}},
    "qa": {},
}


def table(task: str, rows: list[dict[str, Any]] | None = None, named: bool = True) -> Any:
    made = pa.Table.from_pylist(ROWS[task] if rows is None else rows)
    told = json.dumps({"info": {"features": FEATURES[task]}}).encode()
    return made.replace_schema_metadata({b"huggingface": told} if named else None)


def save(path: Path, made: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        parquet.write_table(made, path)
        return
    new = pa.ipc.new_file if path.parent.name == "file_format" else pa.ipc.new_stream
    with pa.OSFile(str(path), "wb") as file, new(file, made.schema) as writer:
        writer.write_table(made)


LAYOUTS: dict[str, Callable[[str], str]] = {
    "one's own": "{}.parquet".format,
    "the Hub": "data/{}-00000-of-00001.parquet".format,
    "the Hub, a configuration": "plain_text/{}-00000-of-00001.parquet".format,
    "the Hub, converted": "default/{}/0000.parquet".format,
    "saved to disk": "{}/data-00000-of-00001.arrow".format,
    "saved to disk, older": "{}/dataset.arrow".format,
    "cache": "default/0.0.0/sst2-{}.arrow".format,
    "Arrow's file format": "file_format/sst2-{}.arrow".format,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("validation", ["validation", "dev"])
def test_layouts(tmp_path: Path, layout: str, validation: str) -> None:
    for number, split in enumerate(("train", validation, "test")):
        save(tmp_path / LAYOUTS[layout](split), table("sentiment", [{"sentence": f"film {number}", "label": 1}]))
    found = read("sentiment", tmp_path, 2)
    assert {split: examples[0].first[1] for split, examples in found.items()} == {"train": "0", "val": "1", "test": "2"}


def test_a_split_may_have_several_files(tmp_path: Path) -> None:
    for part in range(3):
        rows = [{"sentence": f"film {part}", "label": 0}]
        save(tmp_path / f"data/train-{part:05d}-of-00003.parquet", table("sentiment", rows))
    save(tmp_path / "data/test-00000-of-00001.parquet", table("sentiment"))
    assert [example.first[1] for example in read("sentiment", tmp_path, 2)["train"]] == ["0", "1", "2"]


def both(folder: Path, task: str, made: Any) -> Path:
    for split in ("train", "validation"):
        save(folder / f"{split}.parquet", made)
    return folder


def test_tags_go_by_their_names(tmp_path: Path) -> None:
    ner, pos = (read(task, both(tmp_path / task, task, table(task)), 2) for task in ("ner", "pos"))
    assert [(example.first, example.tags) for example in ner["train"]] == [
        (["EU", "rejects"], [TAGS.index("B-ORG"), TAGS.index("O")])
    ]
    assert [example.pos for example in pos["train"]] == [[UPOS.index("NOUN"), UPOS.index("PUNCT")], [-1]]
    named = table("ner", [{"tokens": ["EU"], "ner_tags": ["I-ORG"]}], named=False)
    assert read("ner", both(tmp_path / "named", "ner", named), 2)["train"][0].tags == [TAGS.index("B-ORG")]


def test_names_beside_the_file(tmp_path: Path) -> None:
    for split in ("train", "test"):
        save(tmp_path / split / "data-00000-of-00001.arrow", table("ner", named=False))
        (tmp_path / split / "dataset_info.json").write_text(json.dumps({"features": FEATURES["ner"]}))
    assert read("ner", tmp_path, 2)["train"][0].tags == [TAGS.index("B-ORG"), 0]


def labelled(labels: list[Any], names: list[str] | None = None) -> Any:
    """A table of texts with these labels, and the names of their classes."""
    made = pa.table({"text": ["a film"] * len(labels), "label": labels})
    told = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    return made.replace_schema_metadata({b"huggingface": json.dumps(told).encode()} if names else None)


FIVE = ["very negative", "negative", "neutral", "positive", "very positive"]


@pytest.mark.parametrize(
    ("labels", "names", "classes", "expected"),
    [
        ([1, 0, 1], None, 2, [1, 0, 1]),
        ([1.0, 0.0, None], None, 2, [1, 0]),  # whole numbers that floats hold because of a gap
        ([0.1, 0.5, 0.9], None, 2, [0, 1]),  # SST as numbers: the neutral one is left out
        ([0.1, 0.5, 0.9], None, 5, [0, 2, 4]),
        ([4, 3, 2, 1, 0], None, 5, [4, 3, 2, 1, 0]),
        ([4, 3, 2, 1, 0], None, 2, [1, 1, 0, 0]),
        ([0, 1], ["pos", "neg"], 2, [1, 0]),
        ([0, 1, 2, 0], ["Negative", "neutral", "Positive"], 2, [0, 1, 0]),
        ([4, 2, 1], FIVE, 5, [4, 2, 1]),
        ([4, 2, 1], FIVE, 2, [1, 0]),
        ([0, 4], [*reversed(FIVE)], 5, [4, 0]),
        ([0, 4], ["1 star", "2 star", "3 stars", "4 stars", "5 stars"], 5, [0, 4]),
        (["positive", "negative", "neutral"], None, 2, [1, 0]),  # words in place of numbers
        ([1, 0], ["0", "1"], 2, [1, 0]),  # names that say no more than the numbers
    ],
)
def test_labels_of_sentiment_go_by_their_names(
    tmp_path: Path, labels: list[Any], names: list[str] | None, classes: int, expected: list[int]
) -> None:
    found = read("sentiment", both(tmp_path, "sentiment", labelled(labels, names)), classes)
    assert [example.sentiment for example in found["train"]] == expected


def test_what_labels_stand_for_is_decided_over_all_splits(tmp_path: Path) -> None:
    """Test rows with 0 and 1 alone are no table of two classes if the training rows have five."""
    save(tmp_path / "train.parquet", labelled([0, 1, 2, 3, 4]))
    save(tmp_path / "test.parquet", labelled([1, 0]))
    assert [example.sentiment for example in read("sentiment", tmp_path, 2)["test"]] == [0, 0]
    save(tmp_path / "train.parquet", labelled([0, 1], ["pos", "neg"]))
    assert [example.sentiment for example in read("sentiment", tmp_path, 2)["test"]] == [0, 1]


@pytest.mark.parametrize(
    ("labels", "names", "classes", "message"),
    [
        (
            [0, 1, 2],
            None,
            2,
            "labels without names should be 0 and 1, all of 0 to 4 or numbers .*, found 0, 1, 2: save",
        ),
        ([0, 1], None, 5, "labels without names should be 0 to 4 or numbers"),
        ([0, 2], ["bad", "good"], 2, "what the class 'bad' of 'label' means is not known: call the classes very neg"),
        ([1, 0], ["1", "0"], 2, "what the class '1' of 'label' means"),
        ([0, 1], ["neg", "pos"], 5, r"has 2 classes \(neg, pos\), not five: data.sentiment_classes=2"),
        ([0, 2], ["neg", "pos"], 2, "has the label 2, and names 2 classes: neg, pos"),
        ([[0], [1]], None, 2, "'label' holds a list: expected a number or a word"),
    ],
)
def test_labels_of_sentiment_that_nobody_can_know_are_refused(
    tmp_path: Path, labels: list[Any], names: list[str] | None, classes: int, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read("sentiment", both(tmp_path, "sentiment", labelled(labels, names)), classes)
    assert "\n" not in str(caught.value)


def test_splits_that_name_their_classes_differently_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "train.parquet", labelled([0, 1], ["neg", "pos"]))
    save(tmp_path / "test.parquet", labelled([0, 1], ["pos", "neg"]))
    with pytest.raises(DataError, match="classes of 'label' are neg, pos in one split and pos, neg in another"):
        read("sentiment", tmp_path, 2)


def test_test_rows_without_labels_are_none(tmp_path: Path) -> None:
    """As of SST-2 on the Hub; the validation rows are then the test, as for GLUE's own files."""
    both(tmp_path, "sentiment", table("sentiment"))
    save(tmp_path / "test.parquet", table("sentiment", [{"sentence": "x", "label": -1}]))
    assert [*read("sentiment", tmp_path, 2)] == ["train", "test"]
    splits = load(sentiment=str(tmp_path), val=0.5)
    assert [len(part[0]) for part in (splits.train, splits.val, splits.test)] == [1, 1, 2]


def test_questions_keep_texts_and_stay_with_their_articles(tmp_path: Path) -> None:
    without = {**ROWS["qa"][0], "answers": {"text": [], "answer_start": []}}
    found = read("qa", both(tmp_path, "qa", table("qa", [*ROWS["qa"], without])), 2)["train"]
    assert [example.group for example in found] == [0, 0, 1, 0]
    assert (found[0].answers, found[0].gold) == ([(2, 2)], ["Ada"])
    assert (found[3].answers, found[3].gold) == ([NO_ANSWER], [])
    splits = load(qa=str(tmp_path))
    assert splits.test[0].texts("qa", torch.tensor([3])) is not None


@pytest.mark.parametrize(
    ("task", "rows", "message"),
    [
        ("ner", [{"tokens": ["a"], "ner_tags": [12]}], "has numbers for tags, and does not say what they mean"),
        ("ner", [{"tokens": ["a"], "ner_tags": ["B-DATE"]}], r"no tag 'B-DATE' of ner_tags \(there are: O, B-PER"),
        ("ner", [{"tokens": ["a", "b"], "ner_tags": [0]}], "a row has 2 tokens and 1 ner_tags"),
        ("pos", [{"tokens": ["a"], "pos_tags": [0]}], r"no column upos or pos \(there are: tokens, pos_tags\)"),
        ("sentiment", [{"sentence": "a", "label": 7}], "has the label 7, and names 2 classes: negative, positive"),
        ("sentiment", [{"sentence": "a", "label": -1}], "has no labelled train rows of sentiment"),
        ("qa", [{"context": "a", "question": "b"}], "no column answers"),
    ],
)
def test_malformed_tables(tmp_path: Path, task: str, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(task, both(tmp_path, task, table(task, rows)), 2)


def test_training_rows_alone_are_refused(tmp_path: Path) -> None:
    save(tmp_path / "train.parquet", table("pos"))
    with pytest.raises(DataError, match="has no labelled test rows of pos: expected files of train and of validation"):
        read("pos", tmp_path, 2)


def test_damaged_files_are_told(tmp_path: Path) -> None:
    (both(tmp_path, "pos", table("pos")) / "train.parquet").write_bytes(b"PAR1 and nothing else")
    with pytest.raises(DataError, match=r"train\.parquet and what belongs to it cannot be read") as caught:
        read("pos", tmp_path, 2)
    assert "\n" not in str(caught.value)


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both(tmp_path, "pos", table("pos"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match=r"train\.parquet needs the package pyarrow: pip install 'mtlrun\[tables\]'"):
        read("pos", tmp_path, 2)


def test_the_collections_own_files_come_first(tmp_path: Path) -> None:
    both(tmp_path, "sentiment", table("sentiment"))
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / name).write_text("sentence\tlabel\nown files\t1\n")
    assert read("sentiment", tmp_path, 2)["train"][0].first == ["own", "files"]
