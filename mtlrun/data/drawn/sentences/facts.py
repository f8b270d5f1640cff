"""What happens in the drawn sentences, and what can be asked about it."""

from __future__ import annotations

from typing import NamedTuple


class Fact(NamedTuple):
    """statement: a template; questions: templates, each with the slot of the statement that answers it."""

    statement: str
    questions: tuple[tuple[str, str], ...]


FACTS = (
    Fact(
        "{person} visited/VERB {place} in/ADP {time}",
        (
            ("who/PRON visited/VERB {place} ?/PUNCT", "person"),
            ("where/ADV did/AUX {person} go/VERB ?/PUNCT", "place"),
            ("when/ADV did/AUX {person} visit/VERB {place} ?/PUNCT", "time"),
        ),
    ),
    Fact(
        "{person} met/VERB {person2} in/ADP {place}",
        (
            ("who/PRON met/VERB {person2} ?/PUNCT", "person"),
            ("who/PRON did/AUX {person} meet/VERB ?/PUNCT", "person2"),
            ("where/ADV did/AUX {person} meet/VERB {person2} ?/PUNCT", "place"),
        ),
    ),
    Fact(
        "{firm} hired/VERB {person} as/ADP a/DET {role}",
        (
            ("who/PRON hired/VERB {person} ?/PUNCT", "firm"),
            ("who/PRON did/AUX {firm} hire/VERB ?/PUNCT", "person"),
            ("what/PRON is/AUX the/DET job/NOUN of/ADP {person} ?/PUNCT", "role"),
        ),
    ),
    Fact(
        "{person} left/VERB {firm} for/ADP {firm2} in/ADP {time}",
        (
            ("which/DET firm/NOUN did/AUX {person} leave/VERB ?/PUNCT", "firm"),
            ("which/DET firm/NOUN did/AUX {person} join/VERB ?/PUNCT", "firm2"),
            ("who/PRON left/VERB {firm} ?/PUNCT", "person"),
        ),
    ),
    Fact(
        "the/DET {event} was/AUX held/VERB in/ADP {place} in/ADP {time}",
        (
            ("where/ADV was/AUX the/DET {event} held/VERB ?/PUNCT", "place"),
            ("what/PRON was/AUX held/VERB in/ADP {place} ?/PUNCT", "event"),
            ("when/ADV was/AUX the/DET {event} held/VERB ?/PUNCT", "time"),
        ),
    ),
    Fact(
        "{team} beat/VERB {team2} in/ADP the/DET {event}",
        (
            ("who/PRON won/VERB against/ADP {team2} ?/PUNCT", "team"),
            ("who/PRON lost/VERB to/ADP {team} ?/PUNCT", "team2"),
            ("what/PRON did/AUX {team} win/VERB ?/PUNCT", "event"),
        ),
    ),
    Fact(
        "{firm} sold/VERB {number} {goods} to/ADP {firm2}",
        (
            ("who/PRON sold/VERB the/DET {goods} ?/PUNCT", "firm"),
            ("who/PRON got/VERB the/DET {goods} ?/PUNCT", "firm2"),
            ("how/ADV many/ADJ {goods} did/AUX {firm} sell/VERB ?/PUNCT", "number"),
        ),
    ),
    Fact(
        "the/DET {nation} {role} will/AUX visit/VERB {place} and/CCONJ {place2}",
        (
            ("who/PRON will/AUX visit/VERB {place} ?/PUNCT", "role"),
            ("where/ADV will/AUX the/DET {role} go/VERB first/ADV ?/PUNCT", "place"),
            ("where/ADV will/AUX the/DET {role} go/VERB last/ADV ?/PUNCT", "place2"),
        ),
    ),
    Fact(
        "{person} ,/PUNCT the/DET {role} of/ADP {firm} ,/PUNCT plans/VERB to/PART leave/VERB {place}",
        (
            ("who/PRON plans/VERB to/PART leave/VERB {place} ?/PUNCT", "person"),
            ("what/PRON is/AUX the/DET job/NOUN of/ADP {person} ?/PUNCT", "role"),
            ("which/DET firm/NOUN does/AUX {person} work/VERB for/ADP ?/PUNCT", "firm"),
        ),
    ),
    Fact(
        "{firm} shares/NOUN fell/VERB {price} when/SCONJ {person} left/VERB",
        (
            ("who/PRON left/VERB {firm} ?/PUNCT", "person"),
            ("which/DET shares/NOUN fell/VERB ?/PUNCT", "firm"),
            ("how/ADV much/ADV did/AUX {firm} fall/VERB ?/PUNCT", "price"),
        ),
    ),
    Fact(
        "a/DET {role} from/ADP {place} will/AUX play/VERB for/ADP {team} before/ADP {time}",
        (
            ("who/PRON will/AUX play/VERB for/ADP {team} ?/PUNCT", "role"),
            ("where/ADV is/AUX the/DET {role} from/ADP ?/PUNCT", "place"),
            ("which/DET team/NOUN gets/VERB the/DET {role} ?/PUNCT", "team"),
        ),
    ),
    Fact(
        "{person} won/VERB the/DET {event} with/ADP that/DET {nation} plan/NOUN for/ADP {place}",
        (
            ("who/PRON won/VERB the/DET {event} ?/PUNCT", "person"),
            ("what/PRON did/AUX {person} win/VERB ?/PUNCT", "event"),
            ("which/DET place/NOUN was/AUX the/DET plan/NOUN for/ADP ?/PUNCT", "place"),
        ),
    ),
)
