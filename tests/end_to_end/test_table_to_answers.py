"""docs/table_to_answers.md runs as it is printed, but for the length of its trainings."""

import csv
import re
import shlex
from pathlib import Path

import pytest

from mtlrun.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs/table_to_answers.md").read_text()
PROGRAM, COMMANDS = (
    re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0] for kind in ("python", "sh")
)
SHORT = {"advise": ["trainer.epochs=2", "--seeds", "2"], "task=table": ["trainer.epochs=2"]}


@pytest.mark.parametrize("advised", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_page_runs_as_it_is_printed(advised, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    exec(compile(PROGRAM, "table_to_answers.md", "exec"), {})
    commands = [shlex.split(line)[1:] for line in COMMANDS.splitlines()]
    assert [words[0] for words in commands] == ["advise", "task=table", "export", "predict"]
    for verb, *words in commands[not advised :]:
        assert main([verb, *words, *SHORT.get(verb, [])]) == 0, capsys.readouterr().err
    answers = [*csv.DictReader(Path("answers.csv").read_text().splitlines())]
    assert len(answers) == 442
    assert {row["pressure"] for row in answers} <= {"high", "normal"}
    assert all(float(row["glucose"]) > 0 for row in answers)
    assert {path.name for path in Path("patients/export").iterdir()} >= {"model.pt2", "USE.md", "check.json"}
