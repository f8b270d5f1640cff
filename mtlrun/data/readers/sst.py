"""Sentiment: SST-2 as GLUE has it, or the Stanford Sentiment Treebank as trees or as tables of phrases.

Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", EMNLP 2013; Wang et al.,
"GLUE", ICLR 2019, arXiv:1804.07461. GLUE's training rows are phrases of the sentences, and its test labels are not
public; of the trees the whole sentences are taken, 6,920/872/1,821 with two classes and 8,544/1,101/2,210 with five.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from pathlib import Path

from mtlrun.data.readers.corpus_files import corpus_folder, find_file, lines_of, optional_file
from mtlrun.data.split_sizes import SPLITS
from mtlrun.data.text.example import TextExample
from mtlrun.errors import ConfigError, DataError

HOME = (
    "train.tsv and dev.tsv of SST-2 (https://gluebenchmark.com/tasks), or train.txt, dev.txt and test.txt of "
    "trainDevTestTrees_PTB.zip, or stanfordSentimentTreebank.zip (https://nlp.stanford.edu/sentiment), or Parquet with "
    "sentence and label"
)
TREES = {"train": "train.txt", "val": "dev.txt", "test": "test.txt"}
BRACKETS = {"-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}"}
PHRASES = ("SOStr.txt", "datasetSplit.txt", "dictionary.txt", "sentiment_labels.txt")
"""Words of each sentence, its split, numbers of phrases, and their sentiment from 0 to 1."""

TREEBANK = (PHRASES[0], "datasetSentences.txt")
"""Files by which these tables are known; the sentences in the second one are damaged: clichÃ©s."""

FILES = ("train.tsv", TREES["train"], *TREEBANK)
"""By which one of the layouts is known."""

PARTS = {"1": "train", "2": "test", "3": "val"}
CUTS = (0.2, 0.4, 0.6, 0.8)
"""Up to each of them goes one of the five classes; so says the collection's README."""

_LEAF = re.compile(r"\([0-4] ([^()\s]+)\)")
_ROOT = re.compile(r"\(([0-4]) ")


def read_sentiment(folder: Path, classes: int) -> dict[str, list[TextExample]]:
    """Texts with their sentiment by split; without `val` where the collection has none to spare.

    Args:
        folder: of the files.
        classes: 2, negative (0) and positive (1), without the neutral ones; or 5, from very negative (0) on.

    Raises:
        ConfigError: if there are as many classes in no file.
        DataError: if files are absent or damaged.
    """
    folder = corpus_folder("sentiment", folder, FILES)
    if optional_file("sentiment", folder, ["train.tsv"], HOME) is not None:
        return _tables(folder, classes)
    if any((folder / name).is_file() for name in TREEBANK):
        return _phrases(folder, classes)
    paths = {split: find_file("sentiment", folder, [TREES[split]], HOME, FILES) for split in SPLITS}
    return {split: _some(path, _trees(path, classes)) for split, path in paths.items()}


def class_of(positive: float) -> int:
    """The class among five, from very negative (0) on, of a sentiment from 0 to 1."""
    return bisect_left(CUTS, positive)


def of_classes(five: int, classes: int) -> int | None:
    """A class among five as one of so many; None for a neutral text if there are two."""
    if classes == 5:
        return five
    return None if five == 2 else int(five > 2)


def unescaped(word: str) -> str:
    """A word as it was before the treebank wrote it down: brackets have names in it, / and * a backslash."""
    return BRACKETS.get(word, word).replace("\\/", "/").replace("\\*", "*")


def _phrases(folder: Path, classes: int) -> dict[str, list[TextExample]]:
    """The sentences by split; each is a phrase of the dictionary, and has its sentiment."""
    sentences, places, known, values = (find_file("sentiment", folder, [name], HOME) for name in PHRASES)
    numbers = dict(_pair(known, *line, "|") for line in lines_of(known) if line[1])
    labels = dict(_pair(values, *line, "|") for line in lines_of(values)[1:] if line[1])
    splits = [_pair(places, *line, ",")[1] for line in lines_of(places)[1:] if line[1]]
    parts: dict[str, list[TextExample]] = {split: [] for split in SPLITS}
    lines = [line for line in lines_of(sentences) if line[1]]
    if len(lines) != len(splits):
        raise DataError(f"{sentences} has {len(lines)} sentences, {places} {len(splits)}: fetch the archive again")
    for (number, line), split in zip(lines, splits):
        words = line.split("|")
        try:
            label = of_classes(class_of(float(labels[numbers[" ".join(words)]])), classes)
            part = parts[PARTS[split]]
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{sentences}, line {number}: no sentiment or split of '{line[:60]}' in {', '.join(PHRASES[1:])}: "
                "fetch the archive again"
            ) from error
        if label is not None:
            part.append(TextExample([unescaped(word) for word in words], sentiment=label))
    return {split: _some(sentences, examples) for split, examples in parts.items()}


def _pair(path: Path, number: int, line: str, mark: str) -> tuple[str, str]:
    """What stands before and after the last mark of a line."""
    before, found, after = line.rpartition(mark)
    if not found:
        raise DataError(f"{path}, line {number}: expected two values with {mark} between, found '{line[:60]}'")
    return before, after


def _tables(folder: Path, classes: int) -> dict[str, list[TextExample]]:
    if classes != 2:
        raise ConfigError(f"data.sentiment_classes={classes}: the .tsv files in {folder} have two, only the trees five")
    dev = find_file("sentiment", folder, ["dev.tsv"], HOME)
    parts = {"train": folder / "train.tsv", "test": dev}
    labelled = folder / "test.tsv"
    if labelled.is_file() and "label" in lines_of(labelled)[0][1].split("\t"):
        parts |= {"val": dev, "test": labelled}
    return {split: _some(path, _table(path)) for split, path in parts.items()}


def _table(path: Path) -> list[TextExample]:
    (_, header), *lines = lines_of(path)
    columns = header.split("\t")
    if not {"sentence", "label"} <= {*columns}:
        raise DataError(f"{path}, line 1: expected the columns sentence and label with a tab between, found '{header}'")
    indices = [columns.index(name) for name in ("sentence", "label")]
    examples = []
    for number, line in lines:
        if not line.strip():
            continue
        fields = line.split("\t")
        text, label = (fields[index] for index in indices) if len(fields) == len(columns) else ("", "")
        if not text.split() or label not in ("0", "1"):
            raise DataError(f"{path}, line {number}: expected a text and its label 0 or 1, found '{line[:60]}'")
        examples.append(TextExample(text.split(), sentiment=int(label)))
    return examples


def _trees(path: Path, classes: int) -> list[TextExample]:
    examples = []
    for number, line in lines_of(path):
        if not line.strip():
            continue
        root, words = _ROOT.match(line), _LEAF.findall(line)
        if root is None or not words or line.count("(") != line.count(")"):
            raise DataError(f"{path}, line {number}: expected a tree such as (3 (2 A) (3 gem)), found '{line[:60]}'")
        label = of_classes(int(root[1]), classes)
        if label is not None:
            examples.append(TextExample([unescaped(word) for word in words], sentiment=label))
    return examples


def _some(path: Path, examples: list[TextExample]) -> list[TextExample]:
    if not examples:
        raise DataError(f"{path} has no labelled texts: fetch it again")
    return examples
