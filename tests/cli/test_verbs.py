"""Help, list, version, completion: instant, and without torch."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mtlrun.cli import eval as eval_
from mtlrun.cli import report, rerun
from mtlrun.cli.groups import groups, shipped_groups, unlisted_groups
from mtlrun.cli.templates import KINDS
from mtlrun.cli.verbs import VERBS
from mtlrun.config.promises import GROUPS
from mtlrun.paths import CONF

ROOT = Path(__file__).parents[2]
SELECTABLE = ["task", "data", "backbone", "sharing", "sampler", "balancer", "optimizer", "scheduler"]


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["balancer=foo", "--help"]])
def test_help_names_groups_verbs_and_examples(words, command):
    outcome = command(*words)
    assert outcome.code == 0
    for word in [*VERBS, *SELECTABLE, "uncertainty", "mtlrun task=driving balancer=uncertainty"]:
        assert word in outcome.out


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb, command):
    page = command("help", verb).out
    assert page == command(verb, "--help").out
    assert page.startswith(f"mtlrun {verb}: {VERBS[verb].partition(': mtlrun')[0]}\n  mtlrun ")


@pytest.mark.parametrize(
    ("verb", "options"),
    [
        ("report", [f"--{name}" for name in report._OPTIONS]),
        ("rerun", [*filter(None, rerun._CHOSEN), "--dry-run"]),
        ("eval", [*eval_._OPTIONS, "--json"]),
        ("check", list(GROUPS)),
        ("advise", ["--budget", "--seeds", "--yes", "--to", "--config-dir"]),
        ("new", [*KINDS, "--to"]),
        ("list", list(unlisted_groups())),
    ],
)
def test_help_of_a_verb_names_all_that_it_takes(verb, options, command):
    page = command("help", verb).out
    assert not [option for option in options if not re.search(rf"(?<![\w-]){option}\b", page)]


def test_help_of_an_unknown_verb_names_the_nearest(command):
    outcome = command("help", "reprot")
    assert outcome.code == 2
    assert outcome.err.startswith("mtlrun: error: no command 'reprot'; did you mean 'report'?")


@pytest.mark.parametrize("verb", ["report", "watch"])
def test_a_verb_that_needs_a_path_says_what_it_takes(verb, command):
    outcome = command(verb)
    assert (outcome.code, outcome.out) == (2, command("help", verb).out)


def test_version(command):
    assert command("--version").out.startswith("mtlrun ")


def test_groups_are_those_of_the_defaults_list():
    assert shipped_groups()[:8] == SELECTABLE
    assert "mtl_schema" not in shipped_groups()
    assert "gradients" not in groups()


@pytest.mark.parametrize("group", shipped_groups())
def test_every_option_says_what_it_is(group):
    assert all(comment and "@package" not in comment for comment in groups()[group].values())


def test_list_of_one_group(command):
    out = command("list", "balancer").out
    assert out.startswith("balancer\n  ")
    assert "arXiv:1803.10704" in next(line for line in out.splitlines() if line.startswith("  dwa "))
    assert "sampler" not in command("list", "balancer").out.split()


@pytest.mark.parametrize("option", groups()["balancer"])
def test_list_of_a_balancer_shows_the_settings_of_its_engine_too(option, command):
    text = (CONF / f"balancer/{option}.yaml").read_text()
    beside = re.search(r"/gradients@_here_: (\w+)", text)
    out = command("list", "balancer", option).out
    assert out.startswith(text)
    assert ("as balancer.KEY, the settings of mtlrun list gradients" in out) is (beside is not None)
    assert out.endswith(command("list", "gradients", beside.group(1)).out if beside else text)


def test_parts_of_other_options_are_listed_when_asked_for(command):
    assert "  jacobian " in command("list", "gradients").out
    assert "  joblib " in command("list", "hydra/launcher").out
    assert not {"gradients", "hydra/launcher"} & {*command("list").out.splitlines()}


@pytest.mark.parametrize("how", ["flag", "environment"])
def test_list_shows_users_own_options(how, command, tmp_path, monkeypatch):
    (tmp_path / "mine/balancer").mkdir(parents=True)
    (tmp_path / "mine/balancer/own.yaml").write_text("# @package _global_\n# My own way\n_target_: a.B\n")
    if how == "environment":
        monkeypatch.setenv("MTLRUN_CONF_DIR", "mine")
    out = command("list", "balancer", *(["--config-dir=mine"] if how == "flag" else [])).out
    assert re.search(r"^  own +My own way$", out, re.MULTILINE)
    assert "  pcgrad " in out


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mtlrun re", "resume"),
        ("mtlrun balancer=pc", "balancer=pcgrad"),
        ("mtlrun trainer.ep", "trainer.epochs="),
    ],
)
def test_completion(line, expected, command, monkeypatch):
    monkeypatch.setenv("COMP_LINE", line)
    assert expected in command("-sc", "query=bash").out.split()


def test_completion_leaves_folders_of_a_verb_to_the_shell(command, monkeypatch):
    monkeypatch.setenv("COMP_LINE", "mtlrun resume out")
    assert command("-sc", "query=bash").out == ""


@pytest.mark.parametrize("words", [["--help"], ["list"], ["--version"], ["--cfg", "job"], ["list", "nothing"]])
def test_torch_is_not_imported(words, tmp_path):
    code = "import sys; from mtlrun.cli.main import main; main(); sys.exit('torch' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr


def test_python_dash_m(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "mtlrun", "balancer=gradnrom"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == "mtlrun: error: no balancer 'gradnrom'; did you mean 'gradnorm'?\n"
