"""What the slots of the templates are filled with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from mtlrun.data.drawn.sentences import lexicon
from mtlrun.data.drawn.sentences.phrases import Phrase, Word, name, phrase

MADE_UP = 0.35
"""Share of surnames, places, firms, common nouns and neutral adjectives that are made up of syllables."""


def made_up(random: Random) -> str:
    """A word that most sentences have not seen: there are some 5,000, of names and common words alike."""
    return "".join(random.choices(lexicon.SYLLABLES, k=random.choice((2, 3, 3))))


def proper(random: Random, known: Sequence[str]) -> str:
    """One of the names, or one that is made up."""
    return made_up(random).capitalize() if random.random() < MADE_UP else random.choice(known)


def common(random: Random, known: Sequence[str]) -> str:
    """One of the words, or one that is made up."""
    return made_up(random) if random.random() < MADE_UP else random.choice(known)


def surname(random: Random) -> str:
    return proper(random, lexicon.SURNAMES)


def place_name(random: Random) -> str:
    return proper(random, lexicon.PLACES)


def person(random: Random) -> Phrase:
    """Such as 'Ana Lopez', 'Jordan', 'Park' or 'Dr. Hill'; titles belong to no entity."""
    form = random.random()
    if form < 0.2:
        return (Word(random.choice(lexicon.TITLES), "PROPN"), *name("PER", surname(random)))
    first = random.choice(lexicon.FIRST_NAMES)
    return name("PER", first) if form < 0.4 else name("PER", first, surname(random))


def place(random: Random) -> Phrase:
    return name("LOC", place_name(random))


def firm(random: Random) -> Phrase:
    """Such as 'Boeing', 'Hill Motors', 'Bank of Norway' or 'KTV'."""
    form = random.random()
    if form < 0.3:
        return name("ORG", f"{random.choice(lexicon.INSTITUTIONS)} of {place_name(random)}")
    if form < 0.55:
        return name("ORG", surname(random), random.choice(lexicon.BRANCHES))
    if form < 0.7:
        return name("ORG", "".join(random.choices("BKLMTVX", k=3)))
    return name("ORG", proper(random, lexicon.FIRMS))


def team(random: Random) -> Phrase:
    """A team often goes by the name of its place, and is an organisation all the same."""
    return name("ORG", place_name(random), *([] if random.random() < 0.6 else [random.choice(lexicon.CLUBS)]))


def event(random: Random) -> Phrase:
    if random.random() < 0.4:
        return name("MISC", random.choice(lexicon.EVENTS))
    return name("MISC", place_name(random), random.choice(lexicon.EVENT_KINDS))


def nation(random: Random) -> Phrase:
    return (Word(random.choice(lexicon.NATIONS), "ADJ", "B-MISC"),)


def time(random: Random) -> Phrase:
    form = random.random()
    if form < 0.3:
        return (Word(str(random.randint(1950, 2030)), "NUM"),)
    return (Word(random.choice(lexicon.MONTHS if form < 0.7 else lexicon.DAYS), "PROPN"),)


def number(random: Random) -> Phrase:
    words = ("two", "three", "five", "ten", "twelve")
    return (Word(random.choice(words) if random.random() < 0.5 else str(random.randint(13, 999)), "NUM"),)


def price(random: Random) -> Phrase:
    return (Word("$", "SYM"), *number(random)) if random.random() < 0.7 else (*number(random), Word("%", "SYM"))


def thing(random: Random) -> Phrase:
    """Such as 'the long report'; 'the Dutch play' has an entity in it."""
    words = phrase(f"the/DET {common(random, lexicon.THINGS)}/NOUN")
    if random.random() < 0.5:
        return words
    adjective = common(random, lexicon.NEUTRAL)
    tag = "B-MISC" if adjective in lexicon.NATIONS else "O"
    return (words[0], Word(adjective, "ADJ", tag), words[1])


def noun(words: Sequence[str]) -> Callable[[Random], Phrase]:
    """Draws one of the words, or makes one up."""
    return lambda random: (Word(common(random, words), "NOUN"),)


MAKERS: dict[str, Callable[[Random], Phrase]] = {
    "person": person,
    "place": place,
    "firm": firm,
    "team": team,
    "event": event,
    "nation": nation,
    "time": time,
    "number": number,
    "price": price,
    "thing": thing,
    "role": noun(lexicon.ROLES),
    "goods": noun(lexicon.GOODS),
}
"""By slot; a slot may have a digit after it, such as {person2}."""


def fill(random: Random, slots: list[str]) -> dict[str, Phrase]:
    """A phrase for every slot, no two alike."""
    filled: dict[str, Phrase] = {}
    for slot in slots:
        words = MAKERS[slot.rstrip("23")](random)
        while words in filled.values():
            words = MAKERS[slot.rstrip("23")](random)
        filled[slot] = words
    return filled
