"""A network that was trained on a table reads other tables by the names of their columns."""

import csv
import json

import pytest

import mtlrun
from mtlrun.cli.main import main
from mtlrun.errors import DataError


@pytest.fixture
def alone(people, moved):
    return moved(people, "csv")


def test_eval_of_new_rows(alone, capsys):
    assert main(["eval", "run", "data.test_path=new.csv", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    for task, values in alone.items():
        assert record["tasks"][task] == pytest.approx(values["best"]["test"], rel=1e-5)


def test_predictions_have_the_scores_of_eval(alone, tmp_path):
    said = mtlrun.load("run").predict("new.csv")
    truth = [*csv.DictReader((tmp_path / "new.csv").open())]
    error = sum(abs(one["income"] - float(row["income"])) for one, row in zip(said, truth)) / len(truth)
    assert error == pytest.approx(alone["income"]["best"]["test"]["mae"], rel=1e-5)
    known = [(one["owner"], row["owner"]) for one, row in zip(said, truth) if row["owner"]]
    right = sum(one == two for one, two in known) / len(known)
    assert right == pytest.approx(alone["owner"]["best"]["test"]["accuracy"])


def test_the_order_of_columns_and_further_ones_do_not_matter(alone, tmp_path):
    rows = [*csv.DictReader((tmp_path / "new.csv").open())]
    lines = [f"{row['town']},x,{row['age']}" for row in rows]
    (tmp_path / "other.csv").write_text("\n".join(["town,more,age", *lines]) + "\n")
    one, two = (mtlrun.load("run").predict(name) for name in ("new.csv", "other.csv"))
    assert [row["owner"] for row in one] == [row["owner"] for row in two]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("age,city\n3,Rome\n", "has no column 'town'; needed: a row with the columns age, town"),
        ("age,town\nold,Rome\nyoung,Oslo\n", "column 'age' holds words, and it held numbers in training"),
    ],
)
def test_what_does_not_suit_is_told(text, told, alone, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        mtlrun.load("run").predict("bad.csv")
