"""Courses of many runs at few common positions, so that a page of 200 runs stays small."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from mtlrun.reporting.series import Array, Course


def common_positions(courses: Iterable[Course], most: int) -> Array:
    """Where the courses are shown: every position that any of them has, or the ends of `most` equal shares of these."""
    found = np.unique(np.concatenate([course.x for course in courses] or [np.empty(0)]))
    if len(found) <= most:
        return found
    return found[np.linspace(0, len(found), most + 1).round().astype(int)[1:] - 1]


def at_positions(course: Course, ends: Array) -> Array:
    """[n]: the mean of the values after the position before and up to each one; NaN where there is none."""
    known = course.known()
    place = np.searchsorted(ends, known.x)
    inside = place < len(ends)
    counts = np.bincount(place[inside], minlength=len(ends))
    sums = np.bincount(place[inside], weights=known.y[inside], minlength=len(ends))
    return np.divide(sums, counts, out=np.full(len(ends), np.nan), where=counts > 0)


def mean_and_deviation(values: Sequence[Array]) -> tuple[Array, Array]:
    """Over runs, at each position where any has a value; the deviation is NaN where fewer than two have one."""
    stacked = np.stack(values)
    known = np.isfinite(stacked)
    count = known.sum(0)
    total = np.where(known, stacked, 0.0).sum(0)
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    square = np.where(known, (stacked - mean) ** 2, 0.0).sum(0)
    return mean, np.sqrt(np.divide(square, count - 1, out=np.full(len(count), np.nan), where=count > 1))
