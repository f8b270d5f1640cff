"""The data of task set `text` from the files of CoNLL-2003, Universal Dependencies, SST and SQuAD.

The collections' own files, or Parquet and folders of the library `datasets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import torch

from mtlrun.data.readers.arrow_tables import find_tables
from mtlrun.data.readers.conll import NER_FILES, POS_FILES, read_ner, read_pos
from mtlrun.data.readers.corpus_files import has_any
from mtlrun.data.readers.folders import step_down
from mtlrun.data.readers.squad import FILES as QA_FILES
from mtlrun.data.readers.squad import read_qa, window
from mtlrun.data.readers.sst import FILES as SENTIMENT_FILES
from mtlrun.data.readers.sst import read_sentiment
from mtlrun.data.readers.text_tables import read_text_tables
from mtlrun.data.source import Source, Splits, TensorSource
from mtlrun.data.split_sizes import MOST_ROWS, SPLITS
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.source import check_length, make_source, words_of
from mtlrun.data.text.vocabulary import Vocabulary, make_vocabulary
from mtlrun.errors import ConfigError, DataError
from mtlrun.options import share, whole

Parts = dict[str, list[TextExample]]
"""Examples by split."""


OWN = {
    "ner": NER_FILES["train"],
    "pos": (POS_FILES["train"],),
    "sentiment": SENTIMENT_FILES,
    "qa": QA_FILES["train"],
}
"""Files by which the collections' own layouts are known."""


@dataclass(frozen=True)
class Lengths:
    """rows, qa_rows: tokens of a row, and of one with a question; qa_stride: see `window`."""

    rows: int
    qa_rows: int
    qa_stride: int


def load(
    ner: str | None = None,
    pos: str | None = None,
    sentiment: str | None = None,
    qa: str | None = None,
    sentiment_classes: int = 2,
    val: float = 0.1,
    seed: int = 0,
    length: int = 128,
    qa_length: int = 384,
    qa_stride: int = 128,
    vocabulary: int = 20000,
    lower: bool = False,
    tokenizer: str | None = None,
) -> Splits:
    """A source of its own for each of the tasks ner, pos, sentiment and qa that a folder is given for.

    The collections' own splits are used. Where the test labels are not public, the development set is the test set,
    and a part of the training set is held out for validation: rows of SST-2, articles of SQuAD.

    Args:
        ner, pos, sentiment, qa: folders, see `read_ner`, `read_pos`, `read_sentiment`, `read_qa` and
            `read_text_tables`; None leaves a task out.
        sentiment_classes: 2 or 5.
        val: share that is held out.
        seed: of the draw of what is held out.
        length: tokens of a row of ner, pos and sentiment; longer texts are cut at their end.
        qa_length: tokens of a row of qa. A longer paragraph is cut at its end for validation and test; in training it
            may begin later, so that the row has the answer.
        qa_stride: tokens between the places where it may begin.
        vocabulary: numbers for words at most, see `WordVocabulary`.
        lower: whether capitals are read as small letters.
        tokenizer: folder of a fast tokenizer of transformers instead of a vocabulary of words.

    Raises:
        ConfigError: if no folder is given, or an option is out of bounds.
        DataError: if files are absent or damaged.
    """
    if sentiment_classes not in (2, 5):
        raise ConfigError(f"data.sentiment_classes must be 2 or 5, found {sentiment_classes}")
    if not share("data.val", val):
        raise ConfigError("data.val=0: some collections have no validation rows of their own, try data.val=0.1")
    lengths = Lengths(
        check_length("length", length),
        check_length("qa_length", qa_length),
        whole("data.qa_stride", qa_stride, 1, MOST_ROWS),
    )
    draw = torch.Generator().manual_seed(whole("data.seed", seed, 0, 2**31 - 1))
    folders = {"ner": ner, "pos": pos, "sentiment": sentiment, "qa": qa}
    parts = {
        task: read(task, Path(folder).expanduser(), sentiment_classes) for task, folder in folders.items() if folder
    }
    if not parts:
        options = ", ".join(f"data.{task}=FOLDER" for task in folders)
        raise ConfigError(f"data names no folder: give at least one of {options}, and tasks=[...] for those given")
    lacking = [task for task, found in parts.items() if "val" not in found]
    for task in lacking:
        parts[task]["train"], parts[task]["val"] = hold_out(task, parts[task]["train"], val, draw)
    train = chain(*(found["train"] for found in parts.values()))
    words = make_vocabulary(words_of(train), vocabulary, lower, tokenizer)
    made = {task: make_sources(task, found, words, lengths) for task, found in parts.items()}
    how = f"; held out with data.seed={seed} for validation of {' and '.join(lacking)}, whose dev set is the test"
    return _joined([*made.values()], how if lacking else "")


def read(task: str, folder: Path, classes: int) -> Parts:
    """The examples of a task: from the collection's own files, or from Parquet and Arrow if there are none."""
    readers: dict[str, Callable[[Path], Parts]] = {
        "ner": read_ner,
        "pos": read_pos,
        "sentiment": lambda folder: read_sentiment(folder, classes),
        "qa": read_qa,
    }
    own = step_down(folder, lambda inner: has_any(inner, OWN[task]), f"data.{task}")
    tables = find_tables(task, folder) if own is None else None
    return readers[task](folder) if tables is None else read_text_tables(task, tables, classes)


def _joined(made: Sequence[tuple[dict[str, TensorSource], str]], how: str) -> Splits:
    rows: dict[str, list[Source]] = {split: [sources[split] for sources, _ in made] for split in SPLITS}
    statement = f"train/val/test: {'; '.join(said for _, said in made)}{how}"
    return Splits(rows["train"], rows["val"], rows["test"], statement)


def hold_out(task: str, examples: Sequence[TextExample], val: float, draw: torch.Generator) -> list[list[TextExample]]:
    """What is left, and what is held out: a share `val` of the groups, at least one of them.

    Raises:
        DataError: if there is only one group.
    """
    groups = [-1 - index if example.group is None else example.group for index, example in enumerate(examples)]
    known = list(dict.fromkeys(groups))
    if len(known) < 2:
        thing = "article" if task == "qa" else "text"
        raise DataError(
            f"the training file in data.{task} has a single {thing}: too few to hold one out for validation"
        )
    count = min(max(1, round(val * len(known))), len(known) - 1)
    held = {known[index] for index in torch.randperm(len(known), generator=draw)[:count].tolist()}
    parts: list[list[TextExample]] = [[], []]
    for group, example in zip(groups, examples):
        parts[group in held].append(example)
    return parts


def make_sources(task: str, parts: Parts, words: Vocabulary, lengths: Lengths) -> tuple[dict[str, TensorSource], str]:
    """A source per split, and what there is to say of them."""
    option, size = ("qa_length", lengths.qa_rows) if task == "qa" else ("length", lengths.rows)
    if task == "qa":
        pieces = words.pieces(words_of(parts["train"]))
        parts = {**parts, "train": [window(example, pieces, size, lengths.qa_stride) for example in parts["train"]]}
    made = {split: make_source(task, parts[split], words, size) for split in SPLITS}
    said = f"{task} {_listed(len(parts[split]) for split in SPLITS)}"
    if any(cut for _, cut in made.values()):
        said += f" ({_listed(cut for _, cut in made.values())} of them cut at data.{option}={size}"
        lost = [int((source.targets(task)[:, 0, 0] < 0).sum()) for source, _ in made.values()] if task == "qa" else []
        said += f", {_listed(lost)} thereby without their answer)" if any(lost) else ")"
    return {split: source for split, (source, _) in made.items()}, said


def _listed(counts: Iterable[int]) -> str:
    return "/".join(map(str, counts))
