"""The words of the drawn sentences. Many are in several lists, so that only their sentence tells what they are."""

from __future__ import annotations


def _listed(text: str, between: str | None = None) -> list[str]:
    return text.split(between)


FIRST_NAMES = _listed(
    "Maria Ana Kofi Liam Noor Yuki Pedro Olga Ivan Amina Jack Emma Hugo Sofia Omar Ines "
    "Jordan Paris Chelsea Austin Virginia Georgia Florence Sydney Lincoln "  # also places
    "Will Mark Grace Hope Rose May June Bill Frank Pat"  # also common words
)
SURNAMES = _listed(
    "Lopez Okafor Tanaka Novak Silva Kaya Haddad Larsen Costa Mensah "
    "Washington Houston Hamilton Lincoln Kent London "  # also places
    "Ford Morgan Boeing Siemens Philips Harrods "  # also firms
    "Cook Baker Young Brown Long King Park Hill Wood Price Bush"  # also common words
)
PLACES = _listed(
    "Lagos|Oslo|Lima|Kyoto|Lisbon|Ghana|Norway|Peru|Kenya|Turkey|New York|New Delhi|Cape Town|Buenos Aires|"
    "Rio de Janeiro|Sierra Leone|San Jose|Jordan|Paris|Chelsea|Austin|Virginia|Georgia|Florence|Sydney|Lincoln|"
    "Washington|Houston|Hamilton|Kent|London|Reading|Nice|Bath|Park Hill",
    between="|",
)
FIRMS = _listed("Amazon Ford Morgan Boeing Siemens Philips Harrods Chelsea Apple Shell Visa Target Orange Kent Reading")
BRANCHES = _listed("Group Motors Foods Energy Air Steel Media Press")
INSTITUTIONS = _listed("Bank University College Museum Port")
CLUBS = _listed("United City Rovers Rangers")
NATIONS = _listed("Dutch Kenyan Peruvian Turkish Norwegian Ghanaian Japanese French Jordanian Georgian")
EVENTS = _listed("World Cup|Olympic Games|Nobel Prize|Ryder Cup|Grand Prix|Book Fair", "|")
EVENT_KINDS = _listed("Marathon Open Festival Cup Prize")
TITLES = _listed("Mr. Mrs. Dr. President")

SYLLABLES = _listed("ba do ka li mo na ri sa te vu ze shi tan gor pel mun dre")
"""Of made-up words, most of which occur once: whoever reads the test rows has not seen them."""

MONTHS = _listed("January March April May June July August October")
DAYS = _listed("Monday Tuesday Friday Saturday Sunday")
ROLES = _listed("minister captain cook director president designer guard coach judge guide")
PEOPLE = _listed("critics guests visitors fans students judges locals")
GOODS = _listed("ships books phones planes houses cars tickets pictures")
THINGS = _listed("film report play plan talk show drink dinner speech book song match visit work design answer")

NEUTRAL = _listed("new long short old late first last open Dutch Norwegian local")
POSITIVE = _listed("good great lovely brilliant funny clever fresh charming moving kind nice superb")
NEGATIVE = _listed("bad awful boring dull weak sad ugly stale clumsy poor rude terrible")
DEGREES = _listed("very really quite rather truly so")
LIKING = {"loved": "love", "liked": "like", "praised": "praise", "enjoyed": "enjoy"}
DISLIKING = {"hated": "hate", "mocked": "mock", "feared": "fear", "panned": "pan"}
"""Verbs in the past: their base forms."""
