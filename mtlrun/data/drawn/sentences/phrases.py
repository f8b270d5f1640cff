"""Phrases whose words know what they are, put together from templates."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple


class Word(NamedTuple):
    """pos: part of speech; tag: of the entity it belongs to, IOB2; slot: of the template that it fills."""

    text: str
    pos: str
    tag: str = "O"
    slot: str = ""


Phrase = tuple[Word, ...]


def phrase(template: str, slots: Mapping[str, Phrase] | None = None) -> Phrase:
    """The words of a template such as 'who/PRON visited/VERB {place} ?/PUNCT'.

    Words that fill a slot get its name, unless they have one from an inner template.
    """
    words: list[Word] = []
    for part in _parts(template):
        if isinstance(part, Word):
            words.append(part)
        else:
            words += [word if word.slot else word._replace(slot=part) for word in (slots or {})[part]]
    return tuple(words)


def name(kind: str, *texts: str) -> Phrase:
    """An entity of proper nouns; texts may have several words. 'of' and 'de' are no nouns."""
    words = " ".join(texts).split()
    return tuple(
        Word(text, "ADP" if text in ("of", "de") else "PROPN", f"{'I' if place else 'B'}-{kind}")
        for place, text in enumerate(words)
    )


def capitalised(words: Phrase) -> Phrase:
    """The phrase as the start of a sentence."""
    text = words[0].text
    return (words[0]._replace(text=text[0].upper() + text[1:]), *words[1:])


def slots_of(template: str) -> list[str]:
    """Names of the template's slots."""
    return [part for part in _parts(template) if isinstance(part, str)]


@cache
def _parts(template: str) -> tuple[Word | str, ...]:
    return tuple(
        part[1:-1] if part.startswith("{") else Word(*part.rsplit("/", 1))  # a slash may be the word itself
        for part in template.split()
    )
