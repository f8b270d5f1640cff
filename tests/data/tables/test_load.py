"""From a table to sources: roles of columns, encoding by training rows, names of labels, one table in four forms."""

import logging
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from mtlrun.data.sets import arrays
from mtlrun.data.tables.encode import encoded
from mtlrun.data.tables.named_arrays import arrays_of, write_arrays
from mtlrun.data.tables.read import read_raw
from mtlrun.errors import ConfigError, DataError

N = 80
SPLITS = ("train", "val", "test")
DRAWN = np.random.default_rng(0)


def frame() -> pd.DataFrame:
    """A table with gaps, words, dates, truth values and labels of three sorts."""
    draw = np.random.default_rng(1)
    table = pd.DataFrame(
        {
            "age": draw.normal(40, 9, N),
            "city": draw.choice(["Oslo", "Rome", "Bonn"], N).astype(object),
            "rooms": draw.integers(1, 6, N),
            "since": pd.date_range("2020-01-01", periods=N, freq="36h"),
            "member": draw.random(N) > 0.5,
            "plan": draw.choice(["basic", "gold"], N).astype(object),
            "grade": draw.integers(0, 3, N).astype(float),
            "spent": draw.normal(100, 20, N),
        }
    )
    table.loc[::9, "age"] = np.nan
    table.loc[::10, "city"] = None
    table.loc[::11, "plan"] = None
    table.loc[::12, "grade"] = np.nan
    table.loc[0, "city"] = "Lima"  # once alone
    return table


TARGETS = ["plan", "grade", "spent"]


def load(path, **options):
    return arrays.load(str(path), **{"targets": TARGETS, **options})


@pytest.fixture
def table(tmp_path):
    frame().to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def everything(splits):
    """Names of what the fetched tensors of all splits are -> these tensors."""
    found = {}
    for split in SPLITS:
        [source] = getattr(splits, split)
        inputs, targets = source.fetch(torch.arange(len(source)))
        found[f"{split}/inputs"] = source.prepare(inputs)
        for task, values in targets.items():
            mask = source.labelled(task)
            found |= {f"{split}/{task}": values[mask], f"{split}/{task}/labelled": mask}
    return found


def test_one_table_in_each_form_gives_the_same_numbers(tmp_path, table):
    frame().to_parquet(tmp_path / "mine.parquet")
    write_arrays(tmp_path / "mine.npz", arrays_of(frame()))
    np.savez(tmp_path / "plain.npz", **arrays_of(frame()))
    frame().to_feather(tmp_path / "mine.feather")
    shutil.copy(tmp_path / "mine.feather", tmp_path / "mine.arrow")
    one = load(table)
    for other in ("mine.parquet", "mine.npz", "plain.npz", "mine.feather", "mine.arrow"):
        two = load(tmp_path / other)
        assert two.statement == one.statement
        assert two.inferred == one.inferred
        assert two.train[0].columns == one.train[0].columns
        torch.testing.assert_close(everything(two), everything(one), rtol=0, atol=0)


def test_a_table_of_numbers_gives_the_numbers_of_its_array(tmp_path):
    values, label = DRAWN.normal(size=(N, 3)), np.arange(N) % 2
    np.savez(tmp_path / "array.npz", inputs=values, label=label)
    pd.DataFrame({"a": values[:, 0], "b": values[:, 1], "c": values[:, 2], "label": label}).to_csv(
        tmp_path / "mine.csv", index=False
    )
    one = arrays.load(str(tmp_path / "array.npz"))
    two = arrays.load(str(tmp_path / "mine.csv"), targets=["label"])
    torch.testing.assert_close(everything(two), everything(one))


def test_kinds_and_names_of_labels_are_read_off(table):
    inferred = load(table).inferred
    assert inferred == {
        "plan": {"kind": "Classification", "classes": ["basic", "gold"]},
        "grade": {"kind": "Classification", "classes": 3},
        "spent": {"kind": "Regression", "outputs": 1},
    }


def test_numbers_first_then_flags_then_codes(table):
    columns = load(table).train[0].columns
    assert [(column.name, column.kind) for column in columns] == [
        *[(name, "number") for name in ("age", "rooms", "since", "member")],
        ("age", "missing"),
        ("city", "category"),
    ]
    assert [column.date for column in columns][:4] == [False, False, True, False]
    assert set(columns[-1].values) == {"", "Bonn", "Oslo", "Rome"}


def test_numbers_are_standardised_and_filled_by_training_rows_alone(table):
    [source] = load(table).train
    inputs = source.prepare(source.fetch(torch.arange(len(source)))[0])
    torch.testing.assert_close(inputs[:, :4].mean(0), torch.zeros(4), atol=1e-6, rtol=0)
    torch.testing.assert_close(inputs[:, :4].std(0, correction=0), torch.ones(4))
    age = source.columns[0]
    absent = inputs[:, 4] == 1
    assert 0 < absent.sum() < 12
    filled = torch.full((int(absent.sum()),), (age.fill - age.mean) / age.deviation)
    torch.testing.assert_close(inputs[absent, 0], filled)


def test_columns_are_all_that_it_takes_to_encode_another_row(tmp_path, table):
    source = load(table).train[0]
    (tmp_path / "new.csv").write_text(
        "age,city,rooms,since,member\n,Rome,3,2020-01-05,true\n50,Paris,2,2020-01-05,false\n"
    )
    found = encoded(read_raw(tmp_path / "new.csv"), source.columns)
    city, age = source.columns[5], source.columns[0]
    assert found[0, 5] == 1 + city.values.index("Rome")
    assert found[1, 5] == 0  # unknown in training
    assert found[:, 4].tolist() == [1, 0]
    assert found[1, 0] == pytest.approx((50 - age.mean) / age.deviation)


def test_rows_in_words_are_those_of_the_table(table):
    [source] = load(table).test
    text = source.read(source.fetch(torch.arange(1))[0])[0].splitlines()
    words = dict(line.split() for line in text)
    assert [*words] == ["age", "rooms", "since", "member", "city"]
    assert words["since"] in set(frame()["since"].dt.strftime("%Y-%m-%d"))
    assert words["city"] in {"Oslo", "Rome", "Bonn", "-", "other"}


def test_numbers_can_be_named_as_categories(table):
    columns = load(table, categories=["rooms"]).train[0].columns
    assert {column.name for column in columns if column.kind == "category"} == {"rooms", "city"}
    [rooms] = [column for column in columns if column.name == "rooms"]
    assert rooms.values
    assert set(rooms.values) <= set("12345")


@pytest.mark.parametrize(
    ("task", "kind", "found"),
    [
        ("plan", "MultiLabel", {"kind": "MultiLabel", "labels": ["gold"]}),
        ("grade", "Regression", {"kind": "Regression", "outputs": 1}),
        ("grade", "Classification", {"kind": "Classification", "classes": 3}),
    ],
)
def test_naming_a_kind_works(table, task, kind, found):
    assert load(table, kinds={task: kind}).inferred[task] == found


def test_inputs_alone_make_all_others_labels(table):
    splits = load(table, inputs=["age", "city", "since", "member", "rooms"], targets=None)
    assert [*splits.inferred] == TARGETS


def test_names_that_settings_cannot_hold_are_changed(tmp_path, caplog):
    (tmp_path / "mine.csv").write_text("x,body mass (g)\n" + "".join(f"{row},{row * 0.5}\n" for row in range(N)))
    with caplog.at_level(logging.INFO):
        splits = load(tmp_path / "mine.csv", targets=["body mass (g)"], kinds={"body mass (g)": "Regression"})
    assert [*splits.inferred] == ["body_mass_g"]
    assert "names as settings take them: body mass (g) is task body_mass_g" in caplog.messages


def test_every_inference_is_told(table, caplog):
    with caplog.at_level(logging.INFO):
        load(table)
    assert caplog.messages[0].startswith(
        "inputs of 5 columns and 1 flags of missing values, gaps counted in all 80 rows: 2 of plain numbers; age"
    )
    assert "age: number, 9 missing are the median" in caplog.messages[0]
    assert "city: 3 words, 1 rare ones share a code" in caplog.messages[0]
    assert "since: days since 1970" in caplog.messages[0]


def test_files_of_their_own_for_val_and_test(tmp_path):
    for name, rows in (("a", slice(0, 40)), ("b", slice(40, 60)), ("c", slice(60, 80))):
        frame()[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    splits = load(tmp_path / "a.csv", val_path=str(tmp_path / "b.csv"), test_path=str(tmp_path / "c.csv"))
    assert splits.statement.startswith("40/20/20 rows for train/val/test, split by file;")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"targets": None},
            r"say which columns are to be predicted, as in data.targets=\[spent\] \(there are: age",
        ),
        ({"targets": ["plann"]}, r"no column 'plann' \(data.targets\); did you mean 'plan'\?"),
        ({"inputs": ["agee"]}, r"no column 'agee' \(data.inputs\); did you mean 'age'\?"),
        ({"inputs": ["age", "plan"]}, "column 'plan' is named in data.inputs and in data.targets"),
        ({"inputs": "age"}, r"data.inputs should be a list, found 'age': write data.inputs=\[age\]"),
        ({"categories": ["town"]}, r"no column 'town' \(data.categories\)"),
        ({"group": "patient"}, r"no column 'patient' \(data.group\)"),
        ({"group": "rooms", "order": "since"}, "rows are split by one of them"),
        ({"order": "city"}, "rows have no value of 'city'"),
        (
            {"kinds": {"plan": "Regression"}},
            "labels 'plan' are 2 different words, .* 'basic': Regression takes",
        ),
        ({"targets": ["city"], "kinds": {"city": "MultiLabel"}}, "MultiLabel takes two"),
        ({"kinds": {"plam": "Regression"}}, "no task in data.kinds 'plam'; did you mean 'plan'"),
        ({"targets": ["plan"], "max_classes": 1}, "task 'plan' has 2 different words in 80 rows"),
        ({"rare": 0}, "data.rare must be a whole number of at least 1"),
        ({"rare": 1000, "inputs": ["city"]}, r"no column of inputs varies in the training rows \(there are: city\)"),
    ],
)
def test_mistakes_get_one_line(table, options, message):
    with pytest.raises((ConfigError, DataError), match=message) as caught:
        load(table, **options)
    assert "\n" not in str(caught.value)


def test_infinite_inputs_and_unread_files_are_told(tmp_path):
    (tmp_path / "mine.csv").write_text("x,y\n" + "".join(f"{row},{row % 2}\n" for row in range(N)) + "inf,1\n")
    with pytest.raises(DataError, match="column 'x' has infinite values in 1 of 81 rows, the first in row 81"):
        load(tmp_path / "mine.csv", targets=["y"])
    content = (tmp_path / "mine.csv").read_text()
    (tmp_path / "mine.csv").write_text(content.replace("inf,1", "1e300,1"))
    large = r"'x' has numbers too large for float32, such as 1e\+300, in 1 of 81 rows, the first in row 81: divide"
    with pytest.raises(DataError, match=large):
        load(tmp_path / "mine.csv", targets=["y"])
    with pytest.raises(DataError, match="files of this kind are not read, save the table as CSV or Parquet"):
        load(tmp_path / "mine.xlsx")


def test_a_column_of_words_in_one_file_and_numbers_in_another_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{row},{row % 2}\n" for row in range(N)))
    (tmp_path / "b.csv").write_text("x,y\n" + "".join(f"w{row % 3},{row % 2}\n" for row in range(9)))
    with pytest.raises(DataError, match=r"column 'x' holds numbers in .*a.csv and texts in .*b.csv: make them alike"):
        load(tmp_path / "a.csv", targets=["y"], val_path=str(tmp_path / "b.csv"))


def test_words_that_hardly_occur_twice_are_left_out(tmp_path, caplog):
    frame().assign(name=[f"name {row}" for row in range(N)]).to_csv(tmp_path / "mine.csv", index=False)
    with caplog.at_level(logging.INFO):
        splits = load(tmp_path / "mine.csv")
    assert "name" not in {column.name for column in splits.train[0].columns}
    assert "left out, since no word occurs in 3 training rows: name" in caplog.messages


MARKS = ["None", "-", "yes"]


def test_words_that_are_no_value_of_an_input_are_classes_of_labels(tmp_path, caplog):
    words = [MARKS[row % 3] for row in range(N)]
    table = pd.DataFrame({"x": np.arange(N), "same": words, "offer": words})
    table.to_csv(tmp_path / "mine.csv", index=False)
    with caplog.at_level(logging.INFO):
        splits = load(tmp_path / "mine.csv", targets=["offer"])
    assert splits.inferred["offer"]["classes"] == ["-", "None", "yes"]
    assert all(source.labelled("offer").all() for split in SPLITS for source in getattr(splits, split))
    assert splits.train[0].columns[-1].values in (("", "yes"), ("yes", ""))
    assert (
        "offer: '-' in 27 rows and 'None' in 27 rows is a class of its own; leave cells empty that have no label"
        in (caplog.messages)
    )


def test_a_class_called_none_alone_in_a_file_is_that_class(tmp_path):
    for name, words, count in (("a", MARKS, N), ("b", MARKS[:1], 9)):
        pd.DataFrame({"x": np.arange(count), "y": [words[row % len(words)] for row in range(count)]}).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    splits = load(tmp_path / "a.csv", val_path=str(tmp_path / "b.csv"), targets=["y"])
    assert splits.val[0].targets("y").tolist() == [splits.inferred["y"]["classes"].index("None")] * 9


def test_values_that_pandas_calls_na_are_none(tmp_path):
    texts = pd.Series(["a", pd.NA, None, "b"], dtype="object")
    whole = pd.Series([1, pd.NA, 3, 4], dtype="Int64")
    for found in (arrays_of(pd.DataFrame({"t": texts, "n": whole})), arrays_of({"t": texts, "n": whole})):
        assert found["t"].tolist() == ["a", "", "", "b"]
        np.testing.assert_array_equal(found["n"], [1, np.nan, 3, 4])
    assert arrays_of({"t": np.array([pd.NA, "a"], dtype=object)})["t"].tolist() == ["", "a"]


def test_times_finer_than_a_microsecond_are_read(tmp_path):
    moments = pd.to_datetime(["1970-01-02 00:00:00.000000001", None])
    pd.DataFrame({"t": moments, "y": [0, 1]}).astype({"t": "datetime64[ns]"}).to_parquet(tmp_path / "mine.parquet")
    np.testing.assert_array_equal(read_raw(tmp_path / "mine.parquet").columns["t"].numbers, [1.0, np.nan])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"x": [[1, 2], [3]], "y": [0, 1]}, "'x' is no array: give it as numpy.ndarray"),
        ({"x": torch.ones(2, requires_grad=True)}, "'x' is no array: give it as numpy.ndarray"),
        (pd.DataFrame({"a": []}), "the data frame has 0 rows of 1 columns"),
        (pd.DataFrame(), "the data frame has 0 rows of 0 columns"),
        (
            type("Polars", (), {"columns": ["a"], "dtypes": ["i"]})(),
            "data= takes a pandas data frame, .* found a Polars",
        ),
    ],
)
def test_data_that_are_no_table_get_one_line(data, message):
    with pytest.raises(DataError, match=message) as caught:
        arrays_of(data)
    assert "\n" not in str(caught.value)


def test_columns_that_no_table_takes_are_told_only_if_they_are_used(tmp_path):
    wait = pd.to_timedelta(np.arange(N), unit="D")
    frame = pd.DataFrame({"x": np.arange(N), "wait": wait, "y": np.arange(N) % 2})
    write_arrays(tmp_path / "mine.npz", {**arrays_of(frame), "wave": np.ones(N) * 1j})
    assert [*load(tmp_path / "mine.npz", targets=["y"], inputs=["x"]).inferred] == ["y"]
    for name, kind in (("wait", "timedelta64"), ("wave", "complex128")):
        with pytest.raises(DataError, match=f"column '{name}' holds values of type {kind}"):
            load(tmp_path / "mine.npz", targets=["y"], inputs=["x", name])
        with pytest.raises(DataError, match=f"column '{name}' holds values of type {kind}"):
            load(tmp_path / "mine.npz", targets=["y"], inputs=["x"], group=name)


def test_columns_of_one_entry_a_row_and_sparse_ones_are_columns(tmp_path):
    table = pd.DataFrame({"x": pd.arrays.SparseArray(np.arange(N) * 1.0), "y": np.arange(N) % 2})
    found = {name: values[:, None] for name, values in arrays_of(table).items()}
    np.savez(tmp_path / "mine.npz", **found)
    columns = read_raw(tmp_path / "mine.npz").columns
    assert columns["x"].numbers.tolist() == [*range(N)]
    assert columns["y"].values.tolist() == [row % 2 for row in range(N)]


def test_bytes_are_texts_or_told(tmp_path):
    np.savez(tmp_path / "mine.npz", x=np.array(["é".encode(), b"b"]))
    assert read_raw(tmp_path / "mine.npz").columns["x"].texts() == ["é", "b"]
    np.savez(tmp_path / "mine.npz", x=np.array([b"\xe9", b"b"]))
    with pytest.raises(DataError, match="column 'x' holds bytes that are no UTF-8 text"):
        read_raw(tmp_path / "mine.npz")


def test_classes_that_differ_in_capitals_alone_are_told(tmp_path, caplog):
    pd.DataFrame({"x": np.arange(N), "y": [["Yes", "yes", "no"][row % 3] for row in range(N)]}).to_csv(
        tmp_path / "mine.csv", index=False
    )
    load(tmp_path / "mine.csv", targets=["y"])
    assert "classes of y differ in capitals alone, and count as different: Yes, yes" in caplog.messages
