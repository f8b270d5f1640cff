"""Parts of a stranger's own, by --config-dir: a file beside the user, a YAML, the command."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from mtlrun.cli.main import main
from mtlrun.cli.templates import KINDS, example

QUICK = ["trainer.max_steps=3", "trainer.device=cpu", "diagnostics.plots=false", "diagnostics.pictures=0"]


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable]:
    """say(*words) -> what `mtlrun WORDS` does in tmp_path; afterwards the process is as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MTLRUN_CONF_DIR", raising=False)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before, root = {*sys.modules}, logging.getLogger()
    handlers, level, handler = root.handlers[:], root.level, signal.getsignal(signal.SIGTERM)

    def run(*words: str) -> Outcome:
        capsys.readouterr()
        return Outcome(main(words), *capsys.readouterr())

    yield run
    for name in [name for name in {*sys.modules} - before if "." not in name and _lies_in(tmp_path, name)]:
        del sys.modules[name]
    root.handlers[:], root.level = handlers, level
    signal.signal(signal.SIGTERM, handler)


def _lies_in(folder: Path, name: str) -> bool:
    return str(folder) in str(getattr(sys.modules[name], "__file__", ""))


@pytest.mark.parametrize("kind", KINDS)
def test_what_new_writes_keeps_its_promises_and_trains(kind: str, say: Callable) -> None:
    name = f"stranger_{kind}"
    written = say("new", kind, name)
    assert written.code == 0, written.err
    settings = [
        "--config-dir",
        "my_conf",
        *example(kind, f"other_{kind}").settings.replace("other_", "stranger_").split(),
    ]
    assert f"\n  mtlrun check {' '.join(settings)}\n" in written.out
    checked = say("check", *settings)
    assert checked.code == 0, checked.out + checked.err
    assert " 0 broken" in checked.out
    trained = say(*settings, *QUICK, "hydra.run.dir=run")
    assert trained.code == 0, trained.err
    assert Path("run", "summary.json").exists()


@pytest.mark.slow
def test_the_tests_that_new_writes_pass(say: Callable, tmp_path: Path) -> None:
    for kind in KINDS:
        assert say("new", kind, f"fresh_{kind}").code == 0
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    ran = subprocess.run(words, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout


WRONG = {
    "sharing": (
        "sharing=greedy balancer=pcgrad backbone=mlp backbone.hidden=[6,5]",
        """
from mtlrun.sharing.hard import Hard


class Greedy(Hard):
    def task_parameters(self, task):
        trunk = [*self.trunk.parameters()]
        return [*super().task_parameters(task), *(trunk[:2] if task == self.tasks[0] else [])]
""",
        "sharing Greedy breaks its promise 'every parameter is claimed for the tasks that it influences': "
        "'trunk.layer1.linear.weight' is claimed as the own of 'distance' and influences 'kind'",
    ),
    "sampler sum": (
        "sampler=greedy",
        """
from mtlrun.samplers.base import Sampler


class Greedy(Sampler):
    def probabilities(self, sizes, progress):
        return dict.fromkeys(sizes, 0.2)
""",
        "sampler Greedy breaks its promise 'its probabilities sum to 1': "
        "at step 0 they sum to 0.4 (distance 0.2, kind 0.2)",
    ),
    "sampler late": (
        "sampler=greedy trainer.max_steps=40",
        """
from mtlrun.samplers.base import Sampler


class Greedy(Sampler):
    def probabilities(self, sizes, progress):
        return dict.fromkeys(sizes, 0.5 if progress.step < 30 else 0.2)
""",
        "sampler Greedy breaks its promise 'its probabilities sum to 1': "
        "at step 30 they sum to 0.4 (distance 0.2, kind 0.2)",
    ),
    "sampler name": (
        "sampler=greedy",
        """
from mtlrun.samplers.base import Sampler


class Greedy(Sampler):
    def probabilities(self, sizes, progress):
        return {"distance": 0.5, "kynd": 0.5}
""",
        "sampler Greedy breaks its promise 'its probabilities are of the run's tasks': "
        "at step 0 'kynd' is none; did you mean 'kind'? (there are: distance, kind)",
    ),
    "balancer shape": (
        "balancer=greedy",
        """
import torch
from mtlrun.balancers.base import LossBalancer


class Greedy(LossBalancer):
    def weights(self, losses, tasks):
        return torch.ones(len(losses), 1)
""",
        "balancer Greedy breaks its promise 'one finite weight per task, or one update as long as the gradients': "
        "weights() returns shape [2, 1] for 2 tasks, not [2]",
    ),
    "backbone": (
        "backbone=greedy",
        """
from math import prod
from torch import nn
from mtlrun.backbones.base import Backbone
from mtlrun.types import Feature


class Greedy(Backbone):
    def __init__(self, input_shape, hidden=None):
        super().__init__({"one": nn.Linear(prod(input_shape), 6)}, [Feature("one", 7, None)], fixed_size=True)
""",
        "backbone Greedy breaks its promise 'each stage puts out what its feature says': "
        "stage 'one' gives 'distance' [4, 6], and its feature says 7 channels",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_trained_silently_is_refused_before_training(case: str, say: Callable, tmp_path: Path) -> None:
    settings, text, line = WRONG[case]
    group = case.split()[0]
    (tmp_path / "greedy.py").write_text(text)
    (tmp_path / "my_conf" / group).mkdir(parents=True)
    (tmp_path / "my_conf" / group / "greedy.yaml").write_text("# Not as it should be\n_target_: greedy.Greedy\n")
    told = say("--config-dir", "my_conf", "task=study_scales", *QUICK, *settings.split(), "hydra.run.dir=run")
    assert (told.code, told.err) == (2, f"mtlrun: error: {line}\n")
    assert not (tmp_path / "run" / "checkpoints" / "last.pt").exists()
    checked = say("check", "--config-dir", "my_conf", "task=study_scales", f"{group}=greedy")
    assert checked.code == 2
    assert "  broken   " in checked.out


def test_a_task_kind_and_a_source_that_break_their_promises(say: Callable, tmp_path: Path) -> None:
    (tmp_path / "greedy.py").write_text(
        "from mtlrun.data.source import Splits, TensorSource\n"
        "from mtlrun.tasks.regression import Regression\n"
        "import torch\n\n\n"
        "class Summed(Regression):\n"
        "    def default_loss(self, output, target):\n"
        "        return super().default_loss(output, target).sum()\n\n\n"
        "class Cut(TensorSource):\n"
        "    def fetch(self, rows):\n"
        "        return super().fetch(rows[:-1])\n\n\n"
        "def load(cut=False):\n"
        "    kinds = {'speed': {'_target_': 'greedy.Summed'}}\n"
        "    make = Cut if cut else TensorSource\n"
        "    sources = [make('rows', torch.randn(40, 5), {'speed': torch.randn(40)}) for _ in range(3)]\n"
        "    return Splits(*([source] for source in sources), 'numbers', kinds)\n"
    )
    (tmp_path / "my_conf" / "data").mkdir(parents=True)
    (tmp_path / "my_conf" / "data" / "greedy.yaml").write_text("# Mine\n_target_: greedy.load\ncut: false\n")
    words = ["--config-dir", "my_conf", "task=arrays", "data=greedy", *QUICK, "hydra.run.dir=run"]
    assert "task Summed 'speed' breaks its promise 'its loss is one number for each row" in say(*words).err
    told = say(*words[:-1], "data.cut=true", "hydra.run.dir=other").err
    assert told.startswith("mtlrun: error: source Cut 'rows' breaks its promise 'rows come with their inputs")
    assert "3 rows" in told or "for 4 rows" in told


def test_settings_of_the_engine_need_no_lines_in_the_yaml(say: Callable, tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text(
        "import torch\n"
        "from mtlrun.balancers.base import GramBalancer\n\n\n"
        "class Plain(GramBalancer):\n"
        "    def solve(self, gram, losses, tasks):\n"
        "        return torch.ones_like(losses)\n"
    )
    (tmp_path / "my_conf" / "balancer").mkdir(parents=True)
    (tmp_path / "my_conf" / "balancer" / "plain.yaml").write_text("# Plain\n_target_: plain.Plain\n")
    words = ["--config-dir", "my_conf", "task=study_scales", "balancer=plain", *QUICK, "hydra.run.dir=run"]
    assert say(*words, "balancer.every=two").err == (
        "mtlrun: error: balancer.every=two: must be a whole number, like the default 1\n"
    )
    assert "no setting 'evry' in balancer" in say(*words, "balancer.evry=2").err
    trained = say(*words, "balancer.every=2", "balancer.rescale=sum")
    assert trained.code == 0, trained.err


@pytest.mark.parametrize("group", ["task", "experiment"])
@pytest.mark.parametrize(
    "text", ["defaults:\n  - override /data: toy\n", "{group}:\n  name: mine\n", "task:\n  name: x\n"]
)
def test_a_missing_package_line_is_told(group: str, text: str, say: Callable, tmp_path: Path) -> None:
    (tmp_path / "my_conf" / group).mkdir(parents=True)
    (tmp_path / "my_conf" / group / "mine.yaml").write_text("# Mine\n" + text.format(group=group))
    line = (
        f"{group}/mine.yaml: its first line must be '# @package _global_': without it, all that it sets lies in {group}"
    )
    assert say("--config-dir", "my_conf", f"{group}=mine") == (2, "", f"mtlrun: error: {line}\n")
