"""The labels of the text tasks, in the order of their numbers; conf/task/text.yaml names the same."""

from __future__ import annotations

ENTITIES = ("PER", "LOC", "ORG", "MISC")
"""Persons, places, organisations and other names: the types of CoNLL-2003."""

TAGS = ("O", *(f"{prefix}-{kind}" for kind in ENTITIES for prefix in "BI"))
"""IOB2: B- on the first word of every entity, I- on its others, O outside."""

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM",
    "VERB", "X",
)  # fmt: skip
"""The parts of speech of Universal Dependencies."""

UNLABELLED = -1
"""Label of tokens without one, and of answers that are there to fill up."""
