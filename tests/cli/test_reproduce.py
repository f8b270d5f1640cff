"""mtlrun reproduce: what is missing is trained in one sweep, what exists is found, and nothing is claimed too early."""

import json
import shutil

import pytest

from mtlrun.cli import reproduce, timing
from mtlrun.cli.main import main
from mtlrun.cli.missing import Missing
from mtlrun.cli.reproduction import Wanted, jobs_of, same_experiment, wanted, with_later_ones
from mtlrun.cli.timing import takes_passes
from mtlrun.errors import ConfigError
from mtlrun.paths import CONF
from mtlrun.published.library import HOME, published_table, table_names
from mtlrun.runs.lock import FolderLock
from mtlrun.runs.reader import find_runs

FEW = ["data.rows=3", "trainer.max_steps=3", "diagnostics.plots=false", "diagnostics.pictures=0"]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "_measure", lambda requests: [{"hours": 0.001} for _ in requests])
    monkeypatch.setattr(timing, "KEPT", tmp_path / "kept.json")


def text_of(capsys):
    return " ".join(capsys.readouterr().out.split())


def test_what_is_missing_is_trained_and_then_found(tmp_path, capsys):
    words = ["reproduce", "cagrad/toy", "--methods", "LS", *FEW]
    assert main(words) == 0
    told = text_of(capsys)
    assert "3 of 3 runs of cagrad/toy are missing" in told
    assert "LS reaches the front from 0 of 3 starts, by the paper from 1" in told
    assert "steps: data.rows=3 here; 100,000 there" in told
    assert "(b) other settings: trainer.max_steps=3 here; trainer.max_steps=null in the preset" in told
    runs = find_runs(tmp_path / "outputs")
    assert [run.config["backbone"]["start"] for run in runs] == [[-8.5, 7.5], [-8.5, -5.0], [9.0, 9.0]]
    assert main(words) == 0
    assert "are missing" not in text_of(capsys)
    assert len(find_runs(tmp_path / "outputs")) == 3
    assert main([*words, "--list", "--seeds", "2"]) == 0
    told = text_of(capsys)
    assert "3 of 6 runs are missing" in told
    assert "mtlrun experiment=cagrad/toy balancer=equal data.rows=3" in told


def test_several_tables_are_one_sweep_and_what_they_have_in_common_is_trained_once(tmp_path, capsys):
    """At one length the plain sum is the same run in both papers."""
    words = ["reproduce", "nash_mtl/toy", "famo/toy", "--methods", "LS", *FEW, "trainer.epochs=1"]
    assert main([*words, "--list"]) == 0
    assert "5 of 10 runs are missing" in text_of(capsys)
    assert main(words) == 0
    told = text_of(capsys)
    assert "5 of 10 runs of nash_mtl/toy, famo/toy are missing" in told
    assert told.count("LS reaches the front from 0 of 5 starts, by the paper from 4") == 2
    runs = find_runs(tmp_path / "outputs")
    assert len(runs) == 5
    assert len({run.path.parent for run in runs}) == 1


def test_a_method_need_not_be_in_all_tables(capsys):
    words = ["reproduce", "cagrad/toy", "famo/toy", "--methods", "LS,FAMO", "--list", *FEW]
    assert main(words) == 0
    assert "13 of 13 runs are missing" in text_of(capsys)


def test_the_sweep_can_be_finished_by_rerun(tmp_path, capsys):
    """Its jobs are no product of lists: they are in its record."""
    assert main(["reproduce", "cagrad/toy", "--methods", "LS,CAGrad", *FEW]) == 0
    runs = find_runs(tmp_path / "outputs")
    assert len(runs) == 6
    assert main(["rerun", str(runs[0].path.parent), "--dry-run"]) == 0
    assert text_of(capsys).count(": finished") == 6


def test_what_was_stopped_goes_on_in_its_own_folder(tmp_path, capsys):
    """One was killed, one never started, one failed: the same command finishes the sweep, and begins no other."""
    words = ["reproduce", "cagrad/toy", "--methods", "LS,PCGrad", *FEW]
    assert main(words) == 0
    runs = find_runs(tmp_path / "outputs")
    killed, failed, unborn = runs[0].path, runs[1].path, runs[2].path
    ends = {run.path: run.info["end"] for run in runs}
    for folder, status in ((killed, "running"), (failed, "failed")):
        content = json.loads((folder / "run.json").read_text())
        (folder / "run.json").write_text(json.dumps({**content, "status": status, "end": None, "pid": 2**22 + 1}))
    shutil.rmtree(unborn)
    capsys.readouterr()
    assert main(words) == 0
    told = text_of(capsys)
    assert "3 of 6 runs of cagrad/toy are missing: training them" in told
    assert f"3 of them go on in {killed.parent.relative_to(tmp_path)}" in told
    after = {run.path: run.info["end"] for run in find_runs(tmp_path / "outputs")}
    assert after.keys() == ends.keys()
    assert {path for path, end in after.items() if end != ends[path]} == {killed, failed, unborn}


def test_what_goes_on_elsewhere_is_left_to_it(tmp_path, capsys):
    words = ["reproduce", "cagrad/toy", "--methods", "LS", *FEW]
    assert main(words) == 0
    first = find_runs(tmp_path / "outputs")[0].path
    content = json.loads((first / "run.json").read_text())
    (first / "run.json").write_text(json.dumps({**content, "status": "running"}))
    lock = FolderLock(first)
    assert lock.acquire()
    capsys.readouterr()
    assert main(words) == 0
    lock.release()
    told = text_of(capsys)
    assert f"1 of 3 runs are being trained already: {first.relative_to(tmp_path)}" in told
    assert "are missing" not in told


def test_a_setting_of_what_experiments_choose_serves_several_tables(tmp_path):
    """The scale is a setting of no task set but the toy's, which only the experiments choose."""
    words = ["reproduce", "cagrad/toy", "nash_mtl/toy", "--methods", "LS", *FEW, "task.tasks.first.scale=0.5"]
    assert main(words) == 0
    runs = find_runs(tmp_path / "outputs")
    assert len(runs) == 8
    assert {run.config["task"]["tasks"]["first"]["scale"] for run in runs} == {0.5}
    assert "backbone.start" in runs[0].name
    assert "scale" not in runs[0].name


def test_a_table_of_ones_own_has_its_experiment_in_a_folder_of_ones_own(tmp_path, capsys):
    shutil.copy(HOME / "cagrad" / "toy.yaml", "mine.yaml")
    (tmp_path / "own" / "experiment").mkdir(parents=True)
    shutil.copy(CONF / "experiment" / "cagrad" / "toy.yaml", tmp_path / "own" / "experiment" / "mine.yaml")
    words = ["reproduce", "mine.yaml", "--methods", "LS", *FEW]
    assert main(words) == 2
    assert "no experiment 'mine'" in capsys.readouterr().err
    assert main([*words, "--config-dir", "own"]) == 0
    assert "LS reaches the front from 0 of 3 starts" in text_of(capsys)
    assert main([*words, "-cd", "own"]) == 0
    assert "are missing" not in text_of(capsys)


def test_what_is_deleted_and_what_else_differs_is_told():
    request = wanted(published_table("cagrad/nyuv2"), ["LS"], 1, ["sharing=hard", "~sharing.attention"], quick=False)
    differs = [job.differs for job in jobs_of(request)]
    assert differs == [()]  # a point of the protocol tells of both
    words = ["trainer.max_steps=5", "optimizer.weight_decay=0.1", "sampler=uniform", "trainer.workers=3"]
    (job,) = jobs_of(wanted(published_table("cagrad/nyuv2"), ["LS"], 1, words, quick=False))
    here = "optimizer.weight_decay=0.1, sampler=uniform, trainer.max_steps=5 here"
    assert len(job.differs) == 1
    assert job.differs[0].startswith(f"other settings: {here}; optimizer.weight_decay=0")


def test_a_reduction_says_that_it_is_none(capsys):
    assert main(["reproduce", "nash_mtl/toy", "--quick", "--list", "--methods", "LS"]) == 0
    told = capsys.readouterr().out
    assert "NO REPRODUCTION, a reduction of it: 3,000 steps at twenty times the rate" in told
    assert "optimizer.lr=0.02" in told


def test_a_table_without_runs_shows_published_numbers_and_no_difference(capsys):
    assert main(["reproduce", "nash_mtl/qm9", "--list", "--methods", "LS", "--seeds", "1"]) == 0
    told = text_of(capsys)
    assert "No run yet: LS." in told
    assert "no difference is called one" in told
    assert "177.6 ±3.4" in told


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nash_mtl/qm"], "no published table 'nash_mtl/qm'; did you mean 'nash_mtl/qm9'"),
        (["nash_mtl/qm9", "--methods", "Nash"], "no method of nash_mtl/qm9 'Nash'"),
        (["ntkmtl/qm9", "--methods", "GO4Align"], "GO4Align of ntkmtl/qm9 is published and not offered here"),
        (["cagrad/toy", "--seeds", "0"], "argument --seeds: must be a whole number of at least 1, found 0"),
        (["cagrad/toy", "famo/toy", "--methods", "Nash"], "no method of cagrad/toy 'Nash'"),
        (["cagrad/toy", "famo/toy", "--methods", "FAMO"], "cagrad/toy has none of the methods FAMO"),
        (["cagrad/toy", "balancer.d=1"], "no setting 'd' in balancer"),
        (["nash_mtl/toy", "balancer=famo"], "balancer=famo: LS of nash_mtl/toy is trained with balancer=equal; leave"),
        (["cagrad/toy", "seed=5"], "seed=5: each run has a seed of its own, from 0 on: --seeds N says how many"),
        (["cagrad/toy", "backbone.start=[1,1]"], "backbone.start=[1,1]: each case of cagrad/toy sets it, leave it out"),
        (["cagrad/toy", "--runs", "typo"], "--runs typo: no such folder"),
        (["cagrad/toy", "--methods", ""], "argument --methods: must name at least one, found ''"),
        (["cagrad/toy", "~balancer.d"], "Could not delete from config. 'balancer.d' does not exist"),
        (["nash_mtl/nyuv2", "trainer.test_last=1"], "trainer.test_last=1: nash_mtl/nyuv2 quotes the mean of the last"),
        (["cagrad/toy", "experiment=cagrad/toi"], "no experiment 'cagrad/toi'; did you mean 'cagrad/toy'"),
    ],
)
def test_a_mistake_is_told_in_one_line(words, line, capsys):
    assert main(["reproduce", *words]) == 2
    assert line in capsys.readouterr().err


def test_what_takes_long_waits_for_a_yes(monkeypatch):
    monkeypatch.setattr(reproduce, "hours", lambda asked: [(10.0, "")])
    table = published_table("cagrad/toy")
    request = wanted(table, ["LS"], None, (), quick=False)
    jobs = [Missing(request, job) for job in jobs_of(request)]
    with pytest.raises(ConfigError, match=r"3 runs of cagrad/toy take about 10.0 h on this machine: add --yes"):
        reproduce._check_time(jobs, agreed=False)
    reproduce._check_time(jobs, agreed=True)


def test_data_that_are_not_there_are_told_before_anything_is_trained(monkeypatch, capsys):
    monkeypatch.setattr(timing, "_measure", lambda requests: [{"needs": "no folder of NYUv2"} for _ in requests])
    assert main(["reproduce", "nash_mtl/nyuv2", "--methods", "LS"]) == 2
    assert "no folder of NYUv2" in capsys.readouterr().err


def test_every_table_is_listed(monkeypatch, capsys):
    monkeypatch.setattr(timing, "_measure", lambda requests: [{"hours": 0.5} for _ in requests])
    assert main(["reproduce"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in ("cagrad/toy", "nash_mtl/qm9", "libmtl/nyuv2*", "libmtl/office31"):
        assert any(line.split()[:1] == [name] for line in lines)
    assert max(map(len, lines)) <= 80
    assert any(line.split() == ["cagrad/toy", "4", "12", "6.0", "h", "0"] for line in lines)


def test_what_tables_wait_for_is_told_once(monkeypatch, capsys):
    need = "no files in /data: expected a lot; get them"
    monkeypatch.setattr(timing, "_measure", lambda requests: [{"needs": need} for _ in requests])
    assert main(["reproduce"]) == 0
    out = capsys.readouterr().out
    assert out.count("no files in /data") == out.count("\n(a) no files in /data\n") == 1
    assert out.count("no data (a)") == len(table_names())
    assert max(map(len, out.splitlines())) <= 80


def test_a_table_of_points_without_runs_is_not_drawn(capsys):
    assert main(["reproduce", "nash_mtl/toy", "--list", "--methods", "LS"]) == 0
    out = capsys.readouterr().out
    assert "No run yet: LS." in out
    assert "ends at" not in out


def test_measurements_are_kept_and_needs_are_looked_at_again(monkeypatch):
    asked = []

    def measure(requests):
        asked.extend(requests)
        return [{"hours": 1.0} if "LS" in words else {"needs": "data"} for words in requests]

    monkeypatch.setattr(timing, "_measure", measure)
    for _ in range(2):
        assert timing.measured([["LS"], ["other"]]) == [{"hours": 1.0}, {"needs": "data"}]
    assert asked == [["LS"], ["other"], ["other"]]


def test_methods_that_take_a_pass_per_task_are_known():
    table = published_table("nash_mtl/qm9")
    passes = {method.name for method in table.trained if takes_passes(method)}
    assert passes == {"MGDA", "PCGrad", "CAGrad", "IMTL-G", "Nash-MTL"}


def test_what_moves_no_number_may_differ():
    settings = {"optimizer.lr": 0.1, "trainer.workers": 4, "data.root": "here"}
    assert same_experiment(settings, {"optimizer.lr": 0.1, "trainer.workers": 0})
    assert not same_experiment(settings, {"optimizer.lr": 0.2, "trainer.workers": 4})


@pytest.mark.parametrize(
    ("now", "same"),
    [
        ({"trainer.drop_last": False}, True),
        ({"trainer.drop_last": True}, False),
        ({"trainer.select": "geometric"}, True),
        ({"backbone.new": 1}, False),
    ],
)
def test_a_setting_that_came_later_had_its_default_before(now, same):
    before = {"optimizer.lr": 0.1}
    known, others = with_later_ones(before), with_later_ones({**before, **now})
    assert same_experiment(known, others) is same
    assert same_experiment(others, known) is same


def test_reduced_methods_and_seeds_are_those_of_the_table():
    table = published_table("famo/qm9")
    full, quick = (wanted(table, (), None, (), quick=reduced) for reduced in (False, True))
    assert (full.seeds, len(full.methods)) == (3, 12)
    assert [method.name for method in quick.methods] == ["STL", "LS", "SI", "UW", "Nash-MTL", "FAMO"]
    assert isinstance(quick, Wanted)
    assert quick.seeds == 1


def test_a_network_per_task_is_measured_by_itself(monkeypatch, capsys):
    def measure(requests):
        return [{"hours": 11.0 if "sharing=independent" in words else 1.0} for words in requests]

    monkeypatch.setattr(timing, "_measure", measure)
    assert main(["reproduce", "nash_mtl/qm9", "--methods", "STL,LS,UW", "--seeds", "1"]) == 2
    assert "About 13.0 h of training" in capsys.readouterr().out
