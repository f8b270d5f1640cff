"""Labels of words in columns, as CoNLL's shared tasks have them: a word a line, an empty line between sentences."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import dropwhile, groupby
from pathlib import Path

from mtlrun.data.readers.conll import to_iob2
from mtlrun.data.readers.corpus_files import Numbered, lines_of
from mtlrun.errors import DataError

NO_TAG = "_"
"""In place of a label that is not known, and the name of columns that do not matter."""
WHOLE, ENDS = "S-", "E-"
"""Further prefixes of tags that say of an entity where it ends: a single word, its last word."""

Sentence = dict[str, list[str]]
"""Column -> what it holds for each word."""


def read_word_columns(path: Path, columns: Sequence[str]) -> list[Sentence]:
    """The sentences of a file.

    Fields are separated by tabs if any line of a sentence has one, else by blanks. Lines that begin with
    -DOCSTART- are empty lines. Lines that begin with # are comments if they have another number of fields, or stand at
    the beginning of a sentence and every sentence has one there. With a column `id`, lines whose number has a - or a .
    (contractions and words that are not written, of CoNLL-U) are left out.

    Args:
        path: of the file.
        columns: names of the columns; '_' for those that do not matter.

    Raises:
        DataError: if a line has another number of columns, or there is no sentence.
    """
    blocks = groupby(lines_of(path), lambda line: not line[1].strip() or line[1].startswith("-DOCSTART-"))
    sentences = [list(block) for between, block in blocks if not between]
    if all(block[0][1].startswith("#") for block in sentences):
        sentences = [list(dropwhile(lambda line: line[1].startswith("#"), block)) for block in sentences]
    found = [_sentence(path, block, columns) for block in sentences]
    kept = [sentence for sentence in found if sentence]
    if not kept:
        raise DataError(f"{path} has no sentences: a word a line, and an empty line between sentences")
    return kept


def _sentence(path: Path, block: Numbered, columns: Sequence[str]) -> Sentence:
    """By column; nothing for a block of comments."""
    tabs = any("\t" in line for _, line in block)
    rows = []
    for number, line in block:
        fields = line.split("\t") if tabs else line.split()
        if len(fields) == len(columns):
            rows.append([field.strip() for field in fields])
        elif not line.startswith("#"):
            raise DataError(
                f"{path}, line {number}: {len(fields)} columns, and data.columns names {len(columns)} "
                f"({', '.join(columns)}): '{line.strip()[:60]}'"
            )
    if "id" in columns:
        rows = [row for row in rows if row[columns.index("id")].isdigit()]
    if not rows:
        return {}
    return {name: [row[place] for row in rows] for place, name in enumerate(columns) if name != NO_TAG}


def is_entities(tags: Collection[str]) -> bool:
    """Whether tags are O, and B- and I- with types; perhaps with S- and E-."""
    others = {*tags} - {"O", NO_TAG}
    return "O" in tags and bool(others) and all(map(_is_entity, others))


def no_entities(tags: Collection[str]) -> list[str]:
    """The tags that keep the others, most of which say where entities are, from being such; none where most do not."""
    others = {*tags} - {"O", NO_TAG}
    odd = sorted(tag for tag in others if not _is_entity(tag))
    return odd if 2 * len(odd) < len(others) else []


def _is_entity(tag: str) -> bool:
    return tag[:2] in ("B-", "I-", WHOLE, ENDS) and bool(tag[2:])


def in_iob2(tags: Sequence[str]) -> list[str]:
    """The entity tags of a sentence as IOB2: S- begins one, E- goes on with it."""
    plain = ["B-" + tag[2:] if tag[:2] == WHOLE else "I-" + tag[2:] if tag[:2] == ENDS else tag for tag in tags]
    known = iter(to_iob2([tag for tag in plain if tag != NO_TAG]))
    return [NO_TAG if tag == NO_TAG else next(known) for tag in plain]
