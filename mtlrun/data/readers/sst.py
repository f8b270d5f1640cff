"""Sentiment: SST-2 as GLUE has it, or the trees of the Stanford Sentiment Treebank.

Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", EMNLP 2013; Wang et al.,
"GLUE", ICLR 2019, arXiv:1804.07461. GLUE's training rows are phrases of the sentences, and its test labels are not
public; of the trees the whole sentences are taken, 6,920/872/1,821 with two classes and 8,544/1,101/2,210 with five.
"""

from __future__ import annotations

import re
from pathlib import Path

from mtlrun.data.readers.corpus_files import SPLITS, find_file, lines_of, optional_file
from mtlrun.data.text.example import TextExample
from mtlrun.errors import ConfigError, DataError

HOME = (
    "train.tsv and dev.tsv of SST-2 (https://gluebenchmark.com/tasks), or train.txt, dev.txt and test.txt of "
    "trainDevTestTrees_PTB.zip (https://nlp.stanford.edu/sentiment)"
)
TREES = {"train": "train.txt", "val": "dev.txt", "test": "test.txt"}
BRACKETS = {"-LRB-": "(", "-RRB-": ")"}

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
    if classes not in (2, 5):
        raise ConfigError(f"data.sentiment_classes must be 2 or 5, found {classes}")
    if optional_file("sentiment", folder, ["train.tsv"], HOME) is not None:
        return _tables(folder, classes)
    if (folder / "datasetSentences.txt").is_file():
        raise DataError(f"{folder} has the treebank as tables of phrases: data.sentiment takes {HOME}")
    paths = {split: find_file("sentiment", folder, [TREES[split]], HOME) for split in SPLITS}
    return {split: _some(path, _trees(path, classes)) for split, path in paths.items()}


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
        label = int(root[1])
        if classes == 2 and label == 2:
            continue
        words = [BRACKETS.get(word, word) for word in words]
        examples.append(TextExample(words, sentiment=int(label > 2) if classes == 2 else label))
    return examples


def _some(path: Path, examples: list[TextExample]) -> list[TextExample]:
    if not examples:
        raise DataError(f"{path} has no labelled texts: fetch it again")
    return examples
