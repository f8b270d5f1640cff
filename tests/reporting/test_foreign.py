"""Other tools' tables."""

import pytest

from mtlrun.errors import ConfigError
from mtlrun.reporting.exports import as_csv
from mtlrun.reporting.foreign import read_table
from mtlrun.reporting.make import report

WIDE = """name,method,lr,seed,left/accuracy,val/left/accuracy,depth/rmse,note
a,stl,0.1,0,0.5,0.6,2.0,
b,stl,0.1,1,0.6,0.6,2.0,
c,ours,0.1,0,0.6,0.7,1.0,
d,ours,0.1,1,0.7,0.8,nan,
"""


def test_a_row_per_run(tmp_path):
    (tmp_path / "wide.csv").write_text(WIDE)
    entries = read_table(tmp_path / "wide.csv")
    assert [entry.folder for entry in entries] == ["a", "b", "c", "d"]
    assert entries[2].settings == {"method": "ours", "lr": 0.1}
    assert entries[2].tasks["left"].val == {"accuracy": 0.7}
    assert entries[2].tasks["depth"].higher is False
    assert [*entries[3].tasks] == ["left"]


def test_single_task_rows_are_found_by_their_name(tmp_path):
    (tmp_path / "wide.csv").write_text(WIDE.replace("nan", "1.0"))
    (section,) = report(tables=[tmp_path / "wide.csv"]).sections
    (delta,) = [row.delta for row in section.rows if row.delta]
    assert delta.values == pytest.approx(((-20 - 50) / 2, (-100 / 6 - 50) / 2))


def test_directions_can_be_given(tmp_path):
    (tmp_path / "wide.csv").write_text("seed,a/score,b/l1\n0,1,2\n")
    for lower, expected in (((), [True, True]), (["l1"], [True, False])):
        (entry,) = read_table(tmp_path / "wide.csv", lower)
        assert [entry.tasks[task].higher for task in "ab"] == expected


def test_what_csv_writes_is_read_back(result, tmp_path):
    for seed in range(2):
        for balancer in ("equal", "pcgrad"):
            result(f"{balancer}{seed}", {"left": 0.5 + seed / 7, "r": 0.3}, seed=seed, balancer=balancer, lower=("r",))
        result(f"stl{seed}", {"left": 0.6, "r": 0.4}, seed=seed, sharing="independent")
    made = report(tmp_path)
    (tmp_path / "tidy.csv").write_text(as_csv(made))
    again = report(tables=[tmp_path / "tidy.csv"])
    for first, second in zip(made.sections[0].rows, again.sections[0].rows):
        assert first.seeds == second.seeds
        assert [cell.mean for cell in first.cells] == pytest.approx([cell.mean for cell in second.cells])
        assert (first.delta and first.delta.mean) == pytest.approx(second.delta and second.delta.mean)


def test_a_tidy_table_without_names_is_told_apart_by_settings_and_seed(tmp_path):
    lines = [f"{method},{seed},left,accuracy,0.{seed + 5}" for method in "ab" for seed in range(2)]
    (tmp_path / "tidy.csv").write_text("\n".join(["method,seed,task,metric,value", *lines]) + "\n")
    (section,) = report(tables=[tmp_path / "tidy.csv"]).sections
    assert [row.seeds for row in section.rows] == [(0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("text", "line"),
    [("", "has no rows"), ("seed,accuracy\n0,0.5\n", "has no scores: name columns task/metric")],
)
def test_a_table_without_scores_is_refused(tmp_path, text, line):
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ConfigError, match=line):
        read_table(tmp_path / "table.csv")
    with pytest.raises(ConfigError, match="cannot read"):
        read_table(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("metric", "higher"),
    [(name, True) for name in ("answer_f1", "power", "confidence", "transferred_acc", "precedence", "mIoU")]
    + [(name, False) for name in ("abs_err", "RMSE", "valLoss", "MSELoss", "word-error", "wer", "fid50k", "rmse@5")],
)
def test_a_direction_is_taken_from_whole_words(tmp_path, metric, higher):
    (tmp_path / "wide.csv").write_text(f"seed,a/{metric}\n0,1\n")
    (entry,) = read_table(tmp_path / "wide.csv")
    assert entry.tasks["a"].higher is higher


def test_assumed_directions_are_listed(tmp_path):
    (tmp_path / "wide.csv").write_text("seed,a/score,b/rmse,c/l1\n0,1,2,3\n")
    (section,) = report(tables=[tmp_path / "wide.csv"], lower=["l1"]).sections
    (note,) = [note for note in section.notes if "metrics' names" in note]
    assert note.endswith(": score higher, rmse lower.")


def test_a_direction_holds_for_its_task_alone(tmp_path):
    lines = ["0,a,score,,1,true", "0,b,score,,2,false", "0,b,score,train,9,false", "0,c,score,test,3,"]
    (tmp_path / "tidy.csv").write_text("\n".join(["seed,task,metric,split,value,higher_is_better", *lines]) + "\n")
    (entry,) = read_table(tmp_path / "tidy.csv")
    assert {task: (score.higher, score.judged) for task, score in entry.tasks.items()} == {
        "a": (True, 1),
        "b": (False, 2),
        "c": (True, 3),
    }
    assert [score.assumed for score in entry.tasks.values()] == [(), (), ("score",)]


def test_training_scores_are_no_test_scores(tmp_path):
    (tmp_path / "wide.csv").write_text("seed,test/a/score,train/a/score\n0,0.5,0.9\n")
    (entry,) = read_table(tmp_path / "wide.csv")
    assert entry.tasks["a"].judged == 0.5
