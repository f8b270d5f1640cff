"""Named entities in the format of CoNLL-2003, and parts of speech in CoNLL-U, the format of Universal Dependencies.

Tjong Kim Sang & De Meulder, "Introduction to the CoNLL-2003 Shared Task", 2003, arXiv:cs/0306050;
https://universaldependencies.org/format.html. The tags in the second column of CoNLL-2003 are those of the Penn
Treebank, of which several are split between parts of speech (IN is ADP or SCONJ), so they do not serve the task `pos`.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from mtlrun.data.readers.corpus_files import (
    Numbered,
    blocks_of,
    corpus_folder,
    find_file,
    lines_of,
    optional_file,
)
from mtlrun.data.split_sizes import SPLITS
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.labels import ENTITIES, TAGS, UNLABELLED, UPOS
from mtlrun.errors import DataError, near_miss

NER_FILES = {
    "train": ("eng.train", "train.txt", "train", "*.train"),
    "val": ("eng.testa", "valid.txt", "dev.txt", "testa.txt", "testa", "*.testa"),
    "test": ("eng.testb", "testb.txt", "testb", "test.txt", "*.testb"),
}
NER_HOME = (
    "the files of CoNLL-2003: eng.train, eng.testa and eng.testb, or train.txt, valid.txt (or testa.txt) and test.txt "
    "(or testb.txt) (https://www.clips.uantwerpen.be/conll2003/ner), or Parquet with tokens and ner_tags"
)
POS_FILES = {"train": "*-ud-train*.conllu", "val": "*-ud-dev.conllu", "test": "*-ud-test.conllu"}
POS_HOME = (
    "a treebank of Universal Dependencies: *-ud-train.conllu (or *-ud-train-a.conllu, ...), *-ud-dev.conllu and "
    "*-ud-test.conllu (https://universaldependencies.org), or Parquet with tokens and upos"
)
COLUMNS = 10


def read_ner(folder: Path) -> dict[str, list[TextExample]]:
    """Sentences with tags by split, as the files have them; IOB1 becomes IOB2.

    Raises:
        DataError: if files are absent or damaged.
    """
    folder = corpus_folder("ner", folder, NER_FILES["train"])
    paths = {split: find_file("ner", folder, NER_FILES[split], NER_HOME) for split in SPLITS}
    return {split: _some(path, [_tagged(path, block) for block in _sentences(path)]) for split, path in paths.items()}


def read_pos(folder: Path) -> dict[str, list[TextExample]]:
    """Sentences with parts of speech by split, as the files have them; '_' stands for a word without one.

    Raises:
        DataError: if files are absent or damaged.
    """
    folder = corpus_folder("pos", folder, [POS_FILES["train"]])
    penn = optional_file("pos", folder, NER_FILES["train"], POS_HOME)
    if penn is not None and not [*folder.glob("*.conllu")]:
        raise DataError(f"{penn} has tags of the Penn Treebank, not parts of speech: data.pos takes {POS_HOME}")
    paths = {"train": _training_files(folder)}
    paths |= {split: [find_file("pos", folder, [POS_FILES[split]], POS_HOME)] for split in ("val", "test")}
    return {
        split: _some(files[0], [_parsed(path, block) for path in files for block in blocks_of(path)])
        for split, files in paths.items()
    }


def _training_files(folder: Path) -> list[Path]:
    """The training file of a treebank, or the parts of one that is too large for one file."""
    found = sorted(folder.glob(POS_FILES["train"]))
    treebanks = {path.name.partition("-ud-train")[0]: path for path in found}
    whole = [path for path in found if path.name.endswith("-ud-train.conllu")]
    if len(treebanks) == 1 and not whole:
        return found
    return [find_file("pos", folder, [POS_FILES["train"] if len(treebanks) > 1 else "*-ud-train.conllu"], POS_HOME)]


def to_iob2(tags: list[str]) -> list[str]:
    """Tags of a sentence in IOB1 or IOB2, or a mixture, as IOB2: B- on the first word of every entity."""
    before, result = "O", []
    for tag in tags:
        begins = tag != "O" and (tag[0] == "B" or tag[2:] != before[2:])
        result.append(f"B-{tag[2:]}" if begins else tag)
        before = tag
    return result


def _some(path: Path, examples: list[TextExample]) -> list[TextExample]:
    if not examples:
        raise DataError(f"{path} has no sentences: fetch it again")
    return examples


def _sentences(path: Path) -> list[Numbered]:
    """What stands between lines that are empty or mark a document, some of which no empty line follows."""
    blocks = groupby(lines_of(path), lambda line: not line[1].strip() or line[1].startswith("-DOCSTART-"))
    return [list(block) for between, block in blocks if not between]


def _tagged(path: Path, block: Numbered) -> TextExample:
    words, tags = [], []
    for number, line in block:
        fields = line.split()
        if len(fields) < 2:
            raise DataError(f"{path}, line {number}: expected a word and a tag, found '{line}'")
        if fields[-1] not in TAGS:
            kind = fields[-1][2:] if fields[-1][:2] in ("B-", "I-") else fields[-1]
            known = f"{near_miss(kind, ENTITIES)} (there are O, and B- and I- with {', '.join(ENTITIES)})"
            raise DataError(f"{path}, line {number}: no entity tag '{fields[-1]}'{known}")
        words.append(fields[0])
        tags.append(fields[-1])
    return TextExample(words, tags=[TAGS.index(tag) for tag in to_iob2(tags)])


def _parsed(path: Path, block: Numbered) -> TextExample:
    """Lines of comments, of contractions (1-2) and of words that are not written (1.1) are skipped."""
    words, pos = [], []
    for number, line in block:
        if line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) != COLUMNS:
            raise DataError(f"{path}, line {number}: expected {COLUMNS} columns with tabs between, found {len(fields)}")
        if not fields[0].isdigit():
            continue
        if fields[3] not in (*UPOS, "_"):
            known = f"{near_miss(fields[3], UPOS)} (there are: {', '.join(UPOS)})"
            raise DataError(f"{path}, line {number}: no part of speech '{fields[3]}'{known}")
        words.append(fields[1])
        pos.append(UNLABELLED if fields[3] == "_" else UPOS.index(fields[3]))
    if not words:
        raise DataError(f"{path}, line {block[0][0]}: a sentence without words")
    return TextExample(words, pos=pos)
