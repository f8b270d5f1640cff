"""A run that is stopped anywhere and resumed leaves what an undisturbed run leaves."""

import json
import os
import shutil
import signal

import pytest
import torch
from omegaconf import OmegaConf
from sampling import remembering, sampled

from mtlrun.balancers import load
from mtlrun.errors import FolderLost, Interrupted, ResumeError
from mtlrun.experiment.train import train as go_on
from mtlrun.paths import CONF
from mtlrun.runs.folder import RunFolder
from mtlrun.training import trainer as trainer_module

BALANCERS = sorted(path.stem for path in (CONF / "balancer").glob("*.yaml"))
SAMPLERS = sorted(path.stem for path in (CONF / "sampler").glob("*.yaml"))
TABLES = ("metrics.csv", "tasks.csv", "cosines.csv")
DROPOUT = "backbone.dropout=0.2"  # random draws of the network's own must continue, too


def content(folder):
    summary = json.loads((folder / "summary.json").read_text())
    for varying in ("wall_seconds", "rows_per_second", "peak_memory_bytes"):
        summary.pop(varying)
    model = torch.load(folder / "checkpoints" / "last.pt", weights_only=True)["model"]
    return [(folder / name).read_text() for name in TABLES], summary, model


def assert_same(one, other):
    (tables, summary, model), (tables_2, summary_2, model_2) = content(one), content(other)
    assert tables == tables_2
    assert summary == summary_2
    assert all(torch.equal(model[name], model_2[name]) for name in model)


def signal_at(step, monkeypatch, number=signal.SIGTERM):
    """Send ourselves a signal in the middle of the given step, once."""
    taken = {"steps": 0}
    original = trainer_module.train_step

    def train_step(*arguments, **options):
        taken["steps"] += 1
        if taken["steps"] == step:
            os.kill(os.getpid(), number)
        return original(*arguments, **options)

    monkeypatch.setattr(trainer_module, "train_step", train_step)


def interrupted(train, monkeypatch, step, *settings, folder="stopped"):
    with monkeypatch.context() as patch:
        signal_at(step, patch)
        with pytest.raises(Interrupted) as stop:
            train(*settings, folder=folder)
    assert stop.value.code == 143


def resume(folder):
    go_on(OmegaConf.load(folder / ".hydra" / "config.yaml"), RunFolder(folder), resume=True)


@pytest.fixture(scope="module")
def _at_ten(tmp_path_factory, short_run):
    """A run with the settings of the table's alone, stopped in its tenth step."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with pytest.MonkeyPatch.context() as patch:
        interrupted(lambda folder: short_run(folder), patch, 10, folder=folder)
    return folder


@pytest.fixture
def stopped(_at_ten, tmp_path):
    """A copy of that run's folder."""
    return shutil.copytree(_at_ten, tmp_path / "stopped")


@pytest.mark.parametrize("balancer", sampled(BALANCERS, remembering(BALANCERS)))
def test_every_balancer(train, tmp_path, monkeypatch, balancer):
    settings = (f"balancer={balancer}", DROPOUT, "diagnostics.every=2")
    train(*settings)
    fewer = load(balancer).batches > 1  # several batches a step: the run has a third of the steps
    interrupted(train, monkeypatch, 5 if fewer else 11, *settings)
    resume(tmp_path / "stopped")
    assert_same(tmp_path / "run", tmp_path / "stopped")


@pytest.mark.parametrize("sampler", sampled(SAMPLERS, ["curriculum", "examples", "proportional"]))
def test_every_sampler(train, tmp_path, monkeypatch, sampler):
    train(f"sampler={sampler}")
    interrupted(train, monkeypatch, 10, f"sampler={sampler}")
    resume(tmp_path / "stopped")
    assert_same(tmp_path / "run", tmp_path / "stopped")


@pytest.mark.parametrize("step", sampled([1, 7, 8, 20], [7, 20]))
def test_any_step(train, undisturbed, tmp_path, monkeypatch, step):
    """First step, last and first of an epoch, and late: 7 steps an epoch, 21 in all; lines count the rows of four."""
    settings = ("scheduler=cosine", "balancer=gradnorm", "balancer.every=3", "trainer.log_every=4")
    interrupted(train, monkeypatch, step, *settings)
    resume(tmp_path / "stopped")
    assert_same(undisturbed(*settings).folder, tmp_path / "stopped")


@pytest.mark.parametrize("step", sampled([6, 8], [8]))
def test_epochs_that_leave_rows_out(train, undisturbed, tmp_path, monkeypatch, step):
    """At the end of an epoch, and within one: six steps an epoch."""
    interrupted(train, monkeypatch, step, "trainer.drop_last=true")
    resume(tmp_path / "stopped")
    assert_same(undisturbed("trainer.drop_last=true").folder, tmp_path / "stopped")


@pytest.mark.parametrize("step", sampled([12, 18], [18]))
def test_scores_of_the_last_epochs(train, undisturbed, tmp_path, monkeypatch, step):
    """Before and after the first of the two epochs whose test scores are averaged has been tested."""
    interrupted(train, monkeypatch, step, "trainer.test_last=2")
    resume(tmp_path / "stopped")
    assert_same(undisturbed("trainer.test_last=2").folder, tmp_path / "stopped")


def test_what_was_written_after_the_checkpoint_is_rolled_back(stopped, undisturbed):
    """As after kill -9: the tables are ahead of last.pt, and their last line is torn."""
    for name in TABLES:
        with (stopped / name).open("a") as file:
            file.write("99,shape,1.0\n5,len")
    resume(stopped)
    assert_same(undisturbed().folder, stopped)


def test_without_a_checkpoint_it_starts_over(stopped, undisturbed):
    (stopped / "checkpoints" / "last.pt").unlink()
    resume(stopped)
    assert_same(undisturbed().folder, stopped)


def test_the_same_seed_gives_the_same_tables_and_another_seed_does_not(train, undisturbed, tmp_path):
    train(DROPOUT, folder="one")
    train(DROPOUT, "seed=1", folder="three")
    assert_same(tmp_path / "one", undisturbed(DROPOUT).folder)
    assert (tmp_path / "one" / "metrics.csv").read_text() != (tmp_path / "three" / "metrics.csv").read_text()


def test_a_damaged_checkpoint_is_one_line(stopped):
    (stopped / "checkpoints" / "last.pt").write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(ValueError, match=r"last\.pt is damaged or not a checkpoint of mtlrun"):
        resume(stopped)


def test_a_checkpoint_beyond_the_end(stopped):
    path = stopped / "checkpoints" / "last.pt"
    torch.save(torch.load(path) | {"step": 10**9}, path)
    with pytest.raises(ResumeError, match="is at step 1000000000, beyond the 21 steps of this run"):
        resume(stopped)


def test_lost_lines_are_told_of(stopped, caplog):
    whole = (stopped / "metrics.csv").read_bytes()
    for name, content in (("tasks.csv", b""), ("metrics.csv", b"epoch,step,split,task,metric,value\n")):
        (stopped / name).write_bytes(content)
    (stopped / "cosines.csv").unlink()
    resume(stopped)
    told = [record.getMessage() for record in caplog.records if "lost lines" in record.getMessage()]
    assert [any(name in line for line in told) for name in TABLES] == [True, True, True]
    assert (stopped / "metrics.csv").read_bytes().startswith(whole)


def test_a_vanished_folder_stays_away(train, tmp_path, monkeypatch):
    original = trainer_module.train_step

    def train_step(*arguments, **options):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return original(*arguments, **options)

    monkeypatch.setattr(trainer_module, "train_step", train_step)
    with pytest.raises(FolderLost, match="has vanished"):
        train()
    assert not (tmp_path / "run").exists()


def test_a_best_network_that_was_not_written_any_more_is_written(train, tmp_path, monkeypatch):
    """As after kill -9 between last.pt and best.pt."""
    write = trainer_module.Trainer._write

    def killed(self, name, state):
        if name == "best" and self.position.step == 21:
            raise SystemExit(143)
        write(self, name, state)

    train("trainer.select=last")
    with monkeypatch.context() as patch:
        patch.setattr(trainer_module.Trainer, "_write", killed)
        with pytest.raises(SystemExit):
            train("trainer.select=last", folder="stopped")
    best = tmp_path / "stopped" / "checkpoints" / "best.pt"
    assert torch.load(best, weights_only=True)["step"] == 14
    resume(tmp_path / "stopped")
    assert torch.load(best, weights_only=True)["step"] == 21
    assert_same(tmp_path / "run", tmp_path / "stopped")
