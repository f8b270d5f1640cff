"""A network that was trained on a table reads other tables, and rows in Python, by the names of their columns."""

import csv
import json
import re
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest
import torch

import mtlrun
from mtlrun.cli.main import main
from mtlrun.data.tables.encode import encoded
from mtlrun.data.tables.read import read_raw
from mtlrun.errors import DataError
from mtlrun.inference.columns import EncodeColumns, rows_of_table, table_of
from mtlrun.types import InputColumn

onnx = pytest.mark.skipif(
    any(find_spec(name) is None for name in ("onnx", "onnxscript", "onnxruntime")), reason="mtlrun[export] is absent"
)
NEEDED = "needed: age, since, member, town, code, size"


@pytest.fixture
def alone(people, moved):
    return moved(people, "csv")


@pytest.fixture(scope="session")
def network(people):
    return mtlrun.load(people.folder).network()


@pytest.fixture
def rows(people):
    return [*csv.DictReader((people.folder.parent / "test.csv").open())]


def write(path, rows, names):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def alike(rows):
    return [{k: pytest.approx(v, rel=1e-5) if isinstance(v, float) else v for k, v in row.items()} for row in rows]


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
    for task in ("owner", "grade"):
        known = [(one[task], row[task]) for one, row in zip(said, truth) if row[task]]
        right = sum(one == two for one, two in known) / len(known)
        assert right == pytest.approx(alone[task]["best"]["test"]["accuracy"])


def test_the_order_of_columns_and_further_ones_do_not_matter(alone, rows, tmp_path):
    write(tmp_path / "other.csv", [{**row, "more": "x"} for row in rows], ["more", *reversed(rows[0])])
    one, two = (mtlrun.load("run").predict(name) for name in ("new.csv", "other.csv"))
    assert [row["owner"] for row in one] == [row["owner"] for row in two]


@pytest.mark.parametrize("size", ["1.50", "true", "XL"])
def test_a_part_of_the_rows_means_what_all_of_them_mean(size, alone, rows, tmp_path, capsys):
    """A column of words may hold nothing but numbers, or 'true', in a part of the rows."""
    chosen = [place for place, row in enumerate(rows) if row["size"] == size and row["grade"] != "x"]
    write(tmp_path / "part.csv", [rows[place] for place in chosen], [*rows[0]])
    whole, part = (mtlrun.load("run").predict(name) for name in ("new.csv", "part.csv"))
    answers = [{**whole[place], "file": "part.csv", "row": row} for row, place in enumerate(chosen, 1)]
    assert part == alike(answers)
    assert main(["eval", "run", "data.test_path=part.csv", "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    right = np.mean([one["grade"] == rows[place]["grade"] for one, place in zip(part, chosen)])
    assert record["tasks"]["grade"]["accuracy"] == pytest.approx(right)


def test_every_form_of_rows_gives_the_answers_of_the_file(people, network, rows, tmp_path):
    file = people.folder.parent / "test.csv"
    wanted = [
        {k: v for k, v in row.items() if k not in ("file", "row")} for row in mtlrun.load(people.folder).predict(file)
    ]
    frame = pd.read_csv(file)
    frame["since"] = pd.to_datetime(frame["since"])
    np.savez(tmp_path / "rows.npz", **{name: np.array([row[name] for row in rows]) for name in rows[0]})
    for given in (rows, {name: [row[name] for row in rows] for name in rows[0]}, frame, network.rows(rows)):
        assert network.predict(given) == alike(wanted)
    assert network.predict(rows[3]) == alike(wanted[3:4])
    assert network.predict({**rows[3], "age": int(rows[3]["age"]), "code": float(rows[3]["code"])}) == alike(
        wanted[3:4]
    )
    assert network.predict({**rows[3], "age": None}) == network.predict({**rows[3], "age": ""})
    assert mtlrun.load(people.folder).predict(frame) == alike(wanted)
    from_npz = mtlrun.load(people.folder).predict(tmp_path / "rows.npz")
    assert [{k: v for k, v in row.items() if k not in ("file", "row")} for row in from_npz] == alike(wanted)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda row: {**row, "age": "old"}, "the data: column 'age' holds words, and it held numbers in training"),
        (lambda row: {**row, "since": 3}, "the data: column 'since' holds numbers, and it held dates in training"),
        (
            lambda row: {**row, "age": "2020-01-01"},
            "the data: column 'age' holds dates, and it held numbers in training",
        ),
        (
            lambda row: {**row, "town": 7},
            "the data: column 'town' holds numbers, and it held words, such as 'Bern', in",
        ),
        (lambda row: {**row, "age": float("inf")}, "the data: column 'age' holds an infinite value: leave it empty"),
        (lambda row: {**row, "age": [[1, 2]]}, "column 'age' has the shape [1, 2]"),
        (
            lambda row: {k: [v] * (2 if k == "age" else 1) for k, v in row.items()},
            "inputs have 2 rows of 'age' but 1 of ",
        ),
        (lambda row: {**row, "age": {}}, "column 'age' holds a dict"),
        (lambda row: {k: v for k, v in row.items() if k != "town"}, "the data has no column 'town'; did you mean "),
        (lambda row: {"twon" if k == "town" else k: v for k, v in row.items()}, "'town'; did you mean 'twon'?"),
        (lambda row: [row, {"age": 3}], f"row 2 of the inputs has no column 'since'; {NEEDED} (None for no value)"),
        (lambda row: [row, 3], "or a list of dicts, a row each: found int among the rows"),
        (lambda row: [], "or a list of dicts, a row each: found no row"),
        (lambda row: "rows.csv", "or a list of dicts, a row each: found str"),
        (lambda row: pd.DataFrame([row]).iloc[:0], "the data frame has 0 rows"),
        (lambda row: np.zeros((2, 3)), "inputs must be rows of shape 6 (a row with the columns age, "),
    ],
)
def test_rows_that_do_not_suit_are_told(change, told, network, rows):
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        network.predict(change(rows[3]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("inputs", [["a text"], {"a": [1]}, pd.DataFrame({"a": [1]}), None, [[1], [1, 2]]])
def test_rows_for_a_network_of_arrays_are_told(inputs, table):
    with pytest.raises(DataError, match=r"inputs must be numbers \[B, 6\], as tensor or array: found "):
        mtlrun.load(table.folder).network().predict(inputs)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("age,city\n3,Rome\n", f"has no column 'since'; {NEEDED}"),
        ("age,town,code,since,member,size\nold,R,1,2020-01-01,true,XL\nyoung,O,1,2020-01-01,true,XL\n", "holds words"),
        ("age,town,code,since,member,size\n3,R,1,4,true,XL\n", "'since' holds numbers, and it held dates in training"),
    ],
)
def test_what_does_not_suit_is_told(text, told, alone, tmp_path):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        mtlrun.load("run").predict("bad.csv")


def test_the_encoding_inside_is_that_of_training(people, network):
    (entry,) = network.inputs.values()
    table = read_raw(people.folder.parent / "test.csv", ["town", "size"])
    found = EncodeColumns(entry.columns)(rows_of_table("x", table, entry.columns))
    np.testing.assert_array_equal(found.numpy(), encoded(table, entry.columns))
    shuffled = tuple(reversed(entry.columns))
    found = EncodeColumns(shuffled)(rows_of_table("x", table, shuffled))
    np.testing.assert_array_equal(found.numpy(), encoded(table, shuffled))


@onnx
def test_a_table_is_exported_and_use_md_gives_what_predict_gives(people, rows, tmp_path, monkeypatch, capsys):
    """The lines as printed; and again with a file of one's own, as the page says."""
    test = people.folder.parent / "test.csv"
    assert main(["export", str(people.folder), "--format", "pt2,onnx", "--to", str(tmp_path / "out")]) == 0
    blocks = re.findall(r"```python\n(.*?)```", (tmp_path / "out" / "USE.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path / "out")
    exec("\n".join(blocks), printed := {})
    assert printed["inputs"].shape == (1, 6)
    write(tmp_path / "out" / "rows.csv", rows, [*rows[0]])
    yours = re.sub(r"rows = .*# yours: ", "rows = ", blocks[0])
    wanted = mtlrun.load(people.folder).predict(test)
    for block in blocks[1:]:
        exec("\n".join([yours, block]), found := {})
        answers = {task: np.asarray(values) for task, values in found["answers"].items()}
        assert [row["income"] for row in wanted] == pytest.approx(answers["income"][:, 0].tolist(), rel=1e-6)
        for task in ("owner", "grade"):
            assert [row[f"{task}_p"] for row in wanted] == pytest.approx(answers[task].max(1).tolist(), rel=1e-4)
    assert main(["predict", "model.onnx", str(test), "--csv", "one.csv"]) == 0
    assert main(["predict", str(people.folder), str(test), "--csv", "two.csv"]) == 0
    one, two = ([*csv.DictReader((tmp_path / "out" / name).open())] for name in ("one.csv", "two.csv"))
    for mine, theirs in zip(one, two, strict=True):
        assert {k: v for k, v in mine.items() if k in ("row", "owner", "grade")}.items() <= theirs.items()
        assert float(mine["income"]) == pytest.approx(float(theirs["income"]), rel=1e-6)


def test_a_csv_of_answers_keeps_what_varies(people, capsys):
    """Incomes vary by hundreds around a million."""
    test = people.folder.parent / "test.csv"
    assert main(["predict", str(people.folder), str(test)]) == 0
    said = [*csv.DictReader(capsys.readouterr().out.splitlines())]
    wanted = mtlrun.load(people.folder).predict(test)
    assert [float(row["income"]) for row in said] == pytest.approx([row["income"] for row in wanted], rel=1e-7)


def test_a_graph_of_numbers_alone():
    """No column is a category."""
    from mtlrun.backbones.tabular import Tabular

    program = torch.export.export(
        Tabular((3,), hidden=[4]).eval(), (torch.randn(3, 3),), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    assert [tuple(output.shape) for output in program.run_decompositions().module()(torch.randn(5, 3))] == [
        (5, 3),
        (5, 4),
    ]


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_shards_are_read_as_the_table_that_they_are(ending, alone, tmp_path, monkeypatch, capsys):
    """By eval and predict."""
    pyarrow = pytest.importorskip("pyarrow")
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path / "cache"))
    table = pyarrow.Table.from_pandas(pd.read_csv("new.csv", keep_default_na=False, dtype=str))
    write_shards(tmp_path / "new", table, ending)
    records = []
    for path in ("new.csv", "new"):
        assert main(["eval", "run", f"data.test_path={path}", "--json"]) == 0
        records.append(json.loads(capsys.readouterr().out)[0]["tasks"])
    assert alike([records[1][task] for task in records[1]]) == [records[0][task] for task in records[0]]
    one, two = (mtlrun.load("run").predict(path) for path in ("new.csv", "new"))
    answers = [[{k: v for k, v in row.items() if k not in ("file", "row")} for row in rows] for rows in (one, two)]
    assert answers[1] == alike(answers[0])


def write_shards(folder, table, ending):
    from pyarrow import ipc, parquet

    folder.mkdir()
    for number, start in enumerate(range(0, len(table), 30)):
        part, path = table.slice(start, 30), folder / f"part-{number:02}.{ending}"
        if ending == "parquet":
            parquet.write_table(part, path)
            continue
        with ipc.new_stream(str(path), part.schema) as stream:
            stream.write_table(part)


def test_lists_of_numbers_are_the_columns_of_their_entries():
    columns = (InputColumn("v[0]", mean=1.0), InputColumn("x"), InputColumn("v[1]", deviation=2.0))
    expected = [[1.0, 5.0, 2.0], [3.0, 6.0, 4.0]]
    frame = pd.DataFrame({"x": [5, 6], "v": [[1, 2], np.array([3, 4])]})
    forms = [frame, {"x": [5, 6], "v": np.array([[1, 2], [3, 4]])}, [{"x": 5, "v": [1, 2]}, {"x": 6, "v": (3, 4)}]]
    forms.append({"v[0]": [1, 3], "x": [5, 6], "v[1]": [2, 4]})
    for form in forms:
        assert rows_of_table("the data", table_of(form, columns), columns).tolist() == expected
    with pytest.raises(DataError, match="column 'v' should hold lists of numbers, all of one length"):
        table_of({"x": [5, 6], "v": [[1, 2], [3]]}, columns)
    with pytest.raises(DataError, match=r"no column 'v\[1\]'"):
        rows_of_table("the data", table_of({"x": [5, 6], "v": [[1], [3]]}, columns), columns)
