"""Whether a folder's run is the one that this command began before a launcher started it once more."""

import pytest

from mtlrun.runs.folder import RunFolder
from mtlrun.runs.restarts import goes_on

VARIABLES = ("SLURM_JOB_ID", "SLURM_RESTART_COUNT", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT")
JOB, AGENT = {"SLURM_JOB_ID": "7"}, {"TORCHELASTIC_RUN_ID": "none", "TORCHELASTIC_RESTART_COUNT": "0"}
REQUEUED, AGAIN = {"SLURM_RESTART_COUNT": "1"}, {"TORCHELASTIC_RESTART_COUNT": "2"}


@pytest.fixture
def started(tmp_path, monkeypatch):
    """started(variables, parent) sets what launchers have told a process of that parent; gives the run's folder."""

    def start(variables, parent=100):
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("os.getppid", lambda: parent)
        return tmp_path / "run"

    return start


@pytest.mark.parametrize(
    ("before", "after", "parents", "expected"),
    [
        (JOB, JOB | REQUEUED, (100, 200), True),
        (JOB, JOB, (100, 200), False),
        (JOB, JOB | {"SLURM_RESTART_COUNT": "0"}, (100, 200), False),
        (JOB, {"SLURM_JOB_ID": "8"} | REQUEUED, (100, 200), False),
        ({}, JOB | REQUEUED, (100, 200), False),
        ({}, REQUEUED, (100, 200), False),  # no job is named: nothing is known to be the same
        (AGENT, AGENT | AGAIN, (100, 100), True),
        (AGENT, AGENT | AGAIN, (100, 200), False),  # another torchrun, whose first start was refused
        (JOB | AGENT, JOB | AGENT | REQUEUED, (100, 200), True),
        (JOB | AGENT, JOB | AGENT | AGAIN, (100, 200), False),
        (JOB | AGENT, JOB | AGENT | AGAIN, (100, 100), True),
    ],
)
def test_the_run_of_the_same_launch(before, after, parents, expected, started):
    folder = started(before, parents[0])
    assert not goes_on(folder)
    run = RunFolder(folder)
    run.start(["mtlrun"], seed=0)
    run.finish("interrupted")
    assert goes_on(started(after, parents[1])) == expected
