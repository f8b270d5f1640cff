"""Numbers and durations in words, the same in every rendering."""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log10

from mtlrun.reporting.paired import Estimate

NO_VERDICT = (
    "Opposed gradients are no reason against sharing, nor aligned ones a reason for it: near a stationary point of "
    "their sum they are opposed by necessity. Compare with single-task runs."
)
"""Beside every figure of cosines."""


def pair_name(task_a: str, task_b: str) -> str:
    """Two tasks, named in the order of the run."""
    return f"{task_a} – {task_b}"


def decimals(deviations: Iterable[float | None], values: Iterable[float | None] = ()) -> int:
    """Decimals that show two digits of the largest deviation; without one, four digits of the largest value."""
    spread = max((abs(deviation) for deviation in deviations if deviation), default=0.0)
    if spread > 0:
        return min(8, max(0, 1 - floor(log10(spread))))
    size = max((abs(value) for value in values if value), default=1.0)
    return min(8, max(0, 3 - floor(log10(size)))) if size >= 0.001 else 6


def fixed(value: float | None, digits: int) -> str:
    """The value with so many decimals, in powers of ten where it is huge; '-' for none."""
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if abs(value) < 1e6 else f"{value:.3e}"


def signed_number(value: float) -> str:
    """With its sign, to three digits: '+0.0123', '-4.51'."""
    if value == 0:
        return "0"
    return f"{value:+.{_digits(value)}f}"


def _digits(value: float) -> int:
    """Decimals that show three digits."""
    return min(6, max(0, 2 - floor(log10(abs(value))))) if value else 6


def with_interval(estimate: Estimate, unit: str = "") -> str:
    """'-0.042 [-0.092, +0.009]', to the digits that the interval leaves; the mean alone where there is none."""
    if estimate.low is None or estimate.high is None:
        return signed_number(estimate.mean) + unit
    digits = min(decimals([estimate.high - estimate.low]) + 1, _digits(estimate.mean) + 1)
    return f"{estimate.mean:+.{digits}f}{unit} [{estimate.low:+.{digits}f}, {estimate.high:+.{digits}f}]"


def duration(seconds: float | None) -> str:
    """'48 s', '12 min' or '3.4 h'."""
    if seconds is None:
        return "-"
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def memory(size: float | None) -> str:
    """Bytes as '0.75 GiB'."""
    return "-" if size is None else f"{size / 2**30:.2f} GiB"


def arrow(higher: bool) -> str:
    """The direction in which a metric is better."""
    return "↑" if higher else "↓"


def listed(words: list[str], most: int = 8) -> str:
    """Words with commas, the number of those left out at the end."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more
