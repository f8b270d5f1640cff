import math
import struct

import pytest

from mtlrun.errors import ResumeError
from mtlrun.runs.records import COSINES, METRICS, TASKS, CsvTable, read, read_columns


def test_rows_come_back_typed(tmp_path):
    table = CsvTable(tmp_path / "metrics.csv", METRICS)
    table.append([(1, 60, "val", "7", "loss", 0.25), (1, 60, "val", "sign,a", "accuracy", None)])
    assert read(tmp_path / "metrics.csv") == [
        {"epoch": 1, "step": 60, "split": "val", "task": "7", "metric": "loss", "value": 0.25},
        {"epoch": 1, "step": 60, "split": "val", "task": "sign,a", "metric": "accuracy", "value": None},
    ]


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-30, 123456.789, -2.5e20])
def test_every_float32_is_restored_exactly(tmp_path, value):
    (single,) = struct.unpack("f", struct.pack("f", value))
    CsvTable(tmp_path / "c.csv", COSINES).append([(1, "a", "b", single)])
    (row,) = read(tmp_path / "c.csv")
    assert struct.pack("f", row["cosine"]) == struct.pack("f", single)


def test_values_that_are_not_finite_survive(tmp_path):
    CsvTable(tmp_path / "t.csv", TASKS).append([(1, "a", math.nan, math.inf, None, 3)])
    (row,) = read(tmp_path / "t.csv")
    assert math.isnan(row["loss"])
    assert (row["weight"], row["grad_norm"], row["rows"]) == (math.inf, None, 3)


def test_rollback_gives_the_same_file_as_if_nothing_had_happened(tmp_path):
    rows = [(step, "a", "b", step / 7) for step in range(20)]
    straight = CsvTable(tmp_path / "straight.csv", COSINES)
    straight.append(rows)
    rolled = CsvTable(tmp_path / "rolled.csv", COSINES)
    rolled.append(rows[:8])
    size = rolled.size()
    rolled.append([(99, "x", "y", 0.0)])
    rolled.close()
    again = CsvTable(tmp_path / "rolled.csv", COSINES)
    again.truncate(size)
    assert again.size() == size
    again.append(rows[8:])
    assert (tmp_path / "rolled.csv").read_bytes() == (tmp_path / "straight.csv").read_bytes()


@pytest.mark.parametrize("size", [0, 3, 10**6])
def test_rollback_to_sizes_that_do_not_fit_leaves_whole_lines(tmp_path, size):
    table = CsvTable(tmp_path / "c.csv", COSINES)
    table.append([(1, "a", "b", 0.5)])
    table.truncate(size)
    assert len(read(tmp_path / "c.csv")) == (1 if size > 100 else 0)
    assert (tmp_path / "c.csv").read_text().startswith("step,task_a,task_b,cosine\n")


def test_opening_drops_a_torn_line(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text("step,task_a,task_b,cosine\n1,a,b,0.5\n2,a,b,0.")
    CsvTable(path, COSINES).append([(2, "a", "b", 0.25)])
    assert [row["cosine"] for row in read(path)] == [0.5, 0.25]


@pytest.mark.parametrize("text", ["", "step,tas"])
def test_opening_a_file_without_whole_header_writes_it(tmp_path, text):
    path = tmp_path / "c.csv"
    path.write_text(text)
    CsvTable(path, COSINES)
    assert path.read_text() == "step,task_a,task_b,cosine\n"


def test_other_columns_are_refused(tmp_path):
    CsvTable(tmp_path / "c.csv", COSINES)
    with pytest.raises(ResumeError, match="has columns step,task_a"):
        CsvTable(tmp_path / "c.csv", TASKS)


def test_reading_while_it_is_written(tmp_path):
    path = tmp_path / "c.csv"
    assert read(path) == []
    assert read_columns(path) == {}
    path.write_bytes(b"step,task_a,task_b,cosine\n1,a,b,0.5\n2,a,b\nx,a,b,0\n3,a,b,\0\0\n4,\xc3")
    assert [row["step"] for row in read(path)] == [1, 3]
    assert read_columns(path) == {
        "step": [1, 3], "task_a": ["a", "a"], "task_b": ["b", "b"], "cosine": [0.5, None]
    }  # fmt: skip


def test_an_append_is_on_disk_at_once(tmp_path):
    table = CsvTable(tmp_path / "c.csv", COSINES)
    table.append([(1, "a", "b", 0.5)])
    assert len(read(tmp_path / "c.csv")) == 1
    table.append([])
    assert table.size() == (tmp_path / "c.csv").stat().st_size


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda path: path.write_text(path.read_text() + "9,9,test,left,loss,9\n"), False),
        (lambda path: path.write_bytes(b""), True),
        (lambda path: path.write_bytes(bytes(200)), True),
        (lambda path: path.write_bytes(path.read_bytes()[:60]), True),
        (lambda path: path.write_text(path.read_text().replace("0.5", "0.9")), True),
        (lambda path: path.unlink(), True),
    ],
)
def test_a_table_comes_back_as_the_checkpoint_knows_it(damage, told, tmp_path, caplog):
    path = tmp_path / "metrics.csv"
    table = CsvTable(path, METRICS)
    table.append([(0, 5, "val", "left", "loss", 0.5), (0, 5, "val", "left", "accuracy", 0.75)])
    known = table.content()
    table.close()
    damage(path)
    again = CsvTable(path, METRICS)
    again.rebuild(known)
    again.append([(1, 10, "val", "left", "loss", 0.25)])
    assert path.read_bytes() == known + b"1,10,val,left,loss,0.25\n"
    assert ("as when the checkpoint was saved" in caplog.text) == told


@pytest.mark.parametrize(
    ("left", "told"), [(b"", True), (b"step,task,loss,weight,grad_norm,rows\n", True), (None, False)]
)
def test_a_shorter_table_is_told_of(left, told, tmp_path, caplog):
    path = tmp_path / "tasks.csv"
    table = CsvTable(path, TASKS)
    table.append([(0, "left", 0.5, None, None, 8)])
    size = table.size()
    table.close()
    if left is not None:
        path.write_bytes(left)
    CsvTable(path, TASKS).truncate(size)
    assert ("has lost lines" in caplog.text) == told


@pytest.mark.parametrize("size", [-1, "x", None, 1.5])
def test_a_size_that_is_none(size, tmp_path):
    with pytest.raises(ValueError, match="is no size of tasks"):
        CsvTable(tmp_path / "tasks.csv", TASKS).truncate(size)
