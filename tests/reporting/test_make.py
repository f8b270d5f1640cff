"""Reports over made-up run folders: pooling, baselines, Delta-m, tuning, what is not counted."""

import json

import pytest

from mtlrun.errors import ConfigError
from mtlrun.reporting.cautions import cautions
from mtlrun.reporting.make import report


def only(made):
    (section,) = made.sections
    return section


def row(section, **settings):
    (found,) = [entry for entry in section.rows if settings.items() <= entry.settings.items()]
    return found


@pytest.fixture
def sweep(result, tmp_path):
    """Two methods and single-task runs, three seeds each; Delta-m of equal is 10, -10, 0 %."""
    for seed, (left, right) in enumerate([(0.9, 0.9), (1.0, 1.2), (1.0, 1.0)]):
        result(f"sweep/{seed}", {"left": left, "right": right}, seed=seed)
    for seed, (left, right) in enumerate([(0.5, 0.50), (0.51, 0.51), (0.49, 0.50)]):
        result(f"sweep/{seed + 3}", {"left": left, "right": right}, seed=seed, balancer="pcgrad")
    for seed in range(3):
        result(f"stl/{seed}", {"left": 1.0, "right": 1.0}, seed=seed, sharing="independent")
    return tmp_path


def test_seeds_are_pooled_and_what_differs_is_a_column(sweep):
    section = only(report(sweep / "sweep"))
    assert section.columns == ("balancer",)
    assert [entry.label for entry in section.rows] == ["balancer=equal", "balancer=pcgrad"]
    assert section.rows[0].seeds == (0, 1, 2)
    assert section.rows[0].cells[0].mean == pytest.approx((0.9 + 1 + 1) / 3)
    assert section.common == ("task=digits", "sharing=hard")


def test_delta_m_by_hand(sweep):
    section = only(report([sweep / "sweep", sweep / "stl"]))
    assert [entry.is_baseline for entry in section.rows] == [True, False, False]
    delta = row(section, balancer="equal", sharing="hard").delta
    assert delta.values == pytest.approx((10, -10, 0))
    assert delta.mean == pytest.approx(0)
    assert delta.high == pytest.approx(4.302653 * 10 / 3**0.5, abs=1e-4)  # deviation 10
    worse = row(section, balancer="pcgrad")
    assert worse.delta.values == pytest.approx((50, 49, 50.5))
    assert worse.verdict == "worse"
    assert row(section, balancer="equal", sharing="hard").verdict == "undecided"
    assert "worse for balancer=pcgrad; undecided for balancer=equal" in section.conclusion


def test_delta_p_has_the_other_sign(sweep):
    section = only(report(sweep, measure="delta_p"))
    assert row(section, balancer="pcgrad").delta.values == pytest.approx((-50, -49, -50.5))
    assert row(section, balancer="pcgrad").verdict == "worse"


def test_delta_p_averages_each_tasks_metrics_first(result, tmp_path):
    more = {"directions": {"accuracy": True, "loss": False, "auc": True}}
    for name, sharing, auc in (("a", "hard", 0.5), ("b", "independent", 1.0)):
        moment = {"test": {"accuracy": 0.8, "auc": auc}, "val": {}}
        result(name, {"left": 0.8}, sharing=sharing, task={**more, "best": moment})
    assert row(only(report(tmp_path, measure="delta_p")), sharing="hard").delta.mean == pytest.approx(-25)
    assert row(only(report(tmp_path)), sharing="hard").delta.mean == 0


def test_delta_p_averages_the_metrics_that_the_runs_name(result, tmp_path):
    more = {"directions": {"miou": True, "iou_road": True}, "counted": ["miou", "left"]}
    for name, sharing, road in (("a", "hard", 0.1), ("b", "independent", 1.0)):
        moment = {"test": {"accuracy": 0.8, "miou": 0.5, "iou_road": road}, "val": {}}
        result(name, {"left": 0.8}, sharing=sharing, task={**more, "best": moment})
    assert row(only(report(tmp_path, measure="delta_p")), sharing="hard").delta.mean == 0


def test_lower_is_better_turns_the_sign(result, tmp_path):
    result("a", {"left": 1.5}, lower=("left",))
    result("b", {"left": 1.0}, lower=("left",), sharing="independent")
    section = only(report(tmp_path))
    assert row(section, sharing="hard").delta.mean == pytest.approx(50)
    assert row(section, sharing="hard").cells[0].gain.mean == pytest.approx(-0.5)


@pytest.mark.parametrize("baseline", [0.02, 0.0, -0.01])
def test_a_baseline_near_zero_is_no_divisor(result, tmp_path, baseline):
    result("a", {"left": 0.10})
    result("b", {"left": baseline}, sharing="independent")
    section = only(report(tmp_path))
    assert row(section, sharing="hard").delta.mean == pytest.approx(-100 * (0.10 - baseline))
    assert any("too near zero for a ratio" in note for note in section.notes)


def test_a_run_resumed_with_more_epochs_is_not_averaged_with_the_others(result, tmp_path):
    for seed in range(3):
        result(str(seed), {"left": 0.5}, seed=seed, resumed=["trainer.epochs=9"] if seed == 2 else None)
    section = only(report(tmp_path))
    assert section.columns == ("trainer.epochs",)
    assert [(entry.settings["trainer.epochs"], entry.seeds) for entry in section.rows] == [(2, (0, 1)), (9, (2,))]


def test_settings_that_only_watch_make_no_row(result, tmp_path):
    for seed in range(2):
        result(str(seed), {"left": 0.5}, seed=seed, settings={"diagnostics.every": seed})
    assert len(only(report(tmp_path)).rows) == 1


def test_a_setting_inside_a_group_is_a_column_only_where_the_option_does_not_explain_it(result, tmp_path):
    result("a", {"left": 0.5})
    result("b", {"left": 0.5}, balancer="pcgrad", settings={"balancer.alpha": 1})
    assert only(report(tmp_path)).columns == ("balancer",)
    result("c", {"left": 0.5}, balancer="pcgrad", settings={"balancer.alpha": 2})
    assert only(report(tmp_path)).columns == ("balancer", "balancer.alpha")


def test_two_names_for_one_method_are_two_rows_that_nothing_separates(result, tmp_path):
    for seed in range(5):
        for name in ("equal", "same"):
            result(f"{name}{seed}", {"left": 0.5 + 0.01 * seed}, seed=seed, balancer=name)
    section = only(report(tmp_path))
    assert [entry.label for entry in section.rows] == ["balancer=equal", "balancer=same"]
    assert not any(cell.bold for entry in section.rows for cell in entry.cells)


def test_a_seed_counts_once(result, tmp_path):
    for name, score in (("a", 0.5), ("b", 0.5), ("c", 0.7)):
        result(name, {"left": score}, seed=int(name == "c"))
    section = only(report(tmp_path))
    assert section.rows[0].seeds == (0, 1)
    assert any("1 run has the same settings and seed" in note for note in section.notes)


def test_versions_of_the_code_are_told(result, tmp_path):
    for seed in range(2):
        result(str(seed), {"left": 0.5}, seed=seed, commit=f"{seed}" * 40)
    assert any("2 versions of the code: 0000000, 1111111" in note for note in only(report(tmp_path)).notes)


def test_runs_that_did_not_finish_are_listed_and_not_averaged(result, tmp_path):
    result("a", {"left": 0.5})
    result("b", {}, seed=1, status="failed", error="NonFiniteError: loss of task 'left' is nan")
    result("c", {}, seed=2, status="running")
    result("d", {}, seed=3, status="interrupted")
    (tmp_path / "e/.hydra").mkdir(parents=True)
    (tmp_path / "e/.hydra/config.yaml").write_text("{}")
    made = report(tmp_path)
    assert only(made).rows[0].seeds == (0,)
    told = {run.folder[-1]: (run.status, run.reason) for run in made.unfinished}
    assert told["b"] == ("failed", "diverged: NonFiniteError: loss of task 'left' is nan")
    assert told["c"] == ("lost", "its process died")
    assert (told["d"][0], told["e"][0]) == ("interrupted", "not started")


@pytest.mark.parametrize("key", ["data.seed", "backbone._target_", "trainer.epochs", "trainer.batch_size"])
def test_a_baseline_has_the_same_data_backbone_and_budget(result, tmp_path, key):
    result("a", {"left": 0.5})
    result("b", {"left": 0.5}, sharing="independent", settings={key: 7})
    section = only(report(tmp_path))
    assert row(section, sharing="hard").delta is None
    assert "No single-task run has the data, backbone, budget" in section.conclusion


def test_of_several_baselines_the_one_with_the_same_rate_is_taken(result, tmp_path):
    for rate, score in ((0.1, 0.5), (0.01, 0.8)):
        result(f"a{rate}", {"left": score}, settings={"optimizer.lr": rate})
        result(f"b{rate}", {"left": score}, sharing="independent", settings={"optimizer.lr": rate})
    deltas = [entry.delta.mean for entry in only(report(tmp_path)).rows if entry.delta]
    assert deltas == [0, 0]


@pytest.mark.parametrize("how", ["folder", "elsewhere", "setting"])
def test_a_named_baseline(sweep, how):
    paths = sweep / "sweep" if how == "elsewhere" else sweep
    word = {"folder": sweep / "sweep/3", "elsewhere": sweep / "stl", "setting": "balancer=pcgrad"}[how]
    section = only(report(paths, baseline=word))
    (base,) = [entry for entry in section.rows if entry.is_baseline]
    assert base.settings.get("balancer", "equal") == ("equal" if how == "elsewhere" else "pcgrad")
    assert all((entry.delta is None) == entry.is_baseline for entry in section.rows)


def test_seeds_without_a_partner_are_left_out_of_the_comparison(result, tmp_path):
    for seed in range(3):
        result(f"a{seed}", {"left": 0.5}, seed=seed)
    for seed in (1, 2, 7):
        result(f"b{seed}", {"left": 0.25}, seed=seed, sharing="independent")
    section = only(report(tmp_path))
    assert row(section, sharing="hard").delta.values == pytest.approx((-100, -100))
    assert any("Not every seed has its single-task run" in note for note in section.notes)


def test_one_seed_is_no_test(result, tmp_path):
    result("a", {"left": 0.5})
    result("b", {"left": 0.9}, sharing="independent")
    section = only(report(tmp_path))
    assert "One seed: no test" in section.conclusion
    assert row(section, sharing="hard").delta.p is None
    assert not any(cell.bold for entry in section.rows for cell in entry.cells)


def test_what_to_run_next_can_be_pasted(sweep):
    assert only(report(sweep)).commands == (
        "mtlrun -m task=digits balancer=equal sharing=independent,hard seed=3,4",
        "mtlrun -m task=digits balancer=pcgrad sharing=hard seed=3,4",
    )
    alone = only(report(sweep / "sweep")).commands
    assert alone == (
        "mtlrun -m task=digits sharing=independent seed=0,1,2",
        "mtlrun -m task=digits balancer=equal,pcgrad sharing=hard seed=3,4",
    )


def test_tuning_goes_by_validation_and_shows_test(result, tmp_path):
    for balancer, rates in (("equal", {0.1: (5, 0.3), 0.01: (9, 0.2), 0.001: (1, 0.9)}), ("pcgrad", {0.1: (3, 0.5)})):
        for rate, (validation, test) in rates.items():
            name = f"{balancer}{rate}"
            settings, summary = {"optimizer.lr": rate}, {"best_score": validation}
            result(name, {"left": test}, balancer=balancer, settings=settings, summary=summary)
    section = only(report(tmp_path, tune_keys=["optimizer.lr"]))
    assert section.columns == ("balancer", "optimizer.lr")
    chosen = row(section, balancer="equal")
    assert (chosen.settings["optimizer.lr"], chosen.cells[0].mean, chosen.edges) == (0.01, 0.2, ())
    assert any("pcgrad: optimizer.lr=0.1 is the only value tried" in note for note in section.notes)


def test_a_value_at_the_edge_of_its_grid_is_flagged(result, tmp_path):
    for rate in (0.1, 0.01, 0.001):
        result(str(rate), {"left": rate}, settings={"optimizer.lr": rate}, summary={"best_score": rate})
    section = only(report(tmp_path, tune_keys=["optimizer.lr"]))
    assert section.rows[0].edges == ("optimizer.lr",)
    assert any("at the edge of its grid (optimizer.lr 0.001, 0.01, 0.1)" in note for note in section.notes)


def test_by_last_reads_other_scores(sweep):
    best, last = (only(report(sweep / "stl", by=by)).rows[0].cells[0].mean for by in ("best", "last"))
    assert (best, last) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("where", "count"), [(["balancer=pcgrad"], 1), ({"seed": 1}, 2), (["balancer=equal,pcgrad"], 2)]
)
def test_where(sweep, where, count):
    assert len(only(report(sweep / "sweep", where=where)).rows) == count


def test_task_sets_have_tables_of_their_own(result, tmp_path):
    result("a", {"left": 0.5})
    result("b", {"left": 0.5, "right": 0.5})
    assert [section.name for section in report(tmp_path).sections] == ["left", "left, right"]


def test_doubts_are_a_line_each(result, tmp_path):
    for seed in range(2):
        task = {"rows": {"val": 50, "test": 400}, "trivial": {"accuracy": 0.6}}
        summary = {"best_epoch": 1, "pairs": [{"measured": 1}]}
        result(str(seed), {"left": 0.5}, seed=seed, task=task, summary=summary)
    doubts = only(report(tmp_path)).doubts
    assert len(doubts) == 4
    for words in ("no better than always predicting the most frequent class (0.6)", "only 50 validation rows",
                  "best epoch is the last one", "measured at one step only"):  # fmt: skip
        assert any(words in line and "[2 runs, such as" in line for line in doubts), words


@pytest.mark.parametrize(
    ("selection", "few", "last"),
    [
        ({"select": "geometric", "on": "val"}, True, True),
        ({"select": "geometric", "on": "test"}, False, True),
        ({"select": "last", "on": "val"}, False, False),
    ],
)
def test_an_epoch_is_doubted_by_what_chose_it(selection, few, last):
    summary = {"best_epoch": 1, "last_epoch": 1, "selection": selection, "tasks": {"left": {"rows": {"val": 50}}}}
    text = "\n".join(cautions(summary))
    assert ("only 50 validation rows chose the epoch" in text) is few
    assert ("best epoch is the last one" in text) is last


def test_the_noise_of_the_test_set_is_told_where_it_is_known(result, tmp_path):
    for seed in range(2):
        result(str(seed), {"left": 0.5}, seed=seed, task={"rows": {"val": 400, "test": 400}})
    section = only(report(tmp_path))
    assert section.tasks[0].test_error == pytest.approx(0.025)  # sqrt(0.5 * 0.5 / 400)
    assert any("its standard error is left 0.025" in note for note in section.notes)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"paths": "absent"}, "no folder 'absent'"),
        ({"paths": "."}, "no run in '.'"),
        ({"paths": []}, "name what to report on"),
        ({"by": "bset"}, "--by bset; did you mean 'best'?: write --by best|last|mean_of_last"),
        ({"where": ["optimizer.rl=1"]}, "no run has a setting 'optimizer.rl'; did you mean 'optimizer.lr'?"),
        ({"where": ["balancer"]}, "cannot read --where balancer"),
        ({"where": ["balancer=x"]}, "no run is left by --where"),
        ({"tune_keys": ["lr"]}, "no run has a setting 'lr'"),
        ({"baseline": "nowhere"}, "--baseline nowhere: no finished run"),
    ],
)
def test_mistakes_are_told_in_one_line(sweep, arguments, line, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(ConfigError) as caught:
        report(**{"paths": sweep, **arguments})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ten_tasks_have_further_statistics(result, tmp_path):
    names = [f"t{number}" for number in range(12)]
    for seed in range(2):
        gains = {name: 0.5 * (1 + place / 100 + 1e-4) for place, name in enumerate(names)}
        result(f"a{seed}", gains, seed=seed)
        result(f"b{seed}", dict.fromkeys(names, 0.5), seed=seed, sharing="independent")
    many = row(only(report(tmp_path)), sharing="hard").many
    assert many.interquartile_mean.mean == pytest.approx(5.51)  # of 0.01 .. 11.01 %, the middle six: 3 .. 8
    assert many.profile[4:7] == pytest.approx((12 / 12, 10 / 12, 7 / 12))  # above 0, 2, 5 %
    assert many.improvement == pytest.approx(1)


def test_the_whole_report_is_plain_values(sweep):
    made = report(sweep)
    assert json.loads(json.dumps(made.to_dict()))["sections"][0]["rows"][1]["delta"]["mean"] == pytest.approx(0, abs=99)
