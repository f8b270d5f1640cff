"""Texts of one's own: tables with a column of texts or two, and files with a word and its labels a line."""

import inspect
from pathlib import Path

import pytest
import torch
import yaml

from mtlrun.contracts.source import check_splits
from mtlrun.data.readers.word_columns import in_iob2, is_entities, read_word_columns
from mtlrun.data.sets.texts import load
from mtlrun.errors import ConfigError, DataError, MtlrunError
from mtlrun.types import Feature

CONF = Path(__file__).parents[3] / "conf"
WORDS = ("good", "bad", "long", "short", "film", "book")


def review(row):
    """A text that says its labels."""
    return f"A {WORDS[row % 2]}, {WORDS[2 + row // 2 % 2]} {WORDS[4 + row // 4 % 2]}: number{row}."


def write_table(folder, rows=24, name="reviews.csv", extra=()):
    stars = ["" if row == 3 else row % 5 for row in range(rows)]
    lines = [
        f'"{review(row)}",{WORDS[row % 2]},{stars[row]},{row * 0.5},author{row % 6},2024-01-{row + 1:02}'
        for row in range(rows)
    ]
    (folder / name).write_text("\n".join(["review,mood,stars,length,author,day", *lines, *extra]) + "\n")
    return str(folder / name)


def by_text(splits):
    """Of each text its labels."""
    found = {}
    for source in (*splits.train, *splits.val, *splits.test):
        inputs, targets = source.fetch(torch.arange(len(source)))
        for row, text in enumerate(source.read(inputs)):
            known = {task: values[row] for task, values in targets.items() if source.labelled(task)[row]}
            found[" ".join(word for line in text.split("\n") for word in line.split()[1:])] = known
    return found


def test_yaml_states_every_option_with_its_default():
    stated = yaml.safe_load((CONF / "data" / "texts.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.texts.load"
    assert stated == {name: p.default for name, p in inspect.signature(load).parameters.items()}


def test_each_text_has_the_labels_of_its_row(tmp_path):
    splits = load(write_table(tmp_path), text=["review"], targets=["mood", "stars", "length"], length=16)
    assert {task: kind["kind"] for task, kind in splits.inferred.items()} == {
        "mood": "Classification",
        "stars": "Classification",
        "length": "Regression",
    }
    assert splits.inferred["mood"]["classes"] == ["bad", "good"]
    found = by_text(splits)
    assert len(found) <= 24  # number3 occurs once and is unknown
    for text, known in found.items():
        assert text.split()[2] == ("bad", "good")[known["mood"]]
        assert text.startswith("[CLS] A ")
    assert sum(int((~source.labelled("stars")).sum()) for source in (*splits.train, *splits.val, *splits.test)) == 1
    assert "taken for mood: Classification of 2 (bad, good), stars: Classification of 5" in splits.statement


def test_pairs_have_two_segments(tmp_path):
    lines = [f"What is {row % 3}?,The answer is {row % 3} to {row % 3}.,{row % 2}" for row in range(20)]
    (tmp_path / "pairs.csv").write_text("\n".join(["question,answer,right", *lines]))
    splits = load(str(tmp_path / "pairs.csv"), text=["question", "answer"], length=20)
    (source,) = splits.train
    inputs, _ = source.fetch(torch.arange(1))
    assert [*splits.inferred] == ["right"]
    assert inputs[0, :, 1].tolist() == [1] * 6 + [2] * 8 + [0] * 6


def test_the_vocabulary_is_that_of_training_rows(tmp_path):
    train, test = write_table(tmp_path), tmp_path / "new.csv"
    rows = "unseen unseen words,good,1,1.5,a,2024-01-01\nunseen good film,bad,2,2.5,b,2024-01-02\n"
    test.write_text("review,mood,stars,length,author,day\n" + rows * 2)
    splits = load(train, test_path=str(test), text=["review"], targets=["mood"], length=16)
    assert "split by file and at random" in splits.statement
    (source,) = splits.test
    assert source.read(source.fetch(torch.arange(2))[0])[0].split()[1:] == ["[CLS]", "[UNK]", "[UNK]", "[UNK]", "[SEP]"]


def test_what_is_inferred_is_said(tmp_path, caplog):
    caplog.set_level("INFO")
    load(write_table(tmp_path, extra=[",good,1,2.0,author1,2024-02-01"]), text="review", targets=["mood"], length=8)
    assert "no text in 1 of 25 rows of 'review'" in caplog.text
    assert "24 of 25 texts are cut at data.length=8 tokens" in caplog.text


def test_words_that_may_be_gaps_are_told(tmp_path, caplog):
    caplog.set_level("INFO")
    rows = [f"{review(row)},{('None', 'good', 'Good')[row % 3]}" for row in range(24)]
    lines = [text.replace(",", "", 1) for text in rows]
    (tmp_path / "reviews.csv").write_text("\n".join(["review;my mood", *(line.replace(",", ";") for line in lines)]))
    load(str(tmp_path / "reviews.csv"), text="review")
    assert "reviews.csv is read with semicolons between its columns" in caplog.text
    assert "names as settings take them: my mood is task my_mood" in caplog.text
    assert "my_mood: 'None' in 8 rows is a class of its own" in caplog.text
    assert "classes of my_mood differ in capitals alone" in caplog.text


@pytest.mark.parametrize("key", ["group", "order"])
def test_splits_by_column(key, tmp_path):
    path = write_table(tmp_path)
    splits = load(path, text=["review"], targets=["mood"], length=16, **{key: {"group": "author", "order": "day"}[key]})
    assert f"split by {'author' if key == 'group' else 'day'}" in splits.statement


CONLL = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
# NN I-NP O

# a comment of some words
Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
Paris _ B-NP B-PER
"""
FOUR = ["word", "pos", "chunk", "ner"]
UD = (
    "# sent_id = 1\n1\tWe\twe\tPRON\n2-3\tdon't\t_\t_\n2\tdo\tdo\tAUX\n3\tn't\tnot\tPART\n3.1\tleft\tleave\tVERB\n"
    "4\tgo on\tgo\tVERB\n\n1\tHi\thi\tINTJ\n"
)


def sentences(folder, text=CONLL, times=12):
    (folder / "mine.conll").write_text(text + "\n" + (text.partition("\n\n")[2] + "\n") * (times - 1))
    return str(folder / "mine.conll")


def test_one_task_for_each_column_of_words(tmp_path):
    splits = load(sentences(tmp_path), columns=FOUR, length=8)
    assert {task: kind["classes"] for task, kind in splits.inferred.items()} == {
        "pos": ["NN", "NNP", "VBZ"],
        "chunk": ["B-NP", "I-NP", "I-VP"],
        "ner": ["O", "B-ORG", "I-ORG", "B-PER", "I-PER"],
    }
    found = by_text(splits)
    labels = found["[CLS] Peter Blackburn Paris [SEP]"]
    assert labels["ner"].tolist() == [-1, 3, 4, 3, -1, -1, -1, -1]
    assert labels["pos"].tolist() == [-1, 1, 1, -1, -1, -1, -1, -1]
    assert found["[CLS] EU rejects # [SEP]"]["chunk"].tolist() == [-1, 1, 2, 1, -1, -1, -1, -1]


def test_files_of_universal_dependencies(tmp_path):
    path = sentences(tmp_path, UD)
    splits = load(path, columns=["id", "form", "_", "upos"], length=8)
    assert splits.inferred == {
        "upos": {"kind": "TokenClassification", "classes": ["AUX", "INTJ", "PART", "PRON", "VERB"]}
    }
    assert read_word_columns(Path(path), ["id", "form", "_", "upos"])[0]["form"] == ["We", "do", "n't", "go on"]


def test_comments_at_the_beginning_of_every_sentence(tmp_path):
    path = sentences(tmp_path, "# id 7\nAnna NNP O\n# NN O\n\n# id 8\n# more\nOslo NNP O\n")
    found = read_word_columns(Path(path), ["word", "pos", "ner"])
    assert [sentence["word"] for sentence in found[:2]] == [["Anna", "#"], ["Oslo"]]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-PER I-PER O I-LOC", "B-PER I-PER O B-LOC"),
        ("B-PER E-PER S-LOC O", "B-PER I-PER B-LOC O"),
        ("B-PER _ I-PER", "B-PER _ I-PER"),
    ],
)
def test_entities_in_other_schemes_become_iob2(tags, expected):
    assert is_entities({*tags.split(), "O"})
    assert in_iob2(tags.split()) == expected.split()
    assert not is_entities({*tags.split(), "NN"})


def test_tags_that_keep_others_from_being_entities_are_named(tmp_path, caplog):
    (tmp_path / "mine.conll").write_text("Ada B-PER\nLee I-PER\nsat O\n\nBob X-PER\nsat O\n\n" * 8)
    with caplog.at_level("WARNING"):
        load(str(tmp_path / "mine.conll"), columns=["word", "ner"], length=8)
    assert "task ner: most tags are B- or I- with a type, but not X-PER" in caplog.text


def test_sources_keep_their_promises(tmp_path):
    check_splits(lambda: load(write_table(tmp_path), text=["review"], targets=["mood", "length"], length=16))
    check_splits(lambda: load(sentences(tmp_path), columns=FOUR, length=8))


def test_kinds_take_the_labels(tmp_path):
    from mtlrun.tasks.token_classification import TokenClassification

    splits = load(sentences(tmp_path), columns=FOUR, length=8)
    task = TokenClassification("ner", splits.inferred["ner"]["classes"])
    assert task.default_judge == "f1"
    task.check(splits.train[0].targets("ner"))
    head = task.make_head([Feature("block", 4, 1, carried=1)], (8, 2))
    assert head([torch.zeros(2, 5, 1, 8)]).shape == (2, 5, 8)


MISTAKES = [
    ({"text": None}, "data.text=null: name the column of texts, as in data.text=[review]"),
    ({"text": ["reviews"]}, "no column 'reviews' (data.text); did you mean 'review'?"),
    ({"text": ["stars"]}, "column 'stars' (data.text) holds numbers, and no texts"),
    ({"text": ["review"], "targets": ["review"]}, "named in data.text and in data.targets"),
    ({"text": ["review"], "targets": ["mod"]}, "no column 'mod' (data.targets)"),
    ({"text": ["review"], "targets": ["mood"], "group": "writer"}, "no column 'writer' (data.group)"),
    ({"text": ["review"], "targets": ["author"], "max_classes": 3}, "task 'author' has 6 different words"),
    ({"text": ["review"], "targets": ["mood"], "length": 2}, "data.length should be a whole number from 8"),
    ({"text": ["review"], "kinds": ["mood"]}, "data.kinds=[mood]: should be settings by name"),
    ({"path": "mine.conll", "columns": "word"}, "data.columns should be a list, as in data.columns=[word,pos,ner]"),
    ({"path": "mine.conll"}, "mine.conll: is no table by its ending"),
    ({"path": "mine.conll", "columns": FOUR[:3]}, "line 3: 4 columns, and data.columns names 3 (word, pos, chunk)"),
    ({"path": "whole.conll", "columns": FOUR}, "whole.conll is one sentence of 3 words: an empty line belongs between"),
    ({"path": "mine.conll", "columns": ["a", "b", "c", "d"]}, "which column has the words?"),
    ({"path": "mine.conll", "columns": FOUR, "targets": ["nor"]}, "(data.targets) 'nor'; did you mean 'ner'?"),
    ({"path": "mine.conll", "columns": ["word", "_", "_", "_"]}, "should name columns of labels beside 'word'"),
    ({"path": "mine.conll", "columns": ["word", "a", "a", "b"]}, "data.columns names 'a' twice"),
    ({"path": "mine.conll", "columns": FOUR, "max_classes": 2}, "task 'pos' has 3 different tags, such as NN"),
    ({"path": "mine.conll", "columns": FOUR, "group": "pos"}, "speak of a table, and data.columns of a file of words"),
]


@pytest.mark.parametrize(("options", "line"), MISTAKES, ids=[line[:50] for _, line in MISTAKES])
def test_a_mistake_is_one_line(options, line, tmp_path):
    write_table(tmp_path), sentences(tmp_path)
    (tmp_path / "whole.conll").write_text("Ada NN B O\nsat VB O O\n. . O O\n")
    path = str(tmp_path / options.get("path", "reviews.csv"))
    with pytest.raises(MtlrunError) as caught:
        load(**{**options, "path": path})
    assert isinstance(caught.value, ConfigError | DataError)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)
