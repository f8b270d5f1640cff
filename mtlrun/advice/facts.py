"""Stage 0: what the data say before anything is trained. Plain values: `look` reads them off."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mtlrun.advice.lengths import TrainingLength
from mtlrun.reporting.text import listed

RICH = 10.0
"""Times as many rows from which one task is rich and another scarce."""
IMBALANCE = 0.9
"""Share of one class from which accuracy says little; as before every training."""
AGREES = 0.95
"""Share of rows with equal labels from which two tasks are told to be one."""
FEW = 100
"""Validation rows below which the choice of an epoch is a matter of luck."""


@dataclass(frozen=True)
class TaskFacts:
    """A task as its data show it.

    kind: such as 'Classification'. metric: that judges it. rows: labelled, by split. most: share of the most frequent
    class of its training rows; None for numbers and maps.
    """

    name: str
    kind: str
    metric: str
    rows: Mapping[str, int]
    most: float | None = None


@dataclass(frozen=True)
class PairFacts:
    """Two tasks on the training rows that both are labelled on.

    equal: by split, the share of common rows with the same label, classes under other names included; {} where labels
    cannot be compared. scaled: whether one is the other in another unit or with another sign.
    """

    a: str
    b: str
    common: int
    equal: Mapping[str, float] = field(default_factory=dict)
    scaled: bool = False

    @property
    def same(self) -> bool:
        """Whether every common training row has the same label for both."""
        return self.equal.get("train") == 1.0


@dataclass(frozen=True)
class Facts:
    """Everything that is known before the first run.

    stages: of the backbone. length: as configured. hours: of one whole run, by side, as measured on a few steps.
    steps: of a whole run. steady: whether a run that is made longer comes to the numbers of one that was as long from
    the start: no schedule follows the length. start: seconds that a run takes before its first step. data: what tells
    these rows from others.
    """

    tasks: tuple[TaskFacts, ...]
    pairs: tuple[PairFacts, ...]
    stages: tuple[str, ...]
    length: TrainingLength
    hours: Mapping[str, float]
    steps: int
    steady: bool
    start: float = 1.0
    data: str = ""

    @property
    def names(self) -> list[str]:
        """Of the tasks, in order."""
        return [task.name for task in self.tasks]

    def task(self, name: str) -> TaskFacts:
        """The one of that name."""
        return next(task for task in self.tasks if task.name == name)

    @property
    def all_the_same(self) -> bool:
        """Whether all tasks have the same labels on the same rows: one task under several names."""
        others = self.tasks[1:]
        first = self.tasks[0]
        pairs = {(pair.a, pair.b): pair for pair in self.pairs}
        return bool(others) and all(
            (pair := pairs.get((first.name, other.name))) is not None
            and pair.same
            and pair.common == first.rows["train"] == other.rows["train"]
            for other in others
        )

    @property
    def differs_at_test(self) -> bool:
        """Whether tasks have the same training labels and others elsewhere: a shortcut."""
        return any(pair.same and min(pair.equal.values()) < AGREES for pair in self.pairs)

    @property
    def ratio(self) -> float:
        """Training rows of the richest task over those of the scarcest."""
        sizes = [task.rows["train"] for task in self.tasks]
        return max(sizes) / max(1, min(sizes))

    @property
    def richest(self) -> TaskFacts:
        """The task with the most training rows."""
        return max(self.tasks, key=lambda task: task.rows["train"])

    @property
    def scarce(self) -> list[TaskFacts]:
        """Tasks of which the richest has more than ten times the rows."""
        return [task for task in self.tasks if self.richest.rows["train"] > RICH * task.rows["train"]]


def fact_lines(facts: Facts) -> list[str]:
    """What is worth knowing, in words."""
    return [
        *_rows(facts),
        *_overlap(facts),
        *map(_same, (pair for pair in facts.pairs if _agrees(pair))),
        *(
            f"{pair.a} and {pair.b} hold the same numbers in another unit or with another sign"
            for pair in facts.pairs
            if pair.scaled
        ),
        *(
            f"{task.name}: {100 * task.most:.0f} % of its rows are of one class, so {task.metric} alone says little"
            for task in facts.tasks
            if task.most is not None and task.most >= IMBALANCE
        ),
        *(
            f"{task.name}: only {task.rows['val']} validation rows choose the epoch"
            for task in facts.tasks
            if task.rows["val"] < FEW
        ),
    ]


def _rows(facts: Facts) -> Iterator[str]:
    counts = [f"{task.name} {task.rows['train']:,} ({task.kind}, {task.metric})" for task in facts.tasks]
    yield f"training rows: {listed(counts, 12)}"
    if facts.ratio > RICH:
        names = listed([task.name for task in facts.scarce])
        yield f"{facts.richest.name} has {facts.ratio:.0f} times the rows of the scarcest task; scarce: {names}"


def _overlap(facts: Facts) -> Iterator[str]:
    shares = [pair.common / max(1, _fewer(facts, pair)) for pair in facts.pairs]
    if not shares:
        return
    if min(shares) == 1:
        yield (
            "all tasks are labelled on the same rows"
            if facts.ratio == 1
            else "every row that a smaller task is labelled on, the larger ones are labelled on too"
        )
    elif max(shares) == 0:
        yield "no row is labelled for two tasks"
    else:
        yield f"rows labelled for both of a pair: {100 * min(shares):.0f} to {100 * max(shares):.0f} % of the smaller"


def _fewer(facts: Facts, pair: PairFacts) -> int:
    return min(facts.task(name).rows["train"] for name in (pair.a, pair.b))


def _agrees(pair: PairFacts) -> bool:
    return pair.equal.get("train", 0.0) >= AGREES


def _same(pair: PairFacts) -> str:
    shares = ", ".join(f"{100 * share:.0f} % of {split} rows" for split, share in pair.equal.items())
    if min(pair.equal.values()) >= AGREES:
        return f"{pair.a} and {pair.b} have the same labels ({shares}): one task under two names"
    return (
        f"{pair.a} and {pair.b} have the same labels ({shares}): a network cannot tell which of the two it learns, and "
        "goes by whatever evidence is easier, a shortcut that fails where they differ"
    )


def duplicates(pairs: Sequence[PairFacts]) -> list[str]:
    """Tasks that another one before them equals."""
    return [*dict.fromkeys(pair.b for pair in pairs if pair.same)]
