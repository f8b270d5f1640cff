"""A preset fixes what its table's protocol says, and every method of the table composes with it."""

import inspect

import pytest
from hydra.utils import get_class
from sampling import sampled

from mtlrun.cli.groups import groups
from mtlrun.cli.reproduction import effective_settings, with_later_ones
from mtlrun.paths import CONF
from mtlrun.published.library import published_table, table_names
from mtlrun.reporting.reproduced import deviations, holds
from mtlrun.sharing.base import Sharing

TABLES = [published_table(name) for name in table_names()]
EXPERIMENTS = sorted({table.experiment for table in TABLES})


def test_there_is_a_preset_for_each_table_and_a_table_for_each_preset():
    folders = [path.relative_to(CONF / "experiment").with_suffix("") for path in CONF.glob("experiment/*/*.yaml")]
    assert sorted(path.as_posix() for path in folders) == EXPERIMENTS
    assert len(EXPERIMENTS) >= 20
    assert set(EXPERIMENTS) <= set(groups()["experiment"])


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_preset_is_what_the_protocol_says(experiment):
    settings = effective_settings([f"experiment={experiment}"])
    assert with_later_ones(settings) == settings  # trainer.reference, null by default, may be a number for each task
    for table in (table for table in TABLES if table.experiment == experiment):
        told = [f"{point.point}: {point.ours} here; {point.says} there" for point in table.protocol if point.ours]
        assert deviations(table, settings) == told


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_gains_are_measured_against_the_vector_of_the_table(table):
    points = {key: value for point in table.protocol for key, value in point.settings.items()}
    found = {key: value for key, value in points.items() if key.startswith("trainer.reference.")}
    columns = [f"trainer.reference.{metric.task}.{metric.metric}" for metric in table.metrics]
    assert not found or found == dict(zip(columns, [number.value for number in table.single_task], strict=True))


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_test_rows_choose_only_where_the_protocol_says_so(table):
    points = {key: value for point in table.protocol for key, value in point.settings.items()}
    assert (points.get("trainer.select_on", "val") == "test") == table.chooses_by_test


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_each_value_of_a_preset_has_its_source(experiment):
    lines = (CONF / f"experiment/{experiment}.yaml").read_text().splitlines()
    fixed = [line for line in lines if ": " in line and not line.startswith(("#", "defaults"))]
    assert len(fixed) >= 4
    for line in fixed:
        chosen = "override /task" in line or "override /backbone: segnet" in line or "override /scheduler: con" in line
        assert "  # " in line or chosen, line


SMALL = "kurin/multimnist"
GROUPS = ("sharing", "backbone")


def base(table, method):
    """The table's own preset for a row that changes the network; one small preset serves what is about balancers."""
    return table.experiment if any(word.startswith(GROUPS) for word in method.words) else SMALL


WORDS = sorted({(base(table, method), " ".join(method.words)) for table in TABLES for method in table.trained})
WITH_SETTINGS = [case for case in WORDS if " " in case[1] or case[1] == "balancer=equal"]
"""Of the others nothing but a balancer's name could be wrong."""


@pytest.mark.parametrize("words", [words for _, words in WORDS if " " not in words])
def test_the_balancer_of_a_method_is_there(words):
    group, option = words.split("=")
    assert option in groups()[group]


@pytest.mark.parametrize(("experiment", "words"), sampled(WORDS, WITH_SETTINGS))
def test_the_settings_of_a_method_are_there(experiment, words):
    """Presets differ in no group that a balancer looks at; what they leave set, the chosen option takes."""
    settings = effective_settings([f"experiment={experiment}", *words.split()])
    assert [word for word in words.split() if not holds(word, settings)] == []
    for group in GROUPS:
        taken = inspect.signature(get_class(settings[f"{group}._target_"])).parameters
        given = {key.split(".")[1] for key in settings if key.startswith(f"{group}.")}
        assert given - {"_target_"} <= {*taken}


FEATURES = sorted({table.experiment for table in TABLES for row in table.trained if "features" in " ".join(row.words)})


@pytest.mark.parametrize("experiment", FEATURES)
def test_gradients_of_features_are_asked_of_schemes_that_have_them(experiment):
    """SegNet-MTAN has no place at which all tasks see the same: its rows of this kind are not offered."""
    scheme = get_class(effective_settings([f"experiment={experiment}"])["sharing._target_"])
    assert scheme.trunk_end is not Sharing.trunk_end


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("nash_mtl/qm9", {"Nash-MTL"}),
        ("nash_mtl/nyuv2", {"Nash-MTL"}),
        ("cagrad/nyuv2", set()),
        ("famo/qm9", {"Nash-MTL"}),  # copied from Nash-MTL's table but for its own row
        ("famo/celeba", {"PCGrad", "CAGrad"}),
        ("famo/toy", {"PCGrad", "CAGrad"}),
    ],
)
def test_what_is_clipped_is_what_the_code_that_trained_the_row_clips(name, found):
    rows = {row.name: " ".join(row.words) for row in published_table(name).trained}
    assert {row for row, words in rows.items() if "clip_norm" in words} == found
