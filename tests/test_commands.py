"""Commands to paste: a shell gives back the words, and Hydra the settings in them."""

import shlex
import subprocess

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mtlrun.commands import command_line, setting_group, setting_key
from mtlrun.config.words import quoted_text

NASTY = [
    "plain",
    "customer value (€)",
    "it's",
    'say "no"',
    "a,b",
    "[x]",
    "{y: 1}",
    "$HOME `ls` $(ls) !!",
    "back\\slash\\",
    "\\'",
    "*?#&|;<>~",
    "Größe=1: 日本",
    " ends ",
    "",
]
UNPRINTABLE = ["line\nend", "tab\tand 'quote'\\", "\x1b]0;title\x07", "right\u202eto left", "\U000e0001"]


@pytest.mark.parametrize("name", NASTY)
def test_a_setting_survives_the_shell_and_hydra(name):
    words = [f"data.path={quoted_text(name)}", f"data.targets=[churn,{quoted_text(name)}]"]
    line = command_line("mtlrun", "-m", *words)
    assert shlex.split(line) == ["mtlrun", "-m", *words]
    path, targets = OverridesParser.create().parse_overrides(shlex.split(line)[2:])
    assert (path.value(), targets.value()) == (name, ["churn", name])
    assert line.isprintable()


def test_bash_reads_every_name():
    names = [*NASTY, *UNPRINTABLE]
    line = command_line("printf", "%s\\0", *names)
    assert line.isprintable()
    found = subprocess.run(["bash", "-c", line], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}).stdout
    assert found.decode().split("\0")[:-1] == names


@pytest.mark.parametrize(
    ("word", "key", "group"),
    [
        ("+backbone.width=a=b", "backbone.width", "backbone"),
        ("~logger", "logger", "logger"),
        ("hydra/launcher=joblib", "hydra/launcher", "hydra/launcher"),
    ],
)
def test_a_setting_has_a_key_and_a_group(word, key, group):
    assert (setting_key(word), setting_group(word)) == (key, group)
