"""One line for each wrong option, and what is right comes back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from re import escape

import pytest

from mtlrun.errors import ConfigError
from mtlrun.options import (
    as_typed,
    below,
    distinct,
    flag,
    local_path,
    not_negative,
    number,
    numbers,
    positive,
    share,
    whole,
    whole_numbers,
)

NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("check", "value", "bounds"),
    [
        (whole, 3, (3, 3)),
        (whole, 10**9, (1,)),
        (number, 2, (2, 2)),
        (number, 1e300, (0,)),
        (below, 0, (0, 1)),
        (below, 0.999, (0, 1)),
        (positive, 1e-300, ()),
        (not_negative, 0, ()),
        (whole_numbers, [1, 64], ("[8]",)),
        (numbers, [-0.5, 3], ("[0.5]",)),
        (local_path, Path("somewhere"), ()),
        (share, 0, ()),
        (share, 0.5, (False,)),
        (flag, False, ()),
        (distinct, ["b", "a"], ()),
    ],
)
def test_what_is_right_comes_back(check: Callable[..., object], value: object, bounds: tuple) -> None:
    assert check("group.word", value, *bounds) == value


@pytest.mark.parametrize(
    ("check", "values", "bounds", "message"),
    [
        (whole, (0, 11, True, 3.0, "3", None), (1, 10), "should be a whole number from 1 to 10, found {!r}"),
        (whole, (0, False, 2.5), (1,), "must be a whole number of at least 1, found {!r}"),
        (number, (-1, 1.5, True, NAN, "1"), (0, 1), "must be a number from 0 to 1, found {!r}"),
        (number, (-1, INFINITY, NAN, True), (0,), "must be a finite number of at least 0, found {!r}"),
        (below, (1, -0.1, NAN, True, None), (0, 1), "must be at least 0 and below 1, found {!r}"),
        (below, (-1, INFINITY), (0,), "must be at least 0, found {!r}"),
        (positive, (0, -1, INFINITY, NAN, True, "1"), (), "must be a number > 0, found {!r}"),
        (not_negative, (-1e-9, INFINITY, NAN, True, None), (), "must be a number >= 0, found {!r}"),
        (
            whole_numbers,
            ([], [0], [64, True], [1.5], 64, "64", None),
            ("[8]",),
            "should be a list of positive whole numbers, found {}; try group.word=[8]",
        ),
        (
            numbers,
            ([], [True], [NAN], ["1"], 1.0, "12"),
            ("[0.5]",),
            "should be a list of finite numbers, found {}; try group.word=[0.5]",
        ),
        (local_path, (5, None), (), "should be a path, found {0!r}; try group.word=./{0}"),
        (share, (1, -0.1, NAN, False, "half"), (), "should be a share from 0 to below 1, found {!r}"),
        (share, (0, 0.0), (False,), "should be a share above 0 and below 1, found {!r}"),
        (flag, (1, 0, "yes", None), (), "must be true or false, found {!r}"),
        (distinct, ("ab",), (), "should be a list, found {!r}: write group.word=[ab]"),
        (distinct, (["a", "b", "a"], ["a", "a"]), (), "has 'a' twice: name it once"),
        (distinct, ([1, "1"],), (), "has '1' twice: name it once"),
    ],
)
def test_anything_else_is_one_line(check: Callable[..., object], values: tuple, bounds: tuple, message: str) -> None:
    for value in values:
        with pytest.raises(ConfigError, match=f"^{escape('group.word ' + message.format(value))}$"):
            check("group.word", value, *bounds)


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "null"), (True, "true"), (NAN, "nan"), (0.5, "0.5"), ([1, None, "a"], "[1,null,a]")]
)
def test_values_are_shown_as_they_are_typed(value: object, shown: str) -> None:
    assert as_typed(value) == shown
