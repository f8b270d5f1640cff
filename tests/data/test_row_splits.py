"""Which rows each split has: whole groups, the newest last, rare classes everywhere."""

import numpy as np
import pytest
import torch

from mtlrun.data.infer import infer_labels
from mtlrun.data.row_splits import SplitKey, sizes_of, split_by
from mtlrun.data.split_plan import SplitOptions, planned
from mtlrun.data.split_sizes import SPLITS
from mtlrun.errors import ConfigError, DataError

SHARES = {"val": 0.2, "test": 0.2}
N = 100


def parts(rows):
    return [rows[split].tolist() for split in SPLITS]


def whole_table(rows):
    return sorted(row for part in parts(rows) for row in part)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "groups",
    [np.arange(N) // 5, np.array([f"p{row // 7}" for row in range(N)], dtype=object), np.minimum(np.arange(N), 40)],
    ids=["fives", "words", "one of sixty"],
)
def test_no_group_is_in_two_splits(groups, seed):
    rows = split_by(SplitKey("group", "patient", groups), SHARES, seed)
    assert whole_table(rows) == [*range(N)]
    found = [set(groups[part]) for part in parts(rows)]
    assert sum(map(len, found)) == len(set.union(*found))
    assert all(len(part) >= 10 for part in parts(rows))
    assert len(rows["train"]) >= 50


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(
    ("sizes", "least"),
    [([3] * 200, [415, 85, 85]), ([50, 30, 20], [50, 20, 20]), ([600, *[1] * 400], [700, 140, 140])],
    ids=["many small", "all too large", "one giant"],
)
def test_groups_come_near_to_the_shares(sizes, least, seed):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rows = split_by(SplitKey("group", "patient", groups), {"val": 0.15, "test": 0.15}, seed)
    assert all(len(part) >= fewest for part, fewest in zip(parts(rows), least))


def test_large_numbers_are_different_groups_and_times():
    values = 2**53 + np.arange(N)
    for kind in ("group", "order"):
        rows = split_by(SplitKey(kind, "id", values), SHARES, seed=0)
        assert [len(part) for part in parts(rows)] == [60, 20, 20]


def test_the_newest_rows_are_the_test():
    times = np.random.default_rng(0).permutation(N).astype(float)
    rows = split_by(SplitKey("order", "date", times), SHARES, seed=0)
    found = [times[part] for part in parts(rows)]
    assert [len(part) for part in found] == [60, 20, 20]
    assert found[0].max() < found[1].min()
    assert found[1].max() < found[2].min()


def test_rows_of_one_time_stay_together():
    times = np.arange(N) // 30
    rows = split_by(SplitKey("order", "date", times), SHARES, seed=0)
    assert [set(times[part]) for part in parts(rows)] == [{0, 1}, {2}, {3}]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("group", np.arange(N) // 50, "data.group=key has 2 groups: three splits need three groups or more"),
        ("group", np.where(np.arange(N) < 3, np.nan, 1.0), "3 of 100 rows have no value of 'key'.* the first is row 1"),
        ("group", np.array(["a", ""] * 50, dtype=object), "50 of 100 rows have no value"),
        ("order", np.zeros(N), "data.order=key has 1 different times"),
        ("order", np.array(["May"] * N, dtype=object), "holds words such as 'May': write numbers, or dates as 2024-12"),
    ],
)
def test_splits_that_cannot_be_are_told(kind, values, message):
    with pytest.raises(DataError, match=message):
        split_by(SplitKey(kind, "key", values), SHARES, seed=0)


def test_a_key_and_a_file_of_its_own_do_not_go_together():
    with pytest.raises(ConfigError, match=r"data.group=key splits the rows of data.path: leave out data.val_path"):
        split_by(SplitKey("group", "key", np.arange(N)), {"val": None, "test": 0.2}, seed=0)


def options(**others):
    return SplitOptions(**{"val_path": None, "test_path": None, "val": 0.2, "test": 0.2, "seed": 0, **others})


RARE = np.where(np.arange(N) < 4, 2, np.arange(N) % 2)  # class 2 in four rows
ALSO = np.where(np.arange(N) >= 90, 1, 0)  # class 1 in ten


@pytest.mark.parametrize("seed", range(6))
def test_rare_classes_are_in_every_split(seed):
    labels = {name: infer_labels(name, values, None, 100) for name, values in (("a", RARE), ("b", ALSO))}
    rows, how = planned(options(seed=seed, stratify=True), [N], labels, None)
    assert how == f"at random (data.seed={seed}), stratified by the rare classes of a, b"
    assert whole_table(rows) == [*range(N)]
    assert [len(part) for part in parts(rows)] == [60, 20, 20]
    assert [int((RARE[part] == 2).sum()) for part in parts(rows)] == [2, 1, 1]
    assert [int((ALSO[part] == 1).sum()) for part in parts(rows)] == [6, 2, 2]


@pytest.mark.parametrize(("val", "test"), [(0.15, 0.15), (0.45, 0.45), (0.1, 0.6)])
@pytest.mark.parametrize("count", [3, 4, 7])
def test_three_rows_of_a_class_are_enough_for_every_split(count, val, test):
    labels = {"a": infer_labels("a", np.where(np.arange(N) < count, 1, 0), None, 100)}
    rows, _ = planned(options(val=val, test=test, stratify=True), [N], labels, None)
    found = [int((part < count).sum()) for part in (rows[split] for split in SPLITS)]
    assert sum(found) == count
    assert min(found) >= 1


def test_without_rare_classes_the_split_is_the_random_one():
    labels = {"a": infer_labels("a", np.arange(N) % 2, None, 100)}
    rows, how = planned(options(stratify=True), [N], labels, None)
    plain, _ = planned(options(), [N], labels, None)
    assert how == "at random (data.seed=0)"
    assert all(torch.equal(rows[split], plain[split]) for split in SPLITS)


def test_sizes_add_up():
    assert sizes_of(N, SHARES) == {"train": 60, "val": 20, "test": 20}
