"""An advice in plain words: what to do, why, with which command."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mtlrun.advice.arrangement import APART, TOGETHER
from mtlrun.advice.asked import Asked
from mtlrun.advice.course import Advice
from mtlrun.advice.facts import RICH, Facts, duplicates
from mtlrun.advice.verdict import Judged, Moving, Settled
from mtlrun.reporting.paired import Estimate, detectable
from mtlrun.reporting.text import listed, with_interval

_MOST_SEEDS = 30
_EFFECTS = {"gain": "together", "loss": "apart", "mixed": "some gain, some lose", "open": "undecided"}


@dataclass(frozen=True)
class Recommendation:
    """Something to do, and the command for it, if there is one."""

    sentence: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True)
class Said:
    """headline: the answer. why: what was measured. steps: what to do now. hints: what is worth knowing besides."""

    headline: str
    why: tuple[str, ...]
    steps: tuple[Recommendation, ...]
    hints: tuple[str, ...] = ()


def said(advice: Advice, asked: Asked) -> Said:
    """Everything in words."""
    why = tuple(_why(advice)) if advice.settled else ()
    return Said(_headline(advice), why, tuple(_steps(advice, asked)), tuple(_hints(advice)))


def _headline(advice: Advice) -> str:
    choice, facts = advice.choice, advice.facts
    if facts.all_the_same and facts.differs_at_test:
        return f"No answer in these data: {listed(facts.names)} have the same labels in training, and others elsewhere."
    if facts.all_the_same:
        return f"Nothing to gain: {listed(facts.names)} are one task under {len(facts.names)} names."
    worse = choice.best.tasks("worse") if choice.best else []
    price = f"; {listed(worse)} {'pays' if len(worse) == 1 else 'pay'} for it" if worse else ""
    if choice.answer == "together":
        return f"Learn them together: one network for all tasks{price}."
    if choice.answer == "apart":
        return "Learn them apart: a network for each task."
    if choice.answer == "undecided":
        assert advice.settled is not None
        length = facts.length.said(advice.settled.look.length)
        if advice.settled.reason == "spent":
            return f"Undecided: the budget was spent at {length}."
        return "Undecided: these seeds do not tell one network for all from a network for each."
    assert choice.best is not None
    arrangement = choice.best.arrangement
    if arrangement.kind == "groups":
        return f"Learn them in {arrangement.name}{price}."
    return f"Learn them in one network, otherwise shared: {arrangement.name}{price}."


def _why(advice: Advice) -> Iterator[str]:
    assert advice.settled is not None
    length = advice.facts.length
    yield _ended(advice, advice.settled)
    for look in advice.looks:
        yield f"{length.said(look.length)}: {look.judged.line}"
    yield from (one.line for one in advice.others)
    yield from (f"{name}: not every run finished ({reason})" for name, reason in advice.failed.items())
    yield from _scarce_tasks(advice.facts, advice.looks[-1].judged)
    for column in advice.looks[-1].judged.columns:
        if not advice.looks[-1].judged.relative.get(column.task, True):
            yield f"{column.task}: {column.metric} is near zero, so Delta-m counts its difference in points, not in %"


def _ended(advice: Advice, end: Settled) -> str:
    length, looks = advice.facts.length, advice.looks
    answers = ", ".join(f"{look.length}: {_EFFECTS[look.judged.effect]}" for look in looks)
    if end.reason == "agree":
        before, now = looks[-2].length, looks[-1].length
        return (
            f"Settled at {length.said(now)}: the verdicts at {before} and {now} agree, and no validation curve still "
            "improves by more than half the width of its interval."
        )
    if end.reason == "full":
        changes = "" if end.agreed or len(looks) < 2 else f" Shorter runs said otherwise ({answers})."
        if end.look.length > length.full:
            return f"Measured at {end.look.length} {length.unit}, longer than the configured {length.full}.{changes}"
        whole = "" if advice.facts.steady else ", trained in one go, since the schedule follows the length"
        return f"Measured at the configured length, {end.look.length} {length.unit}{whole}.{changes}"
    if not end.agreed:
        return f"The verdicts of the budgets do not agree ({answers})." if len(looks) > 1 else _one_budget(length.unit)
    return f"The verdicts agree ({answers}), but curves still improve: {listed([*map(_moves, end.moving)], 4)}."


def _one_budget(unit: str) -> str:
    return f"One budget alone, short of the configured {unit}: a short run can say the opposite of a long one."


def _moves(found: Moving) -> str:
    return f"{found.task} {found.side} by {found.by:.3g}"


def _scarce_tasks(facts: Facts, judged: Judged) -> Iterator[str]:
    better = judged.tasks("better")
    for task in facts.scarce:
        if task.name in better:
            rich = facts.richest
            yield (
                f"{task.name}, with {task.rows['train']} rows beside {rich.rows['train']} of {rich.name}, gains by "
                "learning together"
            )


def _steps(advice: Advice, asked: Asked) -> Iterator[Recommendation]:
    facts, choice = advice.facts, advice.choice
    if facts.all_the_same:
        yield Recommendation(
            "Find training rows in which they differ, or train one of them:", (asked.train([_tasks(facts.names[:1])]),)
        )
        return
    yield from _answer(advice, asked)
    copies = duplicates(facts.pairs)
    if copies:
        left = [name for name in facts.names if name not in copies]
        yield Recommendation(
            f"Leave out {listed(copies)}, whose labels another task has:", (asked.train([_tasks(left)]),)
        )
    if choice.answer == "apart" or (advice.settled and advice.settled.reason == "spent"):
        return  # nothing below mends a network that shares too much, or decides what is still learning
    if facts.ratio > RICH:
        yield from _unlike_sizes(facts, asked)
    yield _balancers(advice, asked)


def _answer(advice: Advice, asked: Asked) -> Iterator[Recommendation]:
    choice, names = advice.choice, advice.facts.names
    if choice.answer == "apart":
        each = ",".join(f"[{name}]" for name in names)
        yield Recommendation(
            "Train a run for each task, or all networks in one run:",
            (
                asked.sweep([f"tasks={each}"], without=("tasks", "balancer")),
                asked.train(APART.words, without=("balancer",)),
            ),
        )
        for one in choice.as_good[:1]:
            yield Recommendation(
                f"With fewer networks, {one.arrangement.name} is not told from them by these seeds (Delta-m "
                f"{with_interval(one.delta, ' %')}):",
                (asked.train(one.arrangement.words),),
            )
    elif choice.best is not None:
        yield Recommendation("Train it:", (asked.train(choice.best.arrangement.words),))
        worse = choice.best.tasks("worse")
        if worse:
            yield Recommendation(
                f"Keep a network of its own for {listed(worse)} where its loss matters:",
                (asked.train([_tasks(worse)], without=("tasks", "balancer")),),
            )
        if choice.answer == "otherwise":
            yield Recommendation(
                "It was chosen among several by its test scores: report it with seeds that were not seen here."
            )
    else:
        yield from _undecided(advice, asked)


def _undecided(advice: Advice, asked: Asked) -> Iterator[Recommendation]:
    assert advice.settled is not None
    if advice.settled.reason == "spent":
        longer = min(1.0, 2 * asked.budget)  # a budget is spent short of the configured length
        yield Recommendation(
            "Longer runs may decide it; they go on from where these ended:", (asked.again(budget=longer),)
        )
        return
    wanted = seeds_to_decide(advice.settled.look.judged.delta)
    if wanted is None:
        yield Recommendation(
            f"More than {_MOST_SEEDS} seeds would be needed to see a difference on the mean over the tasks: choose by "
            "what it costs, one network together, or one for each:",
            (asked.train(TOGETHER.words), asked.train(APART.words, without=("balancer",))),
        )
        return
    yield Recommendation(
        f"About {wanted} seeds would show a difference of this size; those that exist are kept:",
        (asked.again(seeds=wanted),),
    )


def seeds_to_decide(delta: Estimate) -> int | None:
    """Seeds that show a mean of this size with a probability of 80 %, more than there are; None above 30."""
    if not delta.deviation or not delta.mean:
        return None
    counts = range(delta.count + 1, _MOST_SEEDS + 1)
    return next((count for count in counts if detectable(count) * delta.deviation <= abs(delta.mean)), None)


def _unlike_sizes(facts: Facts, asked: Asked) -> Iterator[Recommendation]:
    scarce = [task.name for task in facts.scarce]
    yield Recommendation(
        f"The tasks' rows differ {facts.ratio:.0f} times: try a sampler that draws {listed(scarce)} more often:",
        (
            asked.sweep(
                ["sharing=hard", "sampler=proportional,temperature,uniform", "seed=0"], without=("sampler", "seed")
            ),
        ),
    )
    yield Recommendation(
        f"Or train on {facts.richest.name} first and fine-tune on the scarce ones (RUN is the folder of the first):",
        (
            asked.train([_tasks([facts.richest.name])], without=("tasks", "balancer")),
            asked.train([_tasks(scarce), "init_from=RUN"], without=("tasks", "balancer")),
        ),
    )


def _balancers(advice: Advice, asked: Asked) -> Recommendation:
    """Those that read losses cost one pass; where tasks pay for others, also ones that read gradients."""
    names = "equal,uncertainty,famo"
    costs = advice.settled is not None and advice.settled.effect in ("loss", "mixed")
    if costs:
        names += ",cagrad,nash_mtl"
    best = advice.choice.best.arrangement.words if advice.choice.best else TOGETHER.words
    return Recommendation(
        "Balancers worth a seed, which trade tasks against each other:",
        (asked.sweep([*best, f"balancer={names}", "seed=0"], without=("balancer", "seed")),),
    )


def _hints(advice: Advice) -> Iterator[str]:
    if advice.affinity is not None:
        steps = "1 step" if advice.affinity.steps == 1 else f"{advice.affinity.steps} steps"
        yield (
            f"The affinity was measured at {steps} and only chose which groups were trained: it "
            "is a hint, and no reason for or against sharing."
        )


def _tasks(names: Sequence[str]) -> str:
    return f"tasks=[{','.join(names)}]"
