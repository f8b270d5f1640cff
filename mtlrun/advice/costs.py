"""What an advice may take, told before it starts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mtlrun.advice.affinity_file import ahead_share
from mtlrun.advice.facts import Facts
from mtlrun.advice.lengths import budgets
from mtlrun.reporting.text import duration


def cost_lines(facts: Facts, budget: float, seeds: int, alternatives: int) -> Iterator[str]:
    """Runs and time of both stages, one run after the other on this machine."""
    lengths = budgets(facts.length.full, budget)
    early = lengths[:2]
    least, most = (stage_1_seconds(facts, seeds, taken) for taken in (early, lengths))
    span = duration(most) if early == lengths else f"{duration(least)} to {duration(most)}"
    amounts, runs = ", ".join(map(str, lengths)), 2 * seeds * (2 if begins_anew(facts, lengths) else 1)
    yield (
        f"Stage 1: at most {runs} runs, together and apart over {seeds} seeds, about {span}: {amounts} of "
        f"{facts.length.full} {facts.length.unit}, until it is settled."
    )
    if alternatives:
        then = stage_2_seconds(facts, seeds, alternatives, lengths[-1])
        yield (
            f"Stage 2, only if a task is worse or nothing is decided: at most {alternatives} other arrangements, "
            f"{alternatives * seeds} runs, about {duration(then)} at most."
        )
        yield f"In all at most {runs + alternatives * seeds} runs and {duration(most + then)}."


def begins_anew(facts: Facts, lengths: Sequence[int]) -> bool:
    """Whether the last of these budgets is trained in one go, after shorter ones."""
    return len(lengths) > 1 and lengths[-1] == facts.length.full and not facts.steady


def stage_1_seconds(facts: Facts, seeds: int, lengths: Sequence[int]) -> float:
    """Training goes on from one length to the next, and a process is set up for each."""
    both = 3600 * (facts.hours["together"] + facts.hours["apart"])
    amount = lengths[-1] + (lengths[-2] if begins_anew(facts, lengths) else 0)
    return seeds * (both * amount / facts.length.full + 2 * facts.start * len(lengths))


def stage_2_seconds(facts: Facts, seeds: int, alternatives: int, length: int) -> float:
    """As if each took as long as the joint run, and the look ahead."""
    whole = 3600 * facts.hours["together"]
    ahead = whole * ahead_share(len(facts.tasks)) if len(facts.tasks) > 2 else 0.0
    return alternatives * seeds * (whole * length / facts.length.full + facts.start) + ahead
