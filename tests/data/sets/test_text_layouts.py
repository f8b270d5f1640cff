"""Text collections as people have them: other names, folders too high, parts of files, tables of phrases."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mtlrun.data.readers.conll import read_ner, read_pos
from mtlrun.data.readers.squad import read_qa
from mtlrun.data.readers.sst import class_of, read_sentiment
from mtlrun.data.sets.text_files import load
from mtlrun.data.source import TensorSource
from mtlrun.data.text.labels import UPOS
from mtlrun.errors import DataError

NER = "EU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\nPeter NNP I-NP I-PER\n"
SST2 = "sentence\tlabel\n" + "".join(f"a fine film {row}\t{row % 2}\n" for row in range(10))


def word(form: str, pos: str = "NOUN") -> str:
    return f"1\t{form}\t_\t{pos}\t_\t_\t0\troot\t_\t_\n\n"


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("eng.train", "eng.testa", "eng.testb"),
        ("train.txt", "testa.txt", "testb.txt"),
        ("train", "testa", "testb"),
        ("esp.train", "esp.testa", "esp.testb"),
        ("train.txt", "dev.txt", "test.txt"),
    ],
)
def test_names_of_conll_files(tmp_path: Path, names: tuple[str, ...]) -> None:
    """The second split has another word, so that none is taken for another."""
    texts = [NER.replace("EU", str(number)) for number in range(3)]
    found = read_ner(write(tmp_path, dict(zip(names, texts))))
    assert [found[split][0].first[0] for split in ("train", "val", "test")] == ["0", "1", "2"]


@pytest.mark.parametrize("parts", [("-a", "-b"), ("-a-1", "-a-2", "-b-1"), ("-c", "-l", "-m", "-v")])
def test_a_treebank_s_training_file_may_be_in_parts(tmp_path: Path, parts: tuple[str, ...]) -> None:
    files = {f"cs_pdt-ud-train{part}.conllu": word(part) for part in parts}
    files |= {f"cs_pdt-ud-{split}.conllu": word(split) for split in ("dev", "test")}
    found = read_pos(write(tmp_path, files))
    assert [example.first[0] for example in found["train"]] == [*parts]
    assert found["train"][0].pos == [UPOS.index("NOUN")]
    (tmp_path / "cs_pdt-ud-train.conllu").write_text(word("whole"))  # the parts are in it
    assert [example.first[0] for example in read_pos(tmp_path)["train"]] == ["whole"]


def test_two_treebanks_are_told(tmp_path: Path) -> None:
    files = {
        f"{bank}-ud-{split}.conllu": word("x") for bank in ("en_a", "en_b") for split in ("train-a", "dev", "test")
    }
    with pytest.raises(
        DataError, match=r"has en_a-ud-train-a\.conllu and en_b-ud-train-a\.conllu: .* the folder of one"
    ):
        read_pos(write(tmp_path / "one", files))
    for bank in ("UD_English-A", "UD_English-B"):
        write(tmp_path / "all" / bank, {"en_a-ud-train.conllu": word("x")})
    with pytest.raises(DataError, match=r"same files in .*UD_English-A and in .*: set data\.pos to one of them"):
        read_pos(tmp_path / "all")


QUESTION = {"id": "0", "question": "Who?", "answers": [{"text": "Ada", "answer_start": 0}]}
SQUAD = json.dumps({"data": [{"paragraphs": [{"context": "Ada wrote it.", "qas": [QUESTION]}]}]})
SPLITS = ("train", "dev", "test")
READERS = {
    "ner": (read_ner, dict.fromkeys(("eng.train", "eng.testa", "eng.testb"), NER)),
    "pos": (read_pos, {f"en-ud-{split}.conllu": word("x") for split in SPLITS}),
    "SST-2": (lambda folder: read_sentiment(folder, 2), dict.fromkeys(("train.tsv", "dev.tsv"), SST2)),
    "trees": (lambda folder: read_sentiment(folder, 2), {f"{split}.txt": "(4 fine)\n" for split in SPLITS}),
    "squad": (read_qa, {f"{split}-v1.1.json": SQUAD for split in ("train", "dev")}),
}


@pytest.mark.parametrize("kind", READERS)
def test_a_folder_too_high_will_do_and_one_too_low_is_told(tmp_path: Path, kind: str) -> None:
    read, files = READERS[kind]
    folder = write(tmp_path / "archive" / kind, files)
    assert len(read(tmp_path)["train"]) == len(read(folder)["train"]) > 0
    (folder / "original").mkdir()
    with pytest.raises(DataError, match=rf"\(but in {folder}: set data\.\w+={folder}\)"):
        read(folder / "original")


def test_what_the_treebank_escapes_is_read_as_it_was(tmp_path: Path) -> None:
    tree = "(3 (2 1\\/2) (3 (2 \\*) (2 -LSB-)))\n(1 no)\n"
    found = read_sentiment(write(tmp_path, {f"{split}.txt": tree for split in ("train", "dev", "test")}), 2)
    assert found["train"][0].first == ["1/2", "*", "["]


SENTENCES = {  # words, split, sentiment
    "The|1\\/2|clichés|(|are|)|great": ("1", 0.81),
    "So|so": ("1", 0.5),
    "Bad|.": ("1", 0.4),
    "Awful": ("3", 0.0),
    "Good": ("2", 0.61),
}


def write_treebank(folder: Path) -> Path:
    """Numbers of phrases and sentences differ, as in the original; datasetSentences.txt is damaged there too."""
    phrases = [*(line.replace("|", " ") for line in SENTENCES), "a | b"]
    values = [value for _, value in SENTENCES.values()]
    return write(
        folder,
        {
            "SOStr.txt": "".join(f"{line}\n" for line in SENTENCES),
            "datasetSentences.txt": "sentence_index\tsentence\n1\tThe 1\\/2 clichÃ©s -LRB- are -RRB- great\n",
            "datasetSplit.txt": "sentence_index,splitset_label\n"
            + "".join(f"{row},{split}\n" for row, (split, _) in enumerate(SENTENCES.values(), 1)),
            "dictionary.txt": "".join(f"{phrase}|{100 - row}\n" for row, phrase in enumerate(phrases)),
            "sentiment_labels.txt": "phrase ids|sentiment values\n"
            + "".join(f"{100 - row}|{value}\n" for row, value in enumerate([*values, 0.5])),
        },
    )


def test_the_treebank_as_tables_of_phrases(tmp_path: Path) -> None:
    write_treebank(tmp_path / "stanfordSentimentTreebank")
    two, five = (read_sentiment(tmp_path, classes) for classes in (2, 5))
    assert two["train"][0].first == ["The", "1/2", "clichés", "(", "are", ")", "great"]
    assert {split: [example.sentiment for example in examples] for split, examples in five.items()} == {
        "train": [4, 2, 1],
        "val": [0],
        "test": [3],
    }
    assert [example.sentiment for example in two["train"]] == [1, 0]  # without the neutral one


def test_five_classes_are_cut_as_the_collection_says() -> None:
    assert [class_of(value) for value in (0, 0.2, 0.201, 0.4, 0.41, 0.6, 0.61, 0.8, 0.81, 1)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("dictionary.txt", "Good|", "Goods|", r"SOStr\.txt, line 5: no sentiment or split of 'Good'"),
        ("sentiment_labels.txt", "|0.5", "|x", r"SOStr\.txt, line 2: no sentiment"),
        ("datasetSplit.txt", "5,2", "5,9", r"SOStr\.txt, line 5: no sentiment or split"),
        ("datasetSplit.txt", "5,2\n", "", r"has 5 sentences, .*datasetSplit\.txt 4"),
        ("datasetSplit.txt", "1,1", "11", r"datasetSplit\.txt, line 2: expected two values with , between"),
        ("SOStr.txt", None, None, r"no SOStr\.txt in .*stanfordSentimentTreebank\.zip"),
    ],
)
def test_damaged_tables_of_phrases(tmp_path: Path, name: str, old: str | None, new: str | None, message: str) -> None:
    path = write_treebank(tmp_path) / name
    if old is None or new is None:
        path.unlink()
    else:
        path.write_text(path.read_text(encoding="utf-8").replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_sentiment(tmp_path, 2)


def test_answers_are_kept_as_they_were_written(tmp_path: Path) -> None:
    """Also of training rows that begin later in their paragraph; all gold answers, also those of a part of a word."""
    words = [f"w{number}" for number in range(40)]
    context = " ".join(words) + " in U.S. dollars (1815-1852)."
    answers = [{"text": text, "answer_start": context.index(text)} for text in ("U.S. dollars", "dollar", "1815")]
    asked = [{"id": str(row), "question": f"What {row}?", "answers": answers} for row in range(2)]
    data = [{"paragraphs": [{"context": context, "qas": asked}]} for _ in range(3)]
    for split in ("train", "dev"):
        write(tmp_path, {f"{split}-v1.1.json": json.dumps({"data": data})})
    splits = load(qa=str(tmp_path), qa_length=24, qa_stride=8)
    source = splits.train[0]
    assert isinstance(source, TensorSource)
    text = source.texts("qa", torch.tensor([1]))
    assert text is not None
    assert text[0].gold == ["U.S. dollars", "dollar", "1815"]
    first, last = source.targets("qa")[1, 0].tolist()
    assert text[0].written(first, last) == "U.S. dollars"
    assert text[0].written(first - 1, first) == "in U"
    assert text[0].written(0, 0) == text[0].written(1, 1) == ""
    assert splits.test[0].texts("qa", torch.arange(2)) is not None
    assert source.texts("pos", torch.tensor([1])) is None
