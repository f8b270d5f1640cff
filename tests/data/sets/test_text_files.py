"""Files of CoNLL-2003, Universal Dependencies, SST and SQuAD, written here in the formats of the originals."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from mtlrun.data.readers.conll import read_ner, read_pos, to_iob2
from mtlrun.data.readers.squad import read_qa, split_words, window
from mtlrun.data.readers.sst import read_sentiment
from mtlrun.data.sets.text_files import hold_out, load
from mtlrun.data.source import Source, Splits
from mtlrun.data.text.example import NO_ANSWER, TextExample
from mtlrun.data.text.labels import TAGS, UPOS
from mtlrun.errors import ConfigError, DataError
from mtlrun.paths import CONF
from mtlrun.tasks.span_extraction import SpanExtraction

NER = """-DOCSTART- -X- O O

EU NNP I-NP I-ORG
rejects VBZ I-VP O
German JJ I-NP I-MISC
call NN I-NP O

Peter NNP I-NP I-PER
Blackburn NNP I-NP I-PER
Paris NNP B-NP B-PER
London NNP I-NP I-LOC
"""
POS = """# sent_id = 1
# text = We don't go
1\tWe\twe\tPRON\tPRP\t_\t3\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3.1\tleft\tleave\tVERB\t_\t_\t_\t_\t_\t_
4\tgo\tgo\tVERB\tVB\t_\t0\troot\t_\t_
5\tx y\tx\t_\t_\t_\t4\tobj\t_\t_

1\tHi\thi\tINTJ\tUH\t_\t0\troot\t_\t_
"""
SST2 = "sentence\tlabel\n" + "".join(f"a fine film {row} \t{row % 2}\n" for row in range(10))
TREES = "(4 (2 A) (3 (3 great) (2 -LRB-)))\n(2 (2 so) (2 so))\n(1 (2 Not) (1 good))\n(0 bad)\n"
CONTEXT = "Ada Lovelace (1815-1852) wrote the first program. She lived in London."


def article(title: str, paragraphs: int = 1, answers: int = 1) -> dict:
    """Two questions to each paragraph; the year's answer is a part of a word."""

    def given(text: str) -> list[dict]:
        return [{"text": text, "answer_start": CONTEXT.index(text)}] * answers

    asked = [
        {
            "id": f"{title}-who",
            "question": "Who wrote it?",
            "answers": [*given("Ada Lovelace"), *given("Lovelace")[1:]],
        },
        {"id": f"{title}-when", "question": "When was she born?", "answers": given("1815")},
    ]
    return {"title": title, "paragraphs": [{"context": CONTEXT, "qas": asked}] * paragraphs}


def write_ner(folder: Path, names: tuple[str, ...] = ("eng.train", "eng.testa", "eng.testb")) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(NER)
    return folder


def write_pos(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (folder / f"en_ewt-ud-{split}.conllu").write_text(POS, encoding="utf-8")
    return folder


def write_sst(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("train.tsv", "dev.tsv"):
        (folder / name).write_text(SST2)
    (folder / "test.tsv").write_text("index\tsentence\n0\tno label\n")
    return folder


def write_trees(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in ("train.txt", "dev.txt", "test.txt"):
        (folder / name).write_text(TREES)
    return folder


def write_qa(folder: Path, version: str = "v1.1", training: int = 4) -> Path:
    folder.mkdir(parents=True)
    train = {"version": version, "data": [article(f"t{number}", 2) for number in range(training)]}
    (folder / f"train-{version}.json").write_text(json.dumps(train))
    (folder / f"dev-{version}.json").write_text(json.dumps({"version": version, "data": [article("d", 1, 2)]}))
    return folder


def rows_of(source: Source) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    return source.fetch(torch.arange(len(source)))


def everything(tmp_path: Path, **options: object) -> Splits:
    folders = {
        "ner": write_ner(tmp_path / "conll"),
        "pos": write_pos(tmp_path / "ud"),
        "sentiment": write_sst(tmp_path / "sst"),
        "qa": write_qa(tmp_path / "squad"),
    }
    return load(**{task: str(folder) for task, folder in folders.items()}, **options)  # type: ignore[arg-type]


def test_yaml_states_every_option_with_its_default() -> None:
    stated = yaml.safe_load((CONF / "data" / "text_files.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.text_files.load"
    assert stated == {option: entry.default for option, entry in inspect.signature(load).parameters.items()}


def test_entities_of_iob1_become_iob2() -> None:
    assert to_iob2(["I-PER", "I-PER", "B-PER", "O", "I-LOC", "I-ORG"]) == [
        "B-PER",
        "I-PER",
        "B-PER",
        "O",
        "B-LOC",
        "B-ORG",
    ]
    iob2 = ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "B-ORG"]
    assert to_iob2(iob2) == iob2


@pytest.mark.parametrize("names", [("eng.train", "eng.testa", "eng.testb"), ("train.txt", "valid.txt", "test.txt")])
def test_named_entities(names: tuple[str, ...], tmp_path: Path) -> None:
    found = read_ner(write_ner(tmp_path / "ner", names))
    assert [*found] == ["train", "val", "test"]
    first, second = found["train"]
    assert list(first.first) == ["EU", "rejects", "German", "call"]
    assert [TAGS[tag] for tag in first.tags or ()] == ["B-ORG", "O", "B-MISC", "O"]
    assert [TAGS[tag] for tag in second.tags or ()] == ["B-PER", "I-PER", "B-PER", "B-LOC"]


def test_a_document_s_mark_ends_sentences_without_an_empty_line(tmp_path: Path) -> None:
    folder = write_ner(tmp_path / "ner")
    (folder / "eng.testb").write_text("-DOCSTART- O\nEU I-ORG\n-DOCSTART- O\n\nParis I-LOC\nin O\n")
    assert [row.first for row in read_ner(folder)["test"]] == [["EU"], ["Paris", "in"]]


def test_parts_of_speech(tmp_path: Path) -> None:
    first, second = read_pos(write_pos(tmp_path / "pos"))["val"]
    assert list(first.first) == ["We", "do", "n't", "go", "x y"]
    assert [UPOS[part] if part >= 0 else "" for part in first.pos or ()] == ["PRON", "AUX", "PART", "VERB", ""]
    assert second == TextExample(["Hi"], pos=[UPOS.index("INTJ")])


def test_two_treebanks_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = write_pos(tmp_path / "pos")
    (folder / "de_gsd-ud-train.conllu").write_text(POS)
    with pytest.raises(DataError, match=r"has de_gsd-ud-train\.conllu and en_ewt-ud-train\.conllu: data\.pos takes"):
        read_pos(folder)


def test_penn_tags_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"eng\.train has tags of the Penn Treebank.*data\.pos takes a treebank of Univ"
    ):
        read_pos(write_ner(tmp_path / "ner"))


def test_glue_has_no_validation_rows_of_its_own(tmp_path: Path) -> None:
    found = read_sentiment(write_sst(tmp_path / "sst"), 2)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 10, "test": 10}
    assert found["train"][3] == TextExample(["a", "fine", "film", "3"], sentiment=1)


def test_a_labelled_test_table_is_used(tmp_path: Path) -> None:
    folder = write_sst(tmp_path / "sst")
    (folder / "test.tsv").write_text("label\tsentence\n1\tgood\n")
    found = read_sentiment(folder, 2)
    assert {split: len(rows) for split, rows in found.items()} == {"train": 10, "test": 1, "val": 10}
    assert found["test"] == [TextExample(["good"], sentiment=1)]


def test_sentences_are_the_roots_of_their_trees(tmp_path: Path) -> None:
    folder = write_trees(tmp_path / "sst")
    found = read_sentiment(folder, 2)["test"]
    assert [(list(row.first), row.sentiment) for row in found] == [
        (["A", "great", "("], 1),
        (["Not", "good"], 0),
        (["bad"], 0),
    ]
    assert [row.sentiment for row in read_sentiment(folder, 5)["val"]] == [4, 2, 1, 0]


def test_questions(tmp_path: Path) -> None:
    found = read_qa(write_qa(tmp_path / "qa"))
    assert [len(found["train"]), len(found["test"])] == [16, 2]
    who, when = found["test"]
    assert list(who.first) == ["Who", "wrote", "it", "?"]
    assert list(who.second[:7]) == ["Ada", "Lovelace", "(", "1815", "-", "1852", ")"]
    assert who.answers == [(4, 5), (4, 5), (5, 5)]
    assert [who.second[position - len(when.first)] for position in when.answers[0]] == ["1815", "1815"]
    assert [row.group for row in found["train"]] == [0] * 4 + [1] * 4 + [2] * 4 + [3] * 4


def test_questions_without_answer(tmp_path: Path) -> None:
    folder = write_qa(tmp_path / "qa", "v2.0")
    data = json.loads((folder / "dev-v2.0.json").read_text())
    question = data["data"][0]["paragraphs"][0]["qas"][0]
    question["answers"] = []
    (folder / "dev-v2.0.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match=r"dev-v2\.0\.json: question d-who has no answer"):
        read_qa(folder)
    question["is_impossible"] = True
    (folder / "dev-v2.0.json").write_text(json.dumps(data))
    assert read_qa(folder)["test"][0].answers == [NO_ANSWER]
    targets = load(qa=str(folder)).test[0].targets("qa")
    assert targets[0].tolist()[0] == [0, 0]
    SpanExtraction("qa", unanswerable=True).check(targets)


def test_an_answer_inside_a_word_takes_the_word() -> None:
    assert split_words("in the 1990s, café!") == ["in", "the", "1990s", ",", "café", "!"]


def windowed(position: int, length: int, stride: int) -> TextExample:
    words = [f"w{number}" for number in range(100)]
    return window(
        TextExample(["who", "?"], words, answers=[(position + 2, position + 4)]),
        {w: [9] for w in [*words, "who", "?"]},
        length,
        stride,
    )


@pytest.mark.parametrize(("position", "start"), [(0, 0), (12, 0), (13, 5), (17, 5), (18, 10), (97, 85)])
def test_a_window_begins_at_the_first_place_that_shows_the_answer(position: int, start: int) -> None:
    found = windowed(position, length=20, stride=5)  # 15 tokens of the paragraph fit
    assert list(found.second) == [f"w{number}" for number in range(start, 100)]
    first, last = found.answers[0]
    assert [*found.first, *found.second][first : last + 1] == [f"w{position}", f"w{position + 1}", f"w{position + 2}"]


def test_a_paragraph_stays_whole_where_no_window_helps() -> None:
    assert len(windowed(40, length=400, stride=5).second) == 100
    assert len(windowed(40, length=8, stride=50).second) == 100  # the answer takes as much as the row has


def test_each_collection_is_a_source_with_a_task_of_its_own(tmp_path: Path) -> None:
    splits = everything(tmp_path, length=16, qa_length=32, val=0.25)
    assert [source.tasks for source in splits.train] == [("ner",), ("pos",), ("sentiment",), ("qa",)]
    assert [source.input_shape for source in splits.val] == [(16, 2)] * 3 + [(32, 2)]
    sizes = [[len(source) for source in part] for part in (splits.train, splits.val, splits.test)]
    assert sizes == [[2, 2, 8, 12], [2, 2, 2, 4], [2, 2, 10, 2]]
    assert splits.statement == (
        "train/val/test: ner 2/2/2; pos 2/2/2; sentiment 8/2/10; qa 12/4/2; held out with data.seed=0 for validation "
        "of sentiment and qa, whose dev set is the test"
    )
    _, targets = rows_of(splits.test[3])
    assert targets["qa"].shape == (2, 2, 2)


def test_the_vocabulary_is_that_of_the_training_rows(tmp_path: Path) -> None:
    ner = write_ner(tmp_path / "conll")
    (ner / "eng.testb").write_text("Neverseen NNP I-NP I-ORG\nEU NNP I-NP I-ORG\n")
    (ner / "eng.train").write_text(NER + "\nEU NNP I-NP I-ORG\n")
    inputs, _ = rows_of(load(ner=str(ner)).test[0])
    assert inputs[0, :4, 0].tolist() == [2, 1, 4, 3]


def test_long_paragraphs_are_cut_and_what_is_lost_is_said(tmp_path: Path) -> None:
    folder = write_qa(tmp_path / "squad")
    splits = load(qa=str(folder), qa_length=16, qa_stride=4, val=0.25)
    assert "qa 12/4/2 (12/4/2 of them cut at data.qa_length=16)" in splits.statement
    assert (splits.train[0].targets("qa")[:, 0] >= 0).all()
    lost = load(qa=str(folder), qa_length=8, qa_stride=1, val=0.25)
    assert "(12/4/2 of them cut at data.qa_length=8, 0/2/1 thereby without their answer)" in lost.statement


def test_what_is_held_out_is_drawn_by_seed_and_whole_articles() -> None:
    examples = [TextExample(["a"], group=group) for group in (0, 0, 1, 2, 2, 2, 3)]

    def held(seed: int) -> list[int]:
        kept, out = hold_out("qa", examples, 0.5, torch.Generator().manual_seed(seed))
        assert not {row.group for row in kept} & {row.group for row in out}
        assert len(kept) + len(out) == len(examples)
        return sorted({row.group for row in out})

    assert held(0) == held(0)
    assert len({tuple(held(seed)) for seed in range(8)}) > 1
    assert all(len(held(seed)) == 2 for seed in range(8))


def answers_moved(folder: Path) -> str:
    return (folder / "dev-v1.1.json").read_text().replace('"1815"', '"1816"')


@pytest.mark.parametrize(
    ("write", "name", "text", "message"),
    [
        (write_ner, "eng.testa", "EU I-ORG\nalone\n", "line 2: expected a word and a tag, found 'alone'"),
        (write_ner, "eng.testa", NER.replace("I-MISC", "I-MIS"), "line 5: no entity tag 'I-MIS'; did you mean 'MISC'?"),
        (write_ner, "eng.train", "\n", " has no sentences: fetch it again"),
        (write_ner, "eng.train", b"EU O\n\xff O\n", "line 2: no UTF-8 text"),
        (write_pos, "en_ewt-ud-test.conllu", POS.replace("\tgo\tgo", "\tgo"), "line 8: expected 10 columns with tabs"),
        (write_pos, "en_ewt-ud-test.conllu", POS.replace("INTJ", "INT"), "line 11: no part of speech 'INT'; did you"),
        (write_pos, "en_ewt-ud-test.conllu", "# text = \n", "line 1: a sentence without words"),
        (
            write_sst,
            "dev.tsv",
            "sentence\tlabel\ngood\t2\n",
            "line 2: expected a text and its label 0 or 1, found 'good",
        ),
        (write_sst, "train.tsv", "good\t1\n", "line 1: expected the columns sentence and label with a tab"),
        (write_trees, "dev.txt", "(3 (2 A) (3 gem)\n", "line 1: expected a tree such as (3 (2 A) (3 gem))"),
        (write_trees, "test.txt", "(2 (2 so) (2 so))\n", " has no labelled texts"),
        (write_qa, "train-v1.1.json", '{"data":\n[{"par', "line 2: damaged or cut off"),
        (write_qa, "dev-v1.1.json", '{"data": [{}]}', " is not in SQuAD's format (KeyError: 'paragraphs')"),
        (write_qa, "dev-v1.1.json", '{"data": []}', " has no questions"),
        (
            write_qa,
            "dev-v1.1.json",
            answers_moved,
            "the answer '1816' of question d-when is not at 14 in its paragraph",
        ),
    ],
)
def test_damaged_files_are_named_in_one_line(
    write: Callable[[Path], Path],
    name: str,
    text: str | bytes | Callable[[Path], str],
    message: str,
    tmp_path: Path,
) -> None:
    folder = write(tmp_path / "files")
    content = text(folder) if callable(text) else text
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    task = {write_ner: "ner", write_pos: "pos", write_qa: "qa"}.get(write, "sentiment")
    with pytest.raises(DataError) as caught:
        load(**{task: str(folder)})  # type: ignore[arg-type]
    assert str(caught.value).startswith(str(folder / name))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_absent_files_are_named(tmp_path: Path) -> None:
    folder = write_ner(tmp_path / "ner")
    (folder / "eng.testb").unlink()
    with pytest.raises(DataError, match=r"no eng\.testb or .* or test\.txt .*: data\.ner takes the files of CoNLL"):
        load(ner=str(folder))


@pytest.mark.parametrize("task", ["ner", "pos", "sentiment", "qa"])
def test_absent_folders_are_named_with_what_belongs_there(task: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(**{task: str(tmp_path / "absent")})  # type: ignore[arg-type]
    assert f"no folder {tmp_path / 'absent'}: data.{task} takes " in str(caught.value)
    assert "https://" in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, r"data names no folder: give at least one of data\.ner=FOLDER, data\.pos=FOLDER"),
        ({"sentiment": "sst", "val": 0.0}, r"data\.val=0: some collections have no validation rows"),
        ({"sentiment": "sst", "length": 2}, r"data\.length should be a whole number from 8"),
        ({"sentiment": "sst", "qa_stride": 0}, r"data\.qa_stride should be a whole number from 1"),
        ({"sentiment": "sst", "sentiment_classes": 3}, r"data\.sentiment_classes must be 2 or 5, found 3"),
        ({"sentiment": "sst", "sentiment_classes": 5}, r"the \.tsv files in .*sst have two, only the trees five"),
    ],
)
def test_options_are_checked(options: dict, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sst(tmp_path / "sst")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load(**options)


def test_one_article_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"training file in data\.qa has a single article: too few"):
        load(qa=str(write_qa(tmp_path / "qa", training=1)))
