"""A paper's rows in a report: marked, in our unit, never pooled or tested; differences from three seeds on."""

import csv
import io
import json
from dataclasses import replace

import pytest

from mtlrun.errors import ConfigError
from mtlrun.published.library import published_table
from mtlrun.reporting.beside import _quotes_the_same, counterparts
from mtlrun.reporting.exports import FORMATS
from mtlrun.reporting.make import report
from mtlrun.reporting.model import Row
from mtlrun.reporting.reproduced import deviations, in_deviations, reproduced_row
from mtlrun.reporting.terminal import as_text

NAME = "sener_koltun/multimnist"
OTHERS = ("csv", "json", "markdown", "latex", "html")


@pytest.fixture
def made(result, tmp_path):
    """made(seeds): a report on runs of the plain sum and of PCGrad, without and with the published rows."""

    def make(seeds, **options):
        for seed in range(seeds):
            for method, level in (("equal", 0.95), ("pcgrad", 0.96)):
                scores = {"left": level + 0.001 * seed, "right": level - 0.01 + 0.002 * seed}
                result(f"{method}{seed}", scores, seed=seed, balancer=method)
        return report(tmp_path, **options)

    return make


def test_nothing_of_ours_moves(made, tmp_path):
    plain, beside = made(3), report(tmp_path, published=[NAME])
    assert beside.sections[0].rows == plain.sections[0].rows
    assert beside.sections[0].notes == plain.sections[0].notes
    assert beside.tidy == plain.tidy


def test_rows_are_marked_and_in_our_unit(made):
    row = next(row for row in made(3, published=[NAME]).sections[0].published if row.method == "Uniform")
    assert row.label == f"Uniform (published, {NAME})"
    assert [cell.text for cell in row.cells] == ["0.9646", "0.9499"]
    assert row.seeds is None


def test_differences_are_in_deviations_of_our_seeds(made):
    lines = made(3, published=[NAME]).sections[0].beside
    line = next(line for line in lines if "beside Uniform" in line)
    assert "left -13.6, right -4.0; no test is made" in line  # (0.951 - 0.9646) / 0.001, (0.942 - 0.9499) / 0.002


@pytest.mark.parametrize(("by", "told"), [("best", False), ("last", True)])
def test_scores_of_another_kind_are_not_set_against_those_that_are_quoted(made, by, told):
    lines = made(3, published=[NAME], by=by).sections[0].beside
    line = f"{NAME} quotes scores at the best validation epoch, this report those at the last epoch: no difference"
    assert any(one.startswith(line) and one.endswith("add --by best.") for one in lines) is told
    assert any("beside Uniform" in one for one in lines) is not told


@pytest.mark.parametrize(
    ("quoted", "by", "select", "same"),
    [
        ("last", "best", "last", True),
        ("best", "last", "last", True),
        ("last", "best", "geometric", False),
        ("mean_of_last", "best", "last", False),
    ],
)
def test_where_no_epoch_is_chosen_the_best_is_the_last(quoted, by, select, same):
    table = replace(published_table(NAME), by=quoted)
    assert _quotes_the_same(table, {"trainer.select": select}, by) is same


def test_shared_networks_that_are_named_as_baseline_are_no_single_task_training(made, tmp_path):
    made(3)
    lines = report(tmp_path, published=[NAME], baseline="balancer=equal").sections[0].beside
    assert any("balancer=equal beside Uniform" in line for line in lines)
    assert not any("beside STL" in line or "beside Single" in line for line in lines)


def test_no_difference_is_called_one_with_two_seeds(made):
    lines = made(2, published=[NAME]).sections[0].beside
    assert any("beside Uniform" in line and "fewer than 3 seeds" in line for line in lines)
    assert not any("standard deviations" in line for line in lines)


def test_the_ways_in_which_the_protocol_differs_are_told(made):
    lines = made(3, published=[NAME]).sections[0].beside
    assert any(line.startswith(f"Protocol of {NAME} differs in epochs: trainer.epochs=") for line in lines)
    assert any("validation rows: trainer.select_on=" in line and "the test rows there" in line for line in lines)


@pytest.mark.parametrize("kind", OTHERS)
def test_every_format_has_them(made, kind):
    text = FORMATS[kind](made(3, published=[NAME]))
    assert "MGDA-UB" in text
    assert "0.9726" in text
    assert NAME in text.replace("\\_", "_")


def test_the_terminal_has_them(made):
    text = " ".join(as_text(made(3, published=[NAME]), 160).split())
    assert f"MGDA-UB (published, {NAME})" in text
    assert "Sener & Koltun 2018" in text


def test_values_of_papers_are_no_runs_when_a_table_is_read_back(made, tmp_path):
    beside = made(3, published=[NAME])
    path = tmp_path / "all.csv"
    path.write_text(FORMATS["csv"](beside))
    rows = [*csv.DictReader(io.StringIO(path.read_text()))]
    assert {row["published"] for row in rows} == {None, NAME}
    again = report(tables=[path])
    assert [len(row.seeds) for row in again.sections[0].rows] == [3, 3]
    assert not again.sections[0].published


def test_json_has_them_apart_from_our_rows(made):
    section = json.loads(FORMATS["json"](made(3, published=[NAME])))["sections"][0]
    assert len(section["rows"]) == 2
    assert len(section["published"]) == 6


def test_a_table_on_other_tasks_is_refused(made):
    with pytest.raises(
        ConfigError, match=r"--published nash_mtl/qm9 is about mu/mae, .*: these runs are judged by left/"
    ):
        made(1, published=["nash_mtl/qm9"])


@pytest.mark.parametrize("ours", [[], [1.0], [1.0, 2.0], [1.0, 1.0, 1.0]])
def test_without_a_spread_of_three_seeds_there_is_no_difference(ours):
    assert in_deviations(ours, 0.0) is None


def test_a_setting_is_compared_by_value():
    table = published_table("famo/toy")
    followed = {key: value for point in table.protocol for key, value in point.settings.items()}
    assert deviations(table, followed) == []
    assert deviations(table, {**followed, "task.tasks.first.scale": 1}) == [
        "scale of the first loss: task.tasks.first.scale=1 here; 0.1 there"
    ]


def test_what_a_row_has_of_its_own_is_no_deviation_of_its_runs():
    table = published_table("cagrad/nyuv2")
    followed = {key: value for point in table.protocol for key, value in point.settings.items()}
    single = {**followed, "sharing": "independent", "balancer": "equal"}
    assert any("sharing=independent here" in line for line in deviations(table, single))
    assert deviations(table, single, table.method("STL")) == deviations(table, followed)
    other = {**single, "sharing": "soft"}
    assert any("sharing=soft here" in line for line in deviations(table, other, table.method("STL")))


CITIES = "cagrad/nyuv2"
MTAN = {"sharing": "segnet_mtan", "sharing.attention": "shared", "backbone": "segnet", "backbone.unpooling": True}
CROSS = {"sharing": "cross_stitch", "backbone": "segnet", "backbone.unpooling": False}
UB = {"balancer": "mgda", "balancer.normalization": "loss+", "balancer.heads": "weighted"}


@pytest.mark.parametrize(
    ("name", "settings", "found"),
    [
        (CITIES, {**MTAN, "balancer": "equal"}, ["LS"]),
        (CITIES, {**CROSS, "balancer": "equal"}, ["Cross-Stitch"]),
        (CITIES, {**CROSS, "balancer": "graddrop"}, []),
        ("sener_koltun/celeba", {"sharing": "hard", **UB, "balancer.gradients": "features"}, ["MGDA-UB"]),
        ("sener_koltun/celeba", {"sharing": "hard", **UB, "balancer.gradients": "parameters"}, ["MGDA"]),
        ("sener_koltun/celeba", {"sharing": "soft", **UB, "balancer.gradients": "parameters"}, []),
        ("sener_koltun/celeba", {}, []),  # a table of another tool, without settings
    ],
)
def test_the_counterpart_is_the_row_that_the_run_was_trained_as(name, settings, found):
    row = Row(label="ours", settings={}, seeds=(0,), folders=("a",), cells=())
    assert [method.name for _, method in counterparts(row, published_table(name), {"a": settings})] == found


def test_a_row_that_is_trained_otherwise_is_told_with_its_words(made, result):
    result("soft", {"left": 0.9, "right": 0.9}, balancer="pcgrad", sharing="soft")
    lines = made(1, published=[NAME]).sections[0].beside
    assert any(
        f"has no counterpart in {NAME}: PCGrad is trained with" in line and "sharing=hard" in line for line in lines
    )


def test_without_a_run_a_row_has_published_numbers_alone():
    table = published_table(NAME)
    row = reproduced_row(table, table.method("STL"), [])
    assert [(number.mean, number.published.value) for number in row.numbers] == [(None, 97.23), (None, 95.90)]
