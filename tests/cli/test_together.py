"""Commands in processes that torchrun has started: one writes and speaks."""

from pathlib import Path

import pytest

from mtlrun.cli import terminal
from mtlrun.cli.main import main
from mtlrun.errors import ConfigError, ProcessLost
from mtlrun.runs.folder import RunFolder


@pytest.fixture
def started(monkeypatch):
    """started(rank): as if torchrun had started this process as one of two."""

    def start(rank):
        names = {"WORLD_SIZE": 2, "RANK": rank, "LOCAL_RANK": rank, "LOCAL_WORLD_SIZE": 2}
        for name, value in {**names, "MASTER_ADDR": "localhost", "MASTER_PORT": 1}.items():
            monkeypatch.setenv(name, str(value))

    monkeypatch.setattr(terminal, "_SPEAK_SECONDS", 0.0)
    return start


@pytest.fixture
def second(started, monkeypatch):
    """This process is the second one, and has been told the folder that the first one has claimed."""
    started(1)
    monkeypatch.setattr("mtlrun.cli.run.claimed", lambda claim, config: RunFolder("theirs", writes=False))
    monkeypatch.setattr("mtlrun.cli.run.goes_on", lambda folder, config: False)


MISTAKES = {
    "-m seed=0,1": "torchrun cannot start a sweep: leave it out, and set trainer.devices for several processes in "
    "each job",
    "list": "mtlrun list takes one process: start it without torchrun",
    "eval runs/first": "mtlrun eval takes one process: start it without torchrun",
    "trainer.devices=2": "trainer.devices=2: torchrun has started 2 processes already, leave it out",
    "balancer=gradnrom": "no balancer 'gradnrom'; did you mean 'gradnorm'?",
}


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_told_by_the_first(words, rank, command, started, training):
    started(rank)
    outcome = command(*words.split())
    assert outcome.code == 2
    assert outcome.err == (f"mtlrun: error: {MISTAKES[words]}\n" if rank == 0 else "")
    assert not training.calls
    assert not [*Path().iterdir()]


def test_the_second_writes_and_says_nothing(command, second, training):
    outcome = command("task=multidigits", "hydra.run.dir=mine")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert training.calls[0][1] == Path("theirs")
    assert not [*Path().iterdir()]


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigError("as all see it"), 2), (ProcessLost("as all see it"), 1), (ValueError("own"), 1)]
)
def test_the_second_tells_only_of_errors_of_its_own(error, code, command, second, training):
    training.behave = lambda config: (_ for _ in ()).throw(error)
    outcome = command()
    assert outcome.code == code
    assert ("ValueError: own" in outcome.err) is (type(error) is ValueError)
    assert "as all see it" not in outcome.err
    assert not [*Path().iterdir()]


def test_a_process_alone_is_not_changed_by_torchrun(command, monkeypatch, training):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert main(["task=multidigits"]) == 0
    assert len(list(Path("outputs").glob("*/*/run.json"))) == 1
