"""Users' own texts: a table with a column of texts, or of pairs, and columns of labels; or a label for each word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.duplicates import warn_of_duplicates
from mtlrun.data.fingerprint import ids_of_texts
from mtlrun.data.label_kinds import Labels
from mtlrun.data.label_warnings import warn_before_training
from mtlrun.data.must_be_named import named_path
from mtlrun.data.readers.word_columns import NO_TAG, Sentence, in_iob2, is_entities, no_entities, read_word_columns
from mtlrun.data.row_splits import SPLITS, check_sizes, sizes_of
from mtlrun.data.source import Source, Splits
from mtlrun.data.split_plan import SplitOptions, check_labels, planned, statement
from mtlrun.data.tables.load import check_column, key_of, read_files
from mtlrun.data.tables.raw import TEXT, RawTable
from mtlrun.data.tables.read import TABLES, is_table
from mtlrun.data.tables.target_names import task_names, tell_names
from mtlrun.data.tables.targets import labels_by_task
from mtlrun.data.tables.text_columns import text_examples
from mtlrun.data.text.encode import TokenRows, encode, token_labels
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.labels import UNLABELLED
from mtlrun.data.text.source import TokenSource, check_length, words_of
from mtlrun.data.text.tagged import TagColumn, numbered_tags
from mtlrun.data.text.vocabulary import Vocabulary, make_vocabulary
from mtlrun.data.variety import check_variety
from mtlrun.errors import ConfigError, DataError, choose
from mtlrun.lines import shortened
from mtlrun.options import by_name, distinct, whole

log = logging.getLogger(__name__)

NAME = "texts"
WORDS = ("word", "form", "token", "text")
"""Names of columns of words, if none is named."""
PAIR = 2


def load(
    path: str | None = None,
    val_path: str | None = None,
    test_path: str | None = None,
    text: str | Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    val: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    group: str | None = None,
    order: str | None = None,
    stratify: bool = True,
    max_classes: int = 100,
    kinds: Mapping[str, str] | None = None,
    length: int = 128,
    vocabulary: int = 20000,
    lower: bool = False,
    tokenizer: str | None = None,
) -> Splits:
    """One source of texts, int64 [L, 2], with a task for each column of labels; `Splits.inferred` says their kinds.

    Args:
        path: a table (CSV, Parquet, columns in .npz) with a text a row; or, with `columns`, a file with a word a line.
        val_path, test_path: files of the same form.
        text: of a table the column of texts, or the two of pairs; of a file of words the column of words.
        targets: columns of labels, one task each; None for all others.
        columns: names of the columns of a file of words, '_' for those that do not matter.
        val, test: shares of the rows of `path`, where there is no file.
        seed: of the random split.
        group, order: columns of a table to split by.
        stratify: whether rare classes of a table are spread over the splits.
        max_classes: the most classes that integers, words or tags are taken for.
        kinds: per task of a table the kind that its labels are made into; the others are read off.
        length: tokens of a row; longer texts are cut at their end.
        vocabulary: numbers for words at most, the most frequent ones of the training rows.
        lower: whether capitals are read as small letters.
        tokenizer: folder of a fast tokenizer of transformers instead.

    Raises:
        ConfigError: if an option is missing, out of range or names a column that is not there.
        DataError: if the files are missing, malformed, or not enough to train each task.
    """
    files = [named_path("texts", path), *(Path(file).expanduser() for file in (val_path, test_path) if file)]
    splitting = SplitOptions(val_path, test_path, val, test, seed, group, order, stratify)
    named = None if targets is None else distinct("data.targets", targets)
    options = TextOptions(
        files,
        None if text is None else distinct("data.text", [text] if isinstance(text, str) else text),
        named,
        whole("data.max_classes", max_classes, 2),
        by_name("data.kinds", kinds, "{stars: Regression}"),
        check_length("length", length),
        lambda words: make_vocabulary(words, vocabulary, lower, tokenizer),
    )
    if columns is None:
        _check_tables(files)
        return load_table_of_texts(options, splitting)
    if splitting.key or options.kinds:
        raise ConfigError("data.group, data.order and data.kinds speak of a table, and data.columns of a file of words")
    if isinstance(columns, str):
        raise ConfigError(f"data.columns should be a list, as in data.columns=[word,pos,ner], found {columns}")
    return load_tagged(options, [str(name) for name in columns], splitting)


def _check_tables(files: Sequence[Path]) -> None:
    other = next((file for file in files if not is_table(file) and file.suffix != ".npz"), None)
    if other is not None:
        raise DataError(
            f"{other}: is no table by its ending (known: {', '.join(TABLES)}); a file with a word and its labels a "
            "line needs the names of its columns, as in data.columns=[word,pos,ner]"
        )


@dataclass(frozen=True)
class TextOptions:
    """The options of the same names, see `load`; files: of train, val and test; make_vocabulary: of training words."""

    files: Sequence[Path]
    text: list[str] | None
    targets: list[str] | None
    max_classes: int
    kinds: Mapping[str, str]
    length: int
    make_vocabulary: Callable[..., Vocabulary]


def load_table_of_texts(options: TextOptions, splitting: SplitOptions) -> Splits:
    """One source with a task for each column of labels of a table.

    Raises:
        ConfigError, DataError: see `load`.
    """
    table, counts = read_files(options.files)
    check_sizes(sizes_of(counts[0], splitting.shares), sum(counts))
    columns = {name: table.columns[name] for name in _label_columns(table, options, splitting.key)}
    labels = labels_by_task(columns, options.kinds, options.max_classes, ())
    rows, how = planned(splitting, counts, labels, key_of(table, splitting.key))
    check_labels(labels, rows)
    check_variety(labels, rows)
    examples = text_examples(options.files[0], table, options.text or [])
    _warn_of_gaps(table, options.text or [])
    warn_before_training(labels, rows["train"].numpy(), None)
    warn_of_duplicates(_ids(examples), labels, rows, splitting.group is not None)

    def targets(chosen: Tensor, encoded: TokenRows) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        values = {task: label.values[chosen] for task, label in labels.items()}
        return values, {task: label.labelled[chosen] for task, label in labels.items()}

    train, held_out, testing = _sources(examples, rows, options, targets)
    inferred = {task: label.kind for task, label in labels.items()}
    return Splits(train, held_out, testing, statement(rows, labels, how), inferred)


def _label_columns(table: RawTable, options: TextOptions, key: tuple[str, str] | None) -> list[str]:
    """The columns of labels, after a look at all that are named."""
    if not options.text or len(options.text) > PAIR:
        raise ConfigError(
            f"data.text={options.text or 'null'}: name the column of texts, as in data.text=[review], or two, as in "
            f"data.text=[question,answer] (there are: {shortened([*table.columns], 20)})"
        )
    keys = [key[1]] if key else []
    for option, chosen in (("text", options.text), ("targets", options.targets or ()), (key[0] if key else "", keys)):
        for name in chosen:
            check_column(table, name, f"data.{option}")
    both = next((name for name in options.targets or () if name in options.text), None)
    if both is not None:
        raise ConfigError(f"column '{both}' is named in data.text and in data.targets: it is one of them")
    for name in options.text:
        if table.columns[name].kind != TEXT:
            raise DataError(f"column '{name}' (data.text) holds {table.columns[name].kind}s, and no texts")
    aside = [*options.text, *keys]
    found = options.targets if options.targets is not None else [name for name in table.columns if name not in aside]
    if not found:
        raise ConfigError(f"no column is left for data.targets (there are: {shortened([*table.columns], 20)})")
    return found


def _warn_of_gaps(table: RawTable, names: Sequence[str]) -> None:
    for name in names:
        count = table.columns[name].texts().count("")
        if count:
            log.warning("no text in %d of %d rows of '%s'", count, len(table), name)


def load_tagged(options: TextOptions, columns: Sequence[str], splitting: SplitOptions) -> Splits:
    """One source with a task for each column of tags of files with a word a line.

    Raises:
        ConfigError, DataError: see `load`.
    """
    words, targets = roles(columns, options.text, options.targets)
    parts = [read_word_columns(file, columns) for file in options.files]
    if len(parts[0]) == 1 and set(splitting.shares.values()) != {None}:
        raise DataError(
            f"{options.files[0]} is one sentence of {len(parts[0][0][words])} words: an empty line belongs between "
            "sentences"
        )
    sentences, counts = [sentence for part in parts for sentence in part], [len(part) for part in parts]
    names = task_names(targets)
    tags = {task: _tags(task, name, sentences, options.max_classes) for name, task in names.items()}
    rows, how = planned(splitting, counts, {}, None)
    labels = {task: _of_words(column) for task, column in tags.items()}
    check_labels(labels, rows)
    tell_names(names)
    for task, column in tags.items():
        log.info("task %s: %s", task, column.how)
    examples = [TextExample(sentence[words]) for sentence in sentences]
    ids = ids_of_texts(" ".join(word for part in sentence.values() for word in part) for sentence in sentences)
    warn_of_duplicates(ids, {}, rows)

    def made_targets(chosen: Tensor, encoded: TokenRows) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        picked = chosen.tolist()
        values = {
            task: token_labels([column.numbers[row] for row in picked], encoded.words) for task, column in tags.items()
        }
        return values, {task: (found != UNLABELLED).any(1) for task, found in values.items()}

    train, held_out, testing = _sources(examples, rows, options, made_targets)
    inferred = {task: label.kind for task, label in labels.items()}
    return Splits(train, held_out, testing, statement(rows, labels, how), inferred)


def roles(columns: Sequence[str], text: Sequence[str] | None, named: Sequence[str] | None) -> tuple[str, list[str]]:
    """The column of words, and those of labels.

    Args:
        columns: names of all.
        text: the column of words; None to find it.
        named: columns of labels; None for all others.

    Raises:
        ConfigError: if a name is not there or stands twice, or one of the two is missing.
    """
    twice = next((name for name in columns if name != NO_TAG and list(columns).count(name) > 1), None)
    if twice is not None:
        raise ConfigError(f"data.columns names '{twice}' twice: '_' stands for columns that do not matter")
    there = [name for name in columns if name != NO_TAG]
    given = text or [name for name in WORDS if name in there][:1]
    if len(given) != 1:
        raise ConfigError(f"which column has the words? name it, as in data.text=[{there[0] if there else 'word'}]")
    words = choose(given[0], there, "column in data.columns (data.text)")
    targets = [choose(name, there, "column in data.columns (data.targets)") for name in named or ()]
    found = targets or [name for name in there if name not in (words, "id")]
    if not found or words in found:
        raise ConfigError(f"data.columns should name columns of labels beside '{words}', found {', '.join(columns)}")
    return words, found


def _tags(task: str, name: str, sentences: Sequence[Sentence], most: int) -> TagColumn:
    given = [sentence[name] for sentence in sentences]
    tags = {tag for tags in given for tag in tags}
    entities, odd = is_entities(tags), no_entities(tags)
    if odd:
        log.warning(
            "task %s: most tags are B- or I- with a type, but not %s: all are taken as plain tags, a class each; "
            "correct these for scores of whole entities",
            task,
            shortened(odd),
        )
    return numbered_tags(task, given, NO_TAG, in_iob2 if entities else None, most)


def _of_words(column: TagColumn) -> Labels:
    """Which sentences have a label, and the kind of the task; the labels of tokens are made where texts are encoded."""
    labelled = torch.tensor([any(number != UNLABELLED for number in numbers) for numbers in column.numbers])
    kind: dict[str, object] = {"kind": "TokenClassification", "classes": column.classes}
    return Labels(torch.zeros(len(labelled)), labelled, kind)


def _ids(examples: Sequence[TextExample]) -> Tensor:
    return ids_of_texts(" ".join((*example.first, "", *example.second)) for example in examples)


def _sources(
    examples: Sequence[TextExample],
    rows: Mapping[str, Tensor],
    options: TextOptions,
    targets: Callable[[Tensor, TokenRows], tuple[dict[str, Tensor], dict[str, Tensor]]],
) -> list[list[Source]]:
    """The source of each split; `targets` gives labels, and which rows have one, for the rows of a split."""
    vocabulary = options.make_vocabulary(words_of(examples[row] for row in rows["train"].tolist()))
    made: list[list[Source]] = []
    cut = 0
    for split in SPLITS:
        chosen = [examples[row] for row in rows[split].tolist()]
        encoded = encode(chosen, vocabulary, options.length)
        values, labelled = targets(rows[split], encoded)
        made.append([TokenSource(NAME, encoded.tokens, values, labelled, vocabulary, _ids(chosen))])
        cut += encoded.cut
    if cut:
        log.info("%d of %d texts are cut at data.length=%d tokens", cut, len(examples), options.length)
    return made
