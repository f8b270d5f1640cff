"""Published tables are well formed, and every printed Delta-m is what its row gives, to the rounding of both."""

from dataclasses import replace

import pytest

from mtlrun.errors import ConfigError
from mtlrun.published.delta import published_delta
from mtlrun.published.library import published_table, table_names
from mtlrun.published.table import PrintedNumber

NAMES = table_names()
TABLES = {name: published_table(name) for name in NAMES}
ROWS = [(name, row.name) for name, table in TABLES.items() for row in table.methods if row.delta and row.values]


def recomputed(table, row, at=None, by=0.0):
    """Delta of the printed row, with the number at place `at` moved by so many half units of its last digit."""
    values = [number.value + by * number.half_unit * (place == at) for place, number in enumerate(row.values)]
    return published_delta(table, values)


def rounding(table, row):
    """How far the rounding of the row and of the single-task vector can move its Delta."""
    middle = recomputed(table, row)
    moved = sum(abs(recomputed(table, row, at, 1) - middle) for at in range(len(row.values)))
    for at, number in enumerate(table.single_task):
        other = [*table.single_task]
        other[at] = PrintedNumber(repr(number.value + number.half_unit))
        moved += abs(recomputed(replace(table, single_task=tuple(other)), row) - middle)
    return moved


def test_they_are_there():
    assert len(NAMES) >= 30
    assert len(ROWS) > 150


@pytest.mark.parametrize("name", NAMES)
def test_a_printed_delta_is_what_its_row_gives(name):
    table = TABLES[name]
    for row in (table.method(method) for of, method in ROWS if of == name):
        difference = abs(recomputed(table, row) - row.delta.value)
        explained = difference <= row.delta.half_unit + rounding(table, row) + 1e-9
        assert explained == (row.row_gives is None), f"{row.name}: {difference}"
        if row.row_gives:
            assert recomputed(table, row) == pytest.approx(row.row_gives.value, abs=1.01 * row.row_gives.half_unit)


def test_misprints_are_those_that_are_known():
    found = {(name, method) for name, method in ROWS if TABLES[name].method(method).row_gives}
    assert {("nash_mtl/nyuv2", "IMTL-G"), ("libmtl/office_home", "IMTL-G"), ("libmtl/office_home", "CAGrad")} <= found
    assert len(found) == 10


@pytest.mark.parametrize("name", NAMES)
def test_a_table_says_where_it_is_from_and_what_it_fixes(name):
    table = TABLES[name]
    assert all((table.title, table.paper, table.table, table.verified, table.quick.says, table.quick.words))
    assert len(table.protocol) >= 4
    assert all(point.settings or point.ours or point.says for point in table.protocol)
    assert table.trained


@pytest.mark.parametrize("name", [name for name in NAMES if TABLES[name].front])
def test_of_a_toy_each_method_says_whom_the_front_is_reached_from(name):
    table = TABLES[name]
    assert table.cases is not None
    for row in table.methods:
        assert len(row.reaches) == len(row.recomputed) == len(table.cases.values)


def test_famo_copied_the_rows_of_nash_mtl():
    for data in ("qm9", "nyuv2", "cityscapes"):
        first, second = TABLES[f"nash_mtl/{data}"], TABLES[f"famo/{data}"]
        assert all(second.method(row.name).values == row.values for row in first.methods)


def test_a_wrong_name_is_told():
    with pytest.raises(ConfigError, match="no published table 'nash_mtl/qm'; did you mean 'nash_mtl/qm9'"):
        published_table("nash_mtl/qm")


FORM = """
title: t
paper: p
table: Table 1
verified: read
by: best
metrics: [{task: a, metric: accuracy, better: higher}]
protocol: [{point: epochs, says: 1, source: paper}]
quick: {says: less, with: [trainer.epochs=1]}
methods:
"""


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ('  x: {values: "1 2"}', "values of x are 2, not one for each of 1 metrics"),
        ('  x: {values: "1.0", delta: "3"}', "x has a delta, and the table does not say which"),
        ('  x: {values: "one"}', "could not convert string to float"),
        ('  x: {values: "inf"}', "inf is no number that can be printed"),
        ("  x: {with: balancer=equal}", "'balancer=equal' must be a list"),
        ("  x: {}\nseeds: three", "seeds must be a whole number of at least 1, or null, found three"),
        ("  x: {}\nquick: {says: less, with: [], by: bset}", "no by of quick 'bset'; did you mean 'best'"),
        ("  x: {}\nmetrics: [{task: a, metric: m, better: lower, scale: 0}]", "scale of a m must not be 0"),
        ("  x: {}\nfront: {x: [0, 1]}", "front must have bounds of x1 and x2, found x"),
        (
            '  x: {}\nsingle_task: "0.0"\ndelta: {name: d, mean: tasks, better: lower}',
            "delta is relative to single_task, which must not have a 0",
        ),
    ],
)
def test_a_file_that_breaks_the_form_is_refused(tmp_path, rows, line):
    path = tmp_path / "mine.yaml"
    path.write_text(FORM + rows)
    with pytest.raises(ConfigError, match=line):
        published_table(str(path))


def test_a_file_of_ones_own_is_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(FORM + '  x: {values: "90.50"}')
    table = published_table(str(path))
    assert table.method("x").values[0].half_unit == 0.005
    assert table.experiment == "mine"


@pytest.mark.parametrize(("text", "digits"), [("0.05", 2), ("5e-2", 2), ("1.25e-3", 5), ("12", 0), ("1e3", -3)])
def test_digits_are_those_behind_the_point(text, digits):
    assert PrintedNumber(text).digits == digits
