"""The embedded data of task set `text`: sentences from a grammar, with all four labels known by construction."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mtlrun.data.drawn.drawings import counted
from mtlrun.data.drawn.sentences.grammar import draw
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import FIRST_INDEX, split_sizes
from mtlrun.data.text.source import TASKS, check_length, make_source, words_of
from mtlrun.data.text.vocabulary import make_vocabulary
from mtlrun.errors import ConfigError, near_miss
from mtlrun.options import number, whole


def load(
    seed: int,
    num_rows: Mapping[str, int],
    labelled: Mapping[str, float],
    length: int,
    vocabulary: int,
    lower: bool,
    tokenizer: str | None,
) -> Splits:
    """Source `sentences` with tasks ner, pos, sentiment and qa; a row is a question and the sentence that answers it.

    Training rows may lack labels; validation and test rows have all four. Words of the question have tags too.

    Args:
        seed: of the sentences, and of which labels are missing.
        num_rows: sentences per split, by train, val and test.
        labelled: task -> share of the training rows that have its label; 1 where a task is not named.
        length: tokens of a row; longer rows are cut at their end.
        vocabulary: numbers for words at most, see `WordVocabulary`.
        lower: whether capitals are read as small letters.
        tokenizer: folder of a fast tokenizer of transformers instead of a vocabulary of words.

    Raises:
        ConfigError: if an option is out of bounds.
    """
    whole("data.seed", seed, 0, 2**31 - 1)
    sizes = split_sizes("num_rows", num_rows)
    check_length("length", length)
    masks = missing_labels(labelled, sizes["train"], seed)
    drawn = {split: [draw(seed, FIRST_INDEX[split] + row) for row in range(size)] for split, size in sizes.items()}
    words = make_vocabulary(words_of(drawn["train"]), vocabulary, lower, tokenizer)
    made = {
        split: make_source("sentences", examples, words, length, masks if split == "train" else None)
        for split, examples in drawn.items()
    }
    cut = sum(lost for _, lost in made.values())
    return Splits(
        train=[made["train"][0]],
        val=[made["val"][0]],
        test=[made["test"][0]],
        statement=f"train/val/test: {counted(sizes)} sentences with a question each, drawn from disjoint ranges of "
        f"indices with data.seed={seed}; training labels of "
        + ", ".join(f"{task} {int(masks[task].sum())}" for task in TASKS)
        + (f"; {cut} rows cut at data.length={length}" if cut else ""),
    )


def missing_labels(shares: Mapping[str, float], rows: int, seed: int) -> dict[str, Tensor]:
    """Per task which training rows are labelled: bool [rows], with at least one.

    Raises:
        ConfigError: if a task is unknown, or a share is not between 0 and 1.
    """
    for task, share in shares.items():
        if task not in TASKS:
            raise ConfigError(
                f"data.labelled: no task '{task}'{near_miss(task, TASKS)} (there are: {', '.join(TASKS)})"
            )
        number(f"data.labelled.{task}", share, 0, 1)
    generator = torch.Generator().manual_seed(seed)
    masks: dict[str, Tensor] = {}
    for task in TASKS:
        order = torch.randperm(rows, generator=generator)
        count = max(1, round(shares.get(task, 1.0) * rows))
        masks[task] = torch.zeros(rows, dtype=torch.bool).index_fill_(0, order[:count], True)
    return masks
