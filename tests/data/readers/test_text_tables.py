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
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, made.schema) as writer:
        writer.write_table(made)


LAYOUTS: dict[str, Callable[[str], str]] = {
    "one's own": "{}.parquet".format,
    "the Hub": "data/{}-00000-of-00001.parquet".format,
    "the Hub, a configuration": "plain_text/{}-00000-of-00001.parquet".format,
    "the Hub, converted": "default/{}/0000.parquet".format,
    "saved to disk": "{}/data-00000-of-00001.arrow".format,
    "saved to disk, older": "{}/dataset.arrow".format,
    "cache": "default/0.0.0/sst2-{}.arrow".format,
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


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([1, 0, 1], 2, [1, 0, 1]),
        ([0.1, 0.5, 0.9], 2, [0, 1]),  # SST as numbers: the neutral one is left out
        ([0.1, 0.5, 0.9], 5, [0, 2, 4]),
        ([4, 2, 1], 5, [4, 2, 1]),
        ([4, 2, 1], 2, [1, 0]),
    ],
)
def test_sentiment_in_classes_and_in_numbers(
    tmp_path: Path, labels: list[Any], classes: int, expected: list[int]
) -> None:
    rows = [{"text": "a film", "label": label} for label in labels]
    found = read("sentiment", both(tmp_path, "sentiment", table("sentiment", rows)), classes)
    assert [example.sentiment for example in found["train"]] == expected


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
        ("sentiment", [{"sentence": "a", "label": 7}], "labels should be 0 to 1 or numbers"),
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
