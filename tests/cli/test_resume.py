"""`mtlrun resume` and `mtlrun eval`."""

# ruff: noqa: E501 (a mistake and its line stand side by side)

import json
import sys
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from mtlrun.config.whereabouts import find_files
from mtlrun.errors import ResumeError
from mtlrun.runs.folder import RunFolder


def set_status(folder: Path, status: str) -> None:
    content = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**content, "status": status}))


@pytest.fixture
def stopped(run_folder: Path) -> Path:
    set_status(run_folder, "interrupted")
    return run_folder


def test_a_stopped_run_goes_on_in_its_folder(stopped, command, training):
    (stopped / "run.log").write_text("before\n")
    outcome = command("resume", str(stopped))
    config, path, resume = training.calls[-1]
    assert (outcome.code, config.balancer.alpha, path, resume) == (0, 1.5, stopped, True)
    assert outcome.out.splitlines()[-1] == str(stopped)
    content = json.loads((stopped / "run.json").read_text())
    assert content["status"] == "finished"
    assert [entry["step"] for entry in content["resumed"]] == [0]
    log = (stopped / "run.log").read_text()
    assert log.startswith("before\n")
    assert "INFO mtlrun.training: training" in log


def test_a_killed_run_goes_on(run_folder, command):
    set_status(run_folder, "running")  # what kill -9 leaves behind
    assert command("resume", str(run_folder)).code == 0


def test_changes_are_checked_kept_and_built_upon(stopped, command, training):
    before = OmegaConf.load(stopped / ".hydra/config.yaml")
    assert command("resume", str(stopped), "balancer.alpha=2", "trainer.epochs=50").code == 0
    assert command("resume", str(stopped), "trainer.epochs=60", "+optimizer.head_lr.left=0.1").code == 0
    assert command("resume", str(stopped), "trainer.epochs=70").code == 0
    config = training.calls[-1][0]
    assert (config.balancer.alpha, config.trainer.epochs, config.optimizer.head_lr.left) == (2, 70, 0.1)
    assert len(list((stopped / ".hydra").glob("resume-*.yaml"))) == 3
    assert OmegaConf.load(stopped / ".hydra/config.yaml") == before


def test_a_finished_run_needs_more_epochs(run_folder, command):
    outcome = command("resume", str(run_folder))
    assert outcome.err == "mtlrun: error: runs/first is finished: to train on, raise trainer.epochs (now 10)\n"
    assert command("resume", str(run_folder), "trainer.epochs=9").code == 2
    assert command("resume", str(run_folder), "trainer.epochs=11").code == 0


def test_a_running_run_is_left_alone(run_folder, command):
    folder = RunFolder(run_folder)
    folder.start(["mtlrun"], 0)
    outcome = command("resume", str(run_folder))
    folder.finish("interrupted")
    assert outcome.code == 2
    assert outcome.err == "mtlrun: error: runs/first is still running: wait for it to end, or stop it first\n"


def test_changes_that_nothing_was_trained_with_are_not_kept(stopped, command, training):
    def refuse(config):
        raise ResumeError("another network")

    training.behave, before = refuse, json.loads((stopped / "run.json").read_text())
    outcome = command("resume", str(stopped), "trainer.epochs=50")
    assert (outcome.code, outcome.err) == (2, "mtlrun: error: another network\n")
    assert json.loads((stopped / "run.json").read_text()) == before
    assert not list((stopped / ".hydra").glob("resume-*.yaml"))


def test_a_refused_resume_of_a_killed_run_leaves_it_interrupted(run_folder, command, training):
    def refuse(config):
        raise ResumeError("another network")

    set_status(run_folder, "running")  # what kill -9 leaves behind
    training.behave = refuse
    assert command("resume", str(run_folder)).code == 2
    assert json.loads((run_folder / "run.json").read_text())["status"] == "interrupted"


def test_a_resume_that_trained_has_failed_also_before_a_checkpoint(stopped, command, training):
    def train_and_refuse(config):
        RunFolder(stopped).note("cpu")
        raise ResumeError("a sampler that sums to 2")

    training.behave = train_and_refuse
    assert command("resume", str(stopped)).code == 2
    assert json.loads((stopped / "run.json").read_text())["status"] == "failed"


def test_a_refused_resume_after_a_checkpoint_has_failed(stopped, command, training):
    def train_and_refuse(config):
        (stopped / "checkpoints").mkdir(exist_ok=True)
        (stopped / "checkpoints/last.pt").touch()
        raise ResumeError("another network")

    training.behave = train_and_refuse
    assert command("resume", str(stopped), "trainer.epochs=50").code == 2
    assert json.loads((stopped / "run.json").read_text())["status"] == "failed"
    assert len(list((stopped / ".hydra").glob("resume-*.yaml"))) == 1


def test_a_failing_resume(stopped, command, training):
    training.behave = lambda config: {}["x"]
    outcome = command("resume", str(stopped))
    assert (outcome.code, outcome.err) == (1, "mtlrun: error: KeyError: 'x' (details: runs/first/run.log)\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "name the run to continue: mtlrun resume RUN [key=value ...]"),
        ("runs/frist", "no folder 'runs/frist'; did you mean 'first'?"),
        ("nowhere/at/all", "no folder 'nowhere/at/all'"),
        ("runs", "'runs' is no run: it has no .hydra/config.yaml; name one of the 1 below it, such as runs/first"),
        ("runs/first balancer=pcgrad", "balancer=pcgrad: a resumed run keeps its balancer; start a new run to change it"),
        ("runs/first seed=1", "seed=1: a resumed run keeps its seed; start a new run to change it"),
        ("runs/first tasks=[left]", "tasks=[left]: a resumed run keeps its tasks; start a new run to change it"),
        ("runs/first trainer.epohcs=9", "no setting 'epohcs' in trainer; did you mean 'epochs'?"),
        ("runs/first trainer.epochs=many", "trainer.epochs=many: must be a whole number"),
        ("runs/first trainer.epochs=0", "trainer.epochs=0: must be 1 or more"),
        ("runs/first trainer.epochs=1,2", "cannot resume with 'trainer.epochs=1,2': write key=value with one value"),
        ("runs/first balancer.alpha=big", "balancer.alpha=big: must be a number, like the default 1.5"),
        ("runs/first +balancer.alhpa=1", "no setting 'alhpa' in balancer; did you mean 'alpha'?"),
        ("runs/first trainr.epochs=1", "no setting 'trainr'; did you mean 'trainer'?"),
        ("runs/first quickly", "cannot read 'quickly': settings are key=value, special characters quoted"),
    ],
)  # fmt: skip
def test_mistakes(words, line, stopped, command, training):
    before = len(training.calls)
    outcome = command("resume", *words.split())
    assert (outcome.code, outcome.err) == (2, f"mtlrun: error: {line}\n")
    assert len(training.calls) == before
    assert not list((stopped / ".hydra").glob("resume-*.yaml"))


def test_a_job_of_a_sweep(command, training):
    assert command("-m", "seed=5", "hydra.sweep.dir=sweep").code == 0
    set_status(Path("sweep/0"), "interrupted")
    assert command("resume", "sweep/0").code == 0
    assert training.calls[-1][0].seed == 5


@pytest.mark.parametrize("words", [("data.path=mine.npz",), ("data.path=below/mine.npz", "data.val_path=mine.npz")])
@pytest.mark.parametrize("verb", ["resume", "eval"])
def test_a_run_goes_on_from_any_folder(verb, words, command, training, tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    for file in ("mine.npz", "below/mine.npz"):
        (tmp_path / file).touch()
    assert command("task=arrays", *words, "hydra.run.dir=first").code == 0
    set_status(tmp_path / "first", "interrupted")
    (tmp_path / "first/checkpoints").mkdir()
    (tmp_path / "first/checkpoints/best.pt").touch()
    monkeypatch.chdir(tmp_path / "below")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(tmp_path)])
    assert command(verb, "../first").code == 0
    data = training.calls[-1][0].data
    for word in words:
        key, _, value = word.partition("=")
        assert data[key.removeprefix("data.")] == str(tmp_path / value)
    assert data.standardise is True
    assert str(tmp_path) in sys.path


def test_names_of_folders_without_a_slash_are_those_of_the_first_run(run_folder, command, training, monkeypatch):
    """A tokenizer and corpora that are there, a cache that is not yet, and words that name no file."""
    config = OmegaConf.load(run_folder / ".hydra/config.yaml")
    names = {"ner": "conll", "tokenizer": "bert", "splits": "lists", "cache": "kept", "digits": "mnist"}
    start = Path.cwd()
    for name in ("conll", "bert", "lists", "mnist"):
        (start / name).mkdir()
    (start / "below").mkdir()
    monkeypatch.chdir(start / "below")
    config.data = {"_target_": "mtlrun.data.sets.text_files.load", "masks": "outline", "path": "data.npz", **names}
    find_files(config, start)
    placed = {name: str(start / names[name]) for name in ("ner", "tokenizer", "splits", "cache")}
    assert {**names, "masks": "outline", "path": "data.npz", **placed} == {
        key: value for key, value in config.data.items() if key != "_target_"
    }


@pytest.mark.parametrize("here", [True, False])
def test_a_file_that_is_missing_is_named_with_the_folder_of_the_first_run(here, command, tmp_path, monkeypatch):
    (tmp_path / "below").mkdir()
    (tmp_path / "mine.npz").touch()
    assert command("task=arrays", "data.path=mine.npz", "hydra.run.dir=first").code == 0
    set_status(tmp_path / "first", "interrupted")
    (tmp_path / "mine.npz").rename(tmp_path / "below/mine.npz" if here else tmp_path / "zzzz")
    monkeypatch.chdir(tmp_path / "below")
    outcome = command("resume", "../first")
    if here:
        assert outcome.code == 0
    else:
        line = f"mtlrun: error: data.path={tmp_path}/mine.npz: no such file or folder\n"
        assert (outcome.code, outcome.err) == (2, line)


def test_eval_prints_a_table(run_folder, command):
    (run_folder / "checkpoints").mkdir()
    (run_folder / "checkpoints/last.pt").touch()
    outcome = command("eval", str(run_folder), "checkpoint=last", "split=val")
    assert outcome.code == 0
    for word in ("left", "last", "0.1250", "val", "0.5000"):
        assert word in outcome.out


def test_eval_of_a_sweep_as_json(command, training):
    assert command("-m", "seed=0,1,2", "hydra.sweep.dir=sweep").code == 0
    for name in ("0_seed-0", "1_seed-1"):
        (Path("sweep") / name / "checkpoints").mkdir()
        (Path("sweep") / name / "checkpoints/best.pt").touch()
    outcome = command("eval", "sweep", "--json", "split=val")
    assert [json.loads(outcome.out)[place]["run"] for place in (0, 1)] == ["sweep/0_seed-0", "sweep/1_seed-1"]
    assert json.loads(outcome.out)[0]["tasks"] == {"left": {"best": 0.125, "val": 0.5}}
    assert outcome.code == 1  # one is missing
    assert outcome.err == "mtlrun: error: sweep/2_seed-2/checkpoints/best.pt does not exist: left out\n"
    outcome = command("eval", "sweep")
    assert "0_seed-0: test, best checkpoint" in outcome.out
    assert "1_seed-1: test, best checkpoint" in outcome.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("", "name the run to evaluate: mtlrun eval RUN [checkpoint=best|last] [split=test|val]"),
        ("runs/first", "runs/first/checkpoints/best.pt does not exist: the run has saved no such checkpoint yet"),
        ("runs/first split=tset", "no split 'tset'; did you mean 'test'? (there are: test, val)"),
        ("runs/first chekpoint=last", "no option 'chekpoint'; did you mean 'checkpoint'? (there are: checkpoint, split, allow_other_data)"),
        ("runs/first best", "cannot read 'best': an option is written key=value"),
    ],
)  # fmt: skip
def test_eval_mistakes(words, line, run_folder, command):
    outcome = command("eval", *words.split())
    assert (outcome.code, outcome.err) == (2, f"mtlrun: error: {line}\n")
