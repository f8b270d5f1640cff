"""A word that is no flag, or no setting, of a verb is told, and never taken for a file."""

import pytest

from mtlrun.cli.usages import flags_of
from mtlrun.cli.verbs import VERBS


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("word", ["--nonesuch", "--nonesuch=3", "-q"])
def test_no_verb_takes_an_unknown_flag(verb, word, command, training):
    outcome = command(verb, "there", word) if verb not in ("run", "check") else command(verb, word)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith(f"mtlrun: error: no flag '{word.partition('=')[0]}")
    assert len(outcome.err.splitlines()) == 1
    assert not training.calls


@pytest.mark.parametrize("verb", [verb for verb in VERBS if flags_of(verb) and verb not in ("run", "check")])
def test_a_slip_of_the_finger_is_told_with_the_flag_that_was_meant(verb, command):
    flag = next(flag for flag in flags_of(verb) if flag.startswith("--"))
    slip = flag[:-2] + flag[-1] + flag[-2]
    assert f"no flag '{slip}'; did you mean '{flag}'?" in command(verb, "there", slip).err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["predict", "run", "x.csv", "checkpont=last"], "no setting 'checkpont'; did you mean 'checkpoint'?"),
        (["predict", "run", "x.csv", "--csv", "a.csv", "--csv", "b.csv"], "--csv is given twice"),
        (["predict", "run", "x.csv", "--csv", "--to", "a"], "--csv needs a value"),
        (["export", "run", "task=[a]"], "no setting 'task'; did you mean 'tasks'?"),
        (["export", "run", "--to=a", "--to", "b"], "--to is given twice"),
        (["export", "run", "--format", ","], "--format names no format"),
        (["new", "balancer", "mine", "--to"], "--to needs a value"),
    ],
)
def test_other_slips(words, line, command, run_folder):
    outcome = command(*[str(run_folder) if word == "run" else word for word in words])
    assert outcome.code == 2
    assert outcome.err.startswith(f"mtlrun: error: {line}")


def test_a_file_may_be_called_like_a_setting(command, run_folder, tmp_path):
    (tmp_path / "a=b.csv").write_text("x,y\n1,2\n")
    assert "no setting" not in command("predict", str(run_folder), "a=b.csv").err
