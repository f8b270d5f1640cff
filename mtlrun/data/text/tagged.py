"""Labels of words as one task for each column of tags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mtlrun.data.text.labels import UNLABELLED
from mtlrun.errors import DataError
from mtlrun.lines import shortened


@dataclass(frozen=True)
class TagColumn:
    """A task's labels: the names of its classes, the class of each word of each sentence (-1 for none), and in words
    what was made of the tags."""

    classes: list[str]
    numbers: list[list[int]]
    how: str


def numbered_tags(
    task: str,
    sentences: Sequence[Sequence[str]],
    no_tag: str,
    as_entities: Callable[[Sequence[str]], list[str]] | None,
    most: int,
) -> TagColumn:
    """A column of tags.

    Args:
        task: that they are labels of.
        sentences: tags of the words of each.
        no_tag: what stands for no label.
        as_entities: makes IOB2 of a sentence's tags; None for tags that are no entities.
        most: classes at most.

    Raises:
        DataError: if there are fewer than two tags, or more than `most`.
    """
    given = [list(tags) if as_entities is None else as_entities(tags) for tags in sentences]
    known = sorted({tag for tags in given for tag in tags} - {no_tag})
    if len(known) < 2:
        raise DataError(f"task '{task}' has {shortened(known) or 'no tag'} alone: there is nothing to learn")
    if len(known) > most:
        raise DataError(
            f"task '{task}' has {len(known)} different tags, such as {shortened(known, 3)}: leave it out of "
            f"data.targets, or set data.max_classes={len(known)}"
        )
    if as_entities is not None:
        types = sorted({tag[2:] for tag in known if tag != "O"})
        classes = ["O", *(f"{prefix}-{kind}" for kind in types for prefix in "BI")]
        how = f"entities ({shortened(types)}), tags as IOB2"
    else:
        classes, how = known, f"{len(known)} tags ({shortened(known)})"
    numbers: Mapping[str, int] = {tag: number for number, tag in enumerate(classes)} | {no_tag: UNLABELLED}
    return TagColumn(classes, [[numbers[tag] for tag in tags] for tags in given], how)
