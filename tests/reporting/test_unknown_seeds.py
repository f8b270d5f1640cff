"""Runs of unknown seed: they count in means, and nothing is paired by the order of rows."""

import pytest

from mtlrun.reporting.best import bold
from mtlrun.reporting.make import report
from mtlrun.reporting.paired import common_seeds

SINGLE, BETTER = (0.50, 0.51, 0.52), (0.90, 0.912, 0.919)


def section_of(tmp_path, seeds):
    lines = [
        f"{method},{seed},{value}"
        for method, values in (("stl", SINGLE), ("ours", BETTER))
        for seed, value in zip(seeds[method], values)
    ]
    (tmp_path / "wide.csv").write_text("\n".join(["method,seed,left/accuracy", *lines]) + "\n")
    (section,) = report(tables=[tmp_path / "wide.csv"]).sections
    return section


@pytest.mark.parametrize("known", [[], ["stl"], ["ours"]])
def test_nothing_is_tested_where_one_side_has_no_seeds(tmp_path, known):
    section = section_of(tmp_path, {name: range(3) if name in known else ["", "", ""] for name in ("stl", "ours")})
    (ours,) = [row for row in section.rows if not row.is_baseline]
    assert ours.cells[0].mean == pytest.approx(sum(BETTER) / 3)
    assert (ours.delta, ours.cells[0].gain) == (None, None)
    assert (ours.verdict, ours.cells[0].verdict) == ("undecided", "undecided")
    assert not any(row.cells[0].bold or row.delta_bold for row in section.rows)
    assert section.conclusion.startswith("Undecided: the seeds")
    assert any(note.startswith("No seeds: not compared (") for note in section.notes)
    assert not any(note.startswith("1 seed") for note in section.notes)


def test_known_seeds_beside_unknown_ones_are_compared(tmp_path):
    section = section_of(tmp_path, {"stl": [0, 1, ""], "ours": [0, 1, ""]})
    (ours,) = [row for row in section.rows if not row.is_baseline]
    assert len(ours.seeds) == 3
    assert ours.cells[0].gain.values == pytest.approx((0.4, 0.402))
    assert any("1 of 3 runs of method=ours" in note for note in section.notes)


def test_with_seeds_the_same_table_is_decided(tmp_path):
    section = section_of(tmp_path, {"stl": range(3), "ours": range(3)})
    (ours,) = [row for row in section.rows if not row.is_baseline]
    assert (ours.verdict, ours.cells[0].verdict, ours.cells[0].bold) == ("better", "better", True)


def test_keys_below_zero_are_no_pairs():
    first, second = {-1: 0.9, -2: 0.91, -3: 0.92}, {-1: 0.1, -2: 0.11, -3: 0.12}
    assert common_seeds({**first, 4: 1.0, 0: 2.0}, {**second, 0: 1.0, 4: 2.0}) == [4, 0]
    assert bold([[first, second]], [True]) == [[False, False]]
