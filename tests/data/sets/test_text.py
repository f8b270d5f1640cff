"""Sentences from the grammar, the vocabulary, and how texts become rows of tokens."""

from __future__ import annotations

import csv
import inspect
import json
from pathlib import Path

import pytest
import torch
import yaml

from mtlrun import run
from mtlrun.data.drawn.sentences import lexicon
from mtlrun.data.drawn.sentences.grammar import draw
from mtlrun.data.drawn.sentences.phrases import Word, name, phrase
from mtlrun.data.sets.text import load
from mtlrun.data.text.encode import encode, span_targets, token_labels
from mtlrun.data.text.example import NO_ANSWER, TextExample
from mtlrun.data.text.labels import TAGS, UPOS
from mtlrun.data.text.source import TASKS
from mtlrun.data.text.vocabulary import FolderTokenizer, WordVocabulary
from mtlrun.errors import ConfigError, DataError
from mtlrun.paths import CONF
from mtlrun.tasks.span_extraction import SpanExtraction
from mtlrun.tasks.token_classification import TokenClassification

SIZES = {"train": 60, "val": 8, "test": 12}
DRAWN = [draw(0, index) for index in range(1500)]


def options(**changes: object) -> dict:
    stated = yaml.safe_load((CONF / "data" / "text.yaml").read_text())
    del stated["_target_"]
    return {**stated, "num_rows": SIZES, **changes}


def words_of(example: TextExample) -> list[str]:
    return [*example.first, *example.second]


def test_yaml_states_every_option_and_the_labels_of_the_data() -> None:
    assert options().keys() == inspect.signature(load).parameters.keys()
    tasks = yaml.safe_load((CONF / "task" / "text.yaml").read_text())["task"]["tasks"]
    assert tuple(tasks) == TASKS
    assert [tuple(tasks[task]["classes"]) for task in TASKS[:3]] == [TAGS, UPOS, ("negative", "positive")]


def test_a_template_keeps_the_words_facts_and_names_its_slots() -> None:
    words = phrase("who/PRON met/VERB {person} //SYM ?/PUNCT", {"person": name("PER", "Rio de", "Lee")})
    assert [word.text for word in words] == ["who", "met", "Rio", "de", "Lee", "/", "?"]
    assert words[3] == Word("de", "ADP", "I-PER", "person")
    assert [word.tag for word in words[1:5]] == ["O", "B-PER", "I-PER", "I-PER"]


def test_a_sentence_depends_on_its_seed_and_index_alone() -> None:
    assert draw(0, 7) == draw(0, 7)
    assert draw(1, 7) != draw(0, 7) != draw(0, 8)


def test_labels_fit_the_words() -> None:
    for example in DRAWN:
        words, (first, last) = words_of(example), example.answers[0]
        assert len(words) == len(example.tags) == len(example.pos)
        assert len(example.first) <= first <= last < len(words)
        assert example.first[-1] == "?"
        for before, tag in zip(["O", *(TAGS[tag] for tag in example.tags)], (TAGS[tag] for tag in example.tags)):
            assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_every_label_occurs_and_sentiment_is_balanced() -> None:
    assert {tag for example in DRAWN for tag in example.tags} == {*range(len(TAGS))}
    assert {part for example in DRAWN for part in example.pos} == {*range(len(UPOS))}
    assert sum(example.sentiment for example in DRAWN) / len(DRAWN) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(("labels", "least"), [("tags", 30), ("pos", 15)])
def test_many_words_need_their_sentence(labels: str, least: int) -> None:
    """The same word is of several types, beyond its place at the start of a name."""
    found: dict[str, set[str]] = {}
    kinds = [tag[2:] for tag in TAGS] if labels == "tags" else list(UPOS)
    for example in DRAWN:
        for word, label in zip(words_of(example), getattr(example, labels)):
            found.setdefault(word.lower(), set()).add(kinds[label])
    assert sum(len(types) > 1 for types in found.values()) >= least


def test_words_tell_the_sentiment_in_part_only() -> None:
    def positive(words: list[str]) -> float:
        there = [example.sentiment for example in DRAWN for word in example.second if word in words]
        return sum(there) / len(there)

    assert 0.55 < positive(lexicon.POSITIVE) < 0.7
    assert 0.3 < positive(lexicon.NEGATIVE) < 0.45
    assert 0.4 < positive(["not", "hardly", "never"]) < 0.6


def test_many_names_of_the_test_rows_are_unknown() -> None:
    vocabulary = WordVocabulary((word for example in DRAWN for word in words_of(example)), 8000, lower=False)
    tests = [draw(0, 20_000_000 + index) for index in range(300)]
    names = [word for e in tests for word, tag in zip(words_of(e), e.tags) if tag]
    unknown = [word for word in names if word not in vocabulary.numbers]
    assert 0.05 < len(unknown) / len(names) < 0.5


def test_splits_are_rows_with_all_four_labels() -> None:
    splits = load(**options())
    (train,), (val,), (test,) = splits.train, splits.val, splits.test
    assert [len(train), len(val), len(test)] == [60, 8, 12]
    assert train.tasks == TASKS
    assert train.input_shape == (50, 2)
    inputs, targets = test.fetch(torch.arange(12))
    assert inputs.dtype == torch.int64
    assert torch.equal(test.prepare(inputs), inputs)
    assert {name: tuple(values.shape) for name, values in targets.items()} == {
        "ner": (12, 50),
        "pos": (12, 50),
        "sentiment": (12,),
        "qa": (12, 1, 2),
    }
    assert all(values.dtype == torch.int64 for values in targets.values())
    assert all(test.labelled(task).all() for task in TASKS)
    for row in range(12):  # an answer lies in the second text, and every word has a part of speech
        first, last = targets["qa"][row, 0]
        assert (inputs[row, first : last + 1, 1] == 2).all()
        assert torch.equal(
            targets["pos"][row] >= 0, (inputs[row, :, 1] > 0) & ~torch.isin(inputs[row, :, 0], torch.tensor([2, 3]))
        )
    TokenClassification("ner", list(TAGS)).check(train.targets("ner"))
    SpanExtraction("qa").check(train.targets("qa"))


def test_rows_can_be_read_again() -> None:
    test = load(**options(num_rows={"train": 1500, "val": 1, "test": 3})).test[0].to(torch.device("cpu"))
    inputs, _ = test.fetch(torch.arange(3))
    for index, text in enumerate(test.read(inputs)):
        tokens = [token for line in text.splitlines() for token in line.split()[1:]]
        assert [int(line.split()[0]) for line in text.splitlines()] == [*range(0, len(tokens), 6)]
        example = draw(0, 20_000_000 + index)
        expected = ["[CLS]", *example.first, "[SEP]", *example.second, "[SEP]"]
        assert [word for word, token in zip(expected, tokens) if word != token != "[UNK]"] == []
        assert len(tokens) == len(expected)


def test_training_rows_lack_labels_as_asked() -> None:
    shares = {"ner": 0.5, "pos": 0.25, "qa": 0.0}
    splits = load(**options(labelled=shares))
    counts = {task: int(splits.train[0].labelled(task).sum()) for task in TASKS}
    assert counts == {"ner": 30, "pos": 15, "sentiment": 60, "qa": 1}
    assert "training labels of ner 30, pos 15, sentiment 60, qa 1" in splits.statement
    again = load(**options(labelled=shares)).train[0]
    assert torch.equal(again.labelled("ner"), splits.train[0].labelled("ner"))
    assert not torch.equal(again.labelled("ner").nonzero()[:15], again.labelled("pos").nonzero())


def test_rows_that_are_too_long_are_counted() -> None:
    assert "cut" not in load(**options()).statement
    splits = load(**options(length=16))
    assert "80 rows cut at data.length=16" in splits.statement
    assert (splits.test[0].targets("qa") == -1).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labelled": {"new": 1.0}}, r"data\.labelled: no task 'new'; did you mean 'ner'\?"),
        ({"labelled": {"ner": 1.5}}, r"data\.labelled\.ner must be a number from 0 to 1, found 1\.5"),
        ({"length": 4}, r"data\.length should be a whole number from 8 to 4096, found 4"),
        ({"vocabulary": 4}, r"data\.vocabulary should be a whole number from 5"),
        ({"num_rows": {"train": 1}}, r"data\.num_rows lacks 'val'"),
    ],
)
def test_options_are_checked(changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(**options(**changes))


def test_words_are_numbered_by_frequency_then_alphabet() -> None:
    words = list("babacccxdd")
    assert WordVocabulary(words, 100, lower=False).numbers == {"c": 4, "a": 5, "b": 6, "d": 7}
    assert WordVocabulary(words, 6, lower=False).numbers == {"c": 4, "a": 5}
    assert WordVocabulary(["A", "a", "B"], 100, lower=True).numbers == {"a": 4}
    pieces = WordVocabulary(["A", "a", "B"], 100, lower=True).pieces(["A", "x"])
    assert pieces == {"A": [4], "x": [1]}


def test_a_row_by_hand() -> None:
    vocabulary = WordVocabulary(["who", "is", "she", "is", "she"], 100, lower=False)  # is 4, she 5
    rows = encode([TextExample(["who", "?"], ["she", "is"]), TextExample(["is"])], vocabulary, 9)
    assert rows.tokens[0].tolist() == [[2, 1], [1, 1], [1, 1], [3, 1], [5, 2], [4, 2], [3, 2], [0, 0], [0, 0]]
    assert rows.tokens[1].tolist() == [[2, 1], [4, 1], [3, 1], *[[0, 0]] * 6]
    assert rows.words.tolist() == [[-1, 0, 1, -1, 2, 3, -1, -1, -1], [-1, 0, *[-1] * 7]]
    assert rows.cut == 0
    assert token_labels([[7, 8, 9, 6], [5]], rows.words).tolist() == [
        [-1, 7, 8, -1, 9, 6, -1, -1, -1],
        [-1, 5, *[-1] * 7],
    ]


def test_a_paragraph_is_the_second_text_even_of_a_question_without_words() -> None:
    vocabulary = WordVocabulary(["she", "she"], 100, lower=False)
    rows = encode([TextExample([], ["she"], answers=[(0, 0)])], vocabulary, 6)
    assert rows.tokens[0].tolist() == [[2, 1], [3, 1], [4, 2], [3, 2], [0, 0], [0, 0]]
    assert span_targets([[(0, 0)]], rows.words).tolist() == [[[2, 2]]]


def test_long_texts_are_cut_and_lose_their_labels() -> None:
    vocabulary = WordVocabulary([], 100, lower=False)
    rows = encode([TextExample(list("abcdefghij")), TextExample(list("abcdef"), list("uvwxyz"))], vocabulary, 8)
    assert (rows.tokens[..., 1] > 0).all()
    assert rows.words.tolist() == [[-1, 0, 1, 2, 3, 4, 5, -1], [-1, 0, 1, -1, 6, 7, 8, -1]]
    assert rows.cut == 2
    spans = span_targets([[(3, 5), (5, 6)], [(6, 7), (8, 9)]], rows.words)
    assert spans.tolist() == [[[4, 6]], [[4, 5]]]


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (15, 1, (15, 1)),  # both fit
        (15, 30, (8, 9)),  # half the row, with its separators
        (30, 3, (14, 3)),
        (5, 30, (5, 12)),
    ],
)
def test_a_first_text_gets_what_the_second_leaves_free(first: int, second: int, kept: tuple[int, int]) -> None:
    vocabulary = WordVocabulary([], 100, lower=False)
    rows = encode([TextExample(["a"] * first, ["b"] * second)], vocabulary, 20)
    segments = rows.tokens[0, rows.words[0] >= 0, 1]
    assert ((segments == 1).sum(), (segments == 2).sum()) == kept
    assert rows.cut == (kept != (first, second))


def test_answers_are_filled_up_and_none_points_at_the_first_token() -> None:
    words = torch.tensor([[-1, 0, -1, 1, 1, 2, -1]] * 3)  # word 1 has two tokens
    spans = span_targets([[(1, 1), (1, 2), (1, 1)], [NO_ANSWER], []], words)
    assert spans.tolist() == [[[3, 4], [3, 5]], [[0, 0], [-1, -1]], [[-1, -1], [-1, -1]]]


@pytest.fixture
def wordpiece(tmp_path: Path) -> Path:
    """A tokenizer that knows a few sub-words, as transformers saves it."""
    pytest.importorskip("transformers", reason="the tokenizer option needs transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "play", "##ing", "##s", "she", "a"]
    model = models.WordPiece({token: number for number, token in enumerate(tokens)}, unk_token="[UNK]")
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def test_labels_of_sub_words_stand_at_the_first_one(wordpiece: Path) -> None:
    example = TextExample(["she", "plays"], ["a", "playing", "xyz"])
    tokenizer = FolderTokenizer(str(wordpiece), 9)
    rows = encode([example], tokenizer, 12)
    assert [tokenizer.token(number) for number in (2, 5)] == ["[CLS]", "##ing"]
    assert rows.tokens[0, :, 0].tolist() == [2, 7, 4, 6, 3, 8, 4, 5, 1, 3, 0, 0]
    assert rows.tokens[0, :, 1].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0, 0]
    assert token_labels([[1, 2, 3, 4, 5]], rows.words)[0].tolist() == [-1, 1, 2, -1, -1, 3, 4, -1, 5, -1, -1, -1]
    assert span_targets([[(3, 3), (2, 4)]], rows.words)[0].tolist() == [[6, 7], [5, 8]]


def test_words_and_separators_of_a_tokenizer_like_robertas(tmp_path: Path) -> None:
    pytest.importorskip("transformers", reason="the tokenizer option needs transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import RobertaTokenizerFast

    tokens = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b", "\u0120", "\u0120a", "\u0120b"]
    merges = [("\u0120", "a"), ("\u0120", "b")]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    RobertaTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path)
    rows = encode([TextExample(["a", "b"], ["b"]), TextExample(["b"])], FolderTokenizer(str(tmp_path), 10), 8)
    assert rows.tokens[:, :, 0].tolist() == [[0, 8, 9, 2, 2, 9, 2, 1], [0, 9, 2, 1, 1, 1, 1, 1]]
    assert rows.tokens[0, :, 1].tolist() == [1, 1, 1, 1, 1, 2, 2, 0]


def test_a_word_is_not_cut_in_two(wordpiece: Path) -> None:
    rows = encode([TextExample(["a"] * 5 + ["plays", "a"])], FolderTokenizer(str(wordpiece), 9), 8)
    assert rows.tokens[0, :, 0].tolist() == [2, 8, 8, 8, 8, 8, 3, 0]


def test_sentences_with_a_tokenizer(wordpiece: Path) -> None:
    splits = load(**options(tokenizer=str(wordpiece), length=64))
    inputs, _ = splits.train[0].fetch(torch.arange(60))
    assert inputs[..., 0].max() < 9


def test_what_is_wrong_with_a_tokenizer_is_said(wordpiece: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 9 tokens, and data\.vocabulary=8: set data\.vocabulary=9"):
        load(**options(tokenizer=str(wordpiece), vocabulary=8))
    with pytest.raises(ConfigError, match=r"set data\.lower=false"):
        load(**options(tokenizer=str(wordpiece), lower=True))
    with pytest.raises(DataError, match=r"no folder .*absent: data\.tokenizer takes one with tokenizer\.json"):
        load(**options(tokenizer=str(tmp_path / "absent")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty holds no tokenizer that transformers can read: ") as caught:
        load(**options(tokenizer=str(tmp_path / "empty")))
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_special_tokens_is_refused(wordpiece: Path) -> None:
    settings = json.loads((wordpiece / "tokenizer_config.json").read_text())
    del settings["cls_token"]
    (wordpiece / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ConfigError, match="has no token for start: choose BERT's kind"):
        load(**options(tokenizer=str(wordpiece)))


def test_all_four_tasks_learn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = ["backbone.layers=1", "backbone.width=32", "backbone.heads=2", "backbone.dropout=0", "optimizer.lr=0.003"]
    sizes = ["data.num_rows={train: 48, val: 16, test: 16}", "data.labelled={}", "trainer.batch_size=16"]
    result = run(["task=text", *small, *sizes, "trainer.epochs=10", "diagnostics.every=0", "diagnostics.pictures=2"])
    with (result.folder / "metrics.csv").open() as file:
        lines = [line for line in csv.DictReader(file) if line["split"] == "train" and line["metric"] == "loss"]
    losses = {task: [float(line["value"]) for line in lines if line["task"] == task] for task in TASKS}
    assert {task: len(values) for task, values in losses.items()} == dict.fromkeys(TASKS, 10)
    assert all(values[-1] < 0.8 * values[0] for task, values in losses.items() if task != "sentiment")
    assert {task: entry["metric"] for task, entry in result.summary["tasks"].items()} == {
        "ner": "f1",
        "pos": "accuracy",
        "sentiment": "accuracy",
        "qa": "f1",
    }
    assert (result.folder / "plots" / "samples.png").stat().st_size > 1000
