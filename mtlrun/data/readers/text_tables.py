"""The tasks of text_files from tables with the columns that `datasets` gives CoNLL-2003, UD, SST and SQuAD."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from mtlrun.data.readers.arrow_tables import ArrowTable, read_tables
from mtlrun.data.readers.conll import to_iob2
from mtlrun.data.readers.sentiment_labels import sentiment_labels
from mtlrun.data.readers.squad import asked
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.labels import TAGS, UNLABELLED, UPOS
from mtlrun.errors import DataError

Examples = list[TextExample]


def read_text_tables(task: str, paths: Mapping[str, Sequence[Path]], classes: int) -> dict[str, Examples]:
    """Examples by split; the validation rows are the test if there are no labelled test rows.

    Args:
        task: ner, pos, sentiment or qa.
        paths: of the files of each split.
        classes: of the sentiment, 2 or 5.

    Raises:
        DataError: if columns or labels are missing or malformed, or only training rows are there.
    """
    readers: dict[str, Callable[[ArrowTable], Examples]] = {"ner": _ner, "pos": _pos, "qa": _qa}
    tables = {split: read_tables(files) for split, files in paths.items()}
    if task == "sentiment":
        parts = _sentiment(tables, classes)
    else:
        parts = {split: readers[task](table) for split, table in tables.items()}
    parts = {split: examples for split, examples in parts.items() if examples}
    if "test" not in parts and "val" in parts:
        parts["test"] = parts.pop("val")
    absent = next((split for split in ("train", "test") if split not in parts), None)
    if absent is not None:
        where = paths["train"][0].parent
        raise DataError(
            f"{where} has no labelled {absent} rows of {task}: expected files of train and of validation or test"
        )
    return parts


def _ner(table: ArrowTable) -> Examples:
    rows = zip(table.column("tokens", "words"), table.words("ner_tags", "tags", "labels"))
    return [
        TextExample(words, tags=_numbers(table, "ner_tags", words, to_iob2(tags), TAGS))
        for words, tags in _told(table, rows)
    ]


def _pos(table: ArrowTable) -> Examples:
    rows = zip(table.column("tokens", "words"), table.words("upos", "pos"))
    return [TextExample(words, pos=_numbers(table, "upos", words, tags, UPOS)) for words, tags in _told(table, rows)]


def _told(table: ArrowTable, rows: Any) -> list[tuple[list[str], list[str]]]:
    """The rows that have words; tags must be names, since the order of numbers differs from set to set."""
    found = [(words, tags) for words, tags in rows if words]
    if any(not isinstance(tag, str) for _, tags in found[:1] for tag in tags):
        raise DataError(
            f"{table.path} has numbers for tags, and does not say what they mean: save their names in their place"
        )
    return found


def _numbers(table: ArrowTable, column: str, words: list[str], tags: list[str], known: Sequence[str]) -> list[int]:
    if len(words) != len(tags):
        raise DataError(f"{table.path}: a row has {len(words)} tokens and {len(tags)} {column}")
    unknown = next((tag for tag in tags if tag not in known and (tag != "_" or known is not UPOS)), None)
    if unknown is not None:
        raise DataError(f"{table.path}: no tag '{unknown}' of {column} (there are: {', '.join(known)})")
    return [UNLABELLED if tag == "_" else known.index(tag) for tag in tags]


def _sentiment(tables: Mapping[str, ArrowTable], classes: int) -> dict[str, Examples]:
    """The texts with labels of each split."""
    labels = sentiment_labels(tables, classes)
    return {
        split: [
            TextExample(words, sentiment=label)
            for text, label in zip(table.column("sentence", "text"), labels[split])
            if label is not None and text is not None and (words := text.split())
        ]
        for split, table in tables.items()
    }


def _qa(table: ArrowTable) -> Examples:
    """Questions with their paragraphs; those of one title stay together."""
    contexts, questions, answers = (table.column(name) for name in ("context", "question", "answers"))
    titles = table.columns.get("title") or contexts
    articles = {title: number for number, title in enumerate(dict.fromkeys(titles))}
    rows = groupby(zip(contexts, titles, questions, answers), key=lambda row: row[:2])
    found: Examples = []
    for (context, title), group in rows:
        qas = [_question(len(found) + number, question, given) for number, (*_, question, given) in enumerate(group)]
        found += asked(table.path, {"context": context, "qas": qas}, articles[title])
    return found


def _question(number: int, question: str, answers: Mapping[str, list[Any]]) -> dict[str, Any]:
    pairs = [{"text": text, "answer_start": start} for text, start in zip(answers["text"], answers["answer_start"])]
    return {"id": number, "question": question, "answers": pairs, "is_impossible": not pairs}
