"""Names from files of others are shown, not obeyed, by the terminal."""

import logging

import pytest
from rich.table import Table

from mtlrun.cli.logs import logging_to
from mtlrun.cli.terminal import complain, show
from mtlrun.lines import printable

TITLE = "\x1b]0;gotcha\x07"


@pytest.mark.parametrize("text", ["", "accuracy ↑", "größe", "två\nrader\toch [/] :car:", "日本"])
def test_what_a_terminal_shows_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TITLE, r"\x1b]0;gotcha\x07"),
        ("a\x9b31mb", r"a\x9b31mb"),
        ("gpj.\u202etxt", r"gpj.\u202etxt"),
        ("\udcff.npz", r"\udcff.npz"),
        ("a\rb", r"a\rb"),
    ],
)
def test_what_a_terminal_obeys_is_escaped(text, shown):
    assert printable(text) == shown


def test_errors_are_escaped(capsys):
    complain(f"no data file {TITLE}")
    assert capsys.readouterr().err == "mtlrun: error: no data file \\x1b]0;gotcha\\x07\n"


def test_tables_show_markup_and_escape_the_rest(capsys):
    table = Table("task", "value")
    for name in ("[/]", "[red]x[/red]", ":car:", f"x{TITLE}"):
        table.add_row(name, "0.5")
    show(table)
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("[/]", "[red]x[/red]", ":car:", r"x\x1b]0;gotcha"))
    assert "\x1b" not in shown


def test_the_log_is_escaped_on_the_terminal_and_in_the_file(tmp_path, capsys):
    with logging_to(tmp_path / "run.log", console=True):
        logging.getLogger("mtlrun").info("rows of %s", TITLE)
    assert "\x1b" not in capsys.readouterr().out
    assert r"rows of \x1b]0;gotcha\x07" in (tmp_path / "run.log").read_text()
