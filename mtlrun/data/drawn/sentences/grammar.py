"""Sentences drawn from a grammar: a fact with names in it, an opinion about things, and a question about either.

The labels follow from the drawing: entities and parts of speech from the words, the sentiment from the clause that the
sentence ends up with, the answer from the slot that is asked for. Words have no sentiment of their own: 'not' turns it
round, and of two clauses joined by 'but' or 'although' the main one counts.
"""

from __future__ import annotations

from random import Random

from mtlrun.data.drawn.sentences import lexicon
from mtlrun.data.drawn.sentences.facts import FACTS
from mtlrun.data.drawn.sentences.names import fill
from mtlrun.data.drawn.sentences.phrases import Phrase, capitalised, phrase, slots_of
from mtlrun.data.text.example import TextExample
from mtlrun.data.text.labels import TAGS, UPOS

Questions = list[tuple[Phrase, str]]
"""Questions, each with the slot of the sentence that answers it."""

NEGATED = 0.25
CONTRASTED = 0.35
QUESTIONED = 0.7
"""Shares: clauses turned round by a negation; opinions of two clauses; questions about the fact, not the opinion."""

NEGATIONS = ("not/PART", "hardly/ADV", "never/ADV", "far/ADV from/ADP", "anything/PRON but/ADP")
COPULAS = ("was/AUX", "was/AUX", "seemed/VERB", "looked/VERB", "sounded/VERB")
CONTRASTS = (
    "{aside} ,/PUNCT but/CCONJ {main}",
    "although/SCONJ {aside} ,/PUNCT {main}",
    "{main} although/SCONJ {aside}",
    "{main} ,/PUNCT whatever/PRON you/PRON say/VERB :/PUNCT {aside}",
)
SENTENCES = (
    "{fact} ,/PUNCT and/CCONJ {opinion} ./PUNCT",
    "{opinion} ,/PUNCT and/CCONJ {fact} ./PUNCT",
    "{opinion} after/SCONJ {fact} ./PUNCT",
    "{speaker} said/VERB that/SCONJ {fact} ;/PUNCT {opinion} ./PUNCT",
    "{fact} ;/PUNCT {speaker} said/VERB that/SCONJ {opinion} ./PUNCT",
    "well/INTJ ,/PUNCT {opinion} ,/PUNCT and/CCONJ {fact} ./PUNCT",
    "oh/INTJ ,/PUNCT {fact} ,/PUNCT and/CCONJ {opinion} ,/PUNCT etc./X",
)


def draw(seed: int, index: int) -> TextExample:
    """A sentence, its labels, and a question about it; it depends on nothing but the two numbers."""
    random = Random(seed << 32 | index)
    template = random.choice(SENTENCES)
    fact, questions = _fact(random)
    sentiment = random.randrange(2)
    opinion, further = _opinion(random, sentiment)
    parts = {"fact": fact, "opinion": opinion}
    if "speaker" in slots_of(template):
        parts |= {"speaker": fill(random, ["person"])["person"]}
    sentence = capitalised(phrase(template, parts))
    question, slot = random.choice(questions if random.random() < QUESTIONED else further)
    return _example(capitalised(question), sentence, slot, sentiment)


def _example(question: Phrase, sentence: Phrase, slot: str, sentiment: int) -> TextExample:
    words = question + sentence
    answer = [place for place, word in enumerate(words) if place >= len(question) and word.slot == slot]
    return TextExample(
        [word.text for word in question],
        [word.text for word in sentence],
        tags=[TAGS.index(word.tag) for word in words],
        pos=[UPOS.index(word.pos) for word in words],
        sentiment=sentiment,
        answers=[(answer[0], answer[-1])],
    )


def _fact(random: Random) -> tuple[Phrase, Questions]:
    fact = random.choice(FACTS)
    filled = fill(random, slots_of(fact.statement))
    return phrase(fact.statement, filled), [(phrase(question, filled), slot) for question, slot in fact.questions]


def _opinion(random: Random, sentiment: int) -> tuple[Phrase, Questions]:
    """A clause of the sentiment; perhaps with one of the other sentiment beside it that does not count."""
    things = fill(random, ["thing", "thing2"])
    main, questions = _clause(random, sentiment, things["thing"], "main")
    if random.random() >= CONTRASTED:
        return main, questions
    aside, further = _clause(random, 1 - sentiment, things["thing2"], "aside")
    return phrase(random.choice(CONTRASTS), {"main": main, "aside": aside}), questions + further


def _clause(random: Random, sentiment: int, what: Phrase, place: str) -> tuple[Phrase, Questions]:
    """Somebody's feelings about a thing, or how it was; slots are named after the place in the sentence."""
    turned = random.random() < NEGATED
    shown = 1 - sentiment if turned else sentiment
    if random.random() < 0.3:
        return _feeling(random, shown, turned, what, place)
    adjective = random.choice((lexicon.NEGATIVE, lexicon.POSITIVE)[shown])
    degree = f"{random.choice(lexicon.DEGREES)}/ADV " if random.random() < 0.4 else ""
    how = phrase(f"{random.choice(NEGATIONS) + ' ' if turned else ''}{degree}{adjective}/ADJ")
    slots = {f"{place}_thing": what, f"{place}_how": how}
    return phrase(f"{{{place}_thing}} {random.choice(COPULAS)} {{{place}_how}}", slots), [
        (phrase(f"how/ADV was/AUX {{{place}_thing}} ?/PUNCT", slots), f"{place}_how"),
        (phrase(f"what/PRON was/AUX {{{place}_how}} ?/PUNCT", slots), f"{place}_thing"),
    ]


def _feeling(random: Random, shown: int, turned: bool, what: Phrase, place: str) -> tuple[Phrase, Questions]:
    verbs = (lexicon.DISLIKING, lexicon.LIKING)[shown]
    past = random.choice(list(verbs))
    verb = f"did/AUX not/PART {verbs[past]}/VERB" if turned else f"{past}/VERB"
    asked = f"not/PART {verbs[past]}/VERB" if turned else f"{verbs[past]}/VERB"
    slots = {f"{place}_thing": what, f"{place}_people": phrase(f"the/DET {random.choice(lexicon.PEOPLE)}/NOUN")}
    return phrase(f"{{{place}_people}} {verb} {{{place}_thing}}", slots), [
        (phrase(f"who/PRON {verb} {{{place}_thing}} ?/PUNCT", slots), f"{place}_people"),
        (phrase(f"what/PRON did/AUX {{{place}_people}} {asked} ?/PUNCT", slots), f"{place}_thing"),
    ]
