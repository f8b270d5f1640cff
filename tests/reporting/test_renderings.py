"""The same report on the terminal, in Markdown, LaTeX, HTML, CSV: nothing cut off, nothing taken for markup."""

import csv
import io
import json
import os
import re
from dataclasses import replace

import pytest

from mtlrun.reporting.exports import FORMATS, write, write_beside
from mtlrun.reporting.make import report
from mtlrun.reporting.notes import notes
from mtlrun.reporting.terminal import as_text

NASTY = ["<script>alert(1)</script>", "[red]x[/red]", "a|b", "50%_$#&{}~^\\", "*bold*"]


def table_lines(text):
    return [line for line in text.splitlines() if "─" in line or re.search(r"\d\.\d", line)]


@pytest.fixture
def many(result, tmp_path):
    """many(tasks, methods): three seeds of each method, and single-task runs."""

    def write_all(names, methods=3):
        for seed in range(3):
            for method in range(methods):
                scores = {name: 0.5 + 0.01 * method + 0.001 * seed * (place % 3) for place, name in enumerate(names)}
                result(f"m{method}s{seed}", scores, seed=seed, balancer=f"method{method}")
            result(f"stl{seed}", dict.fromkeys(names, 0.5 + 0.002 * seed), seed=seed, sharing="independent")
        return report(tmp_path)

    return write_all


@pytest.mark.parametrize("width", [80, 200])
@pytest.mark.parametrize("tasks", [1, 2, 5, 40])
def test_no_number_is_cut_off(many, tasks, width):
    made = many([f"task{number:02d}" for number in range(tasks)])
    text = as_text(made, width)
    assert "…" not in text
    assert max(len(line.rstrip()) for line in table_lines(text) if "folder" not in line) <= width
    for name in [f"task{number:02d}" for number in range(tasks)]:
        assert name in text
    assert "[95 % t interval over seeds]" in " ".join(text.split())
    assert "Delta-m %" in text
    assert "lower is better" in text


def test_long_names_are_whole_at_80_columns(many):
    names = [f"a_task_with_a_very_long_name_{number}" for number in range(6)]
    text = as_text(many(names, methods=8), 80)
    for name in names:
        assert name in text
    assert "…" not in text


def test_folders_come_last_and_are_never_broken(many):
    text = as_text(many(["left"]), 80)
    last = text[text.index("Folders, in") :]
    for folder in ("m0s0", "m2s2", "stl1"):
        assert folder in last.split()
    assert "Verdicts hold" not in last


@pytest.mark.parametrize(
    ("folders", "shown"),
    [
        (["out/my runs/a b", "out/my runs/c"], ["Folders, in 'out/my runs':", "all: 'a b' c"]),
        (["/x/a", "b/c"], ["Folders:", "all: /x/a b/c"]),
        ([f"out/{'a long name ' * 9}{number}" for number in range(2)], ["Folders, in out:"]),
    ],
)
def test_no_blank_comes_into_the_path_of_a_folder(folders, shown, many):
    made = many(["left"])
    section = made.sections[0]
    row = replace(section.rows[0], label="all", folders=folders)
    lines = as_text(replace(made, sections=[replace(section, rows=[row])]), 60).splitlines()
    assert [line for line in lines if line in shown] == shown
    names = [os.path.basename(folder) for folder in folders]
    assert all(any(name in line for line in lines) for name in names)


def test_names_are_shown_as_they_are(many):
    made = many(NASTY)
    text = as_text(made, 200)
    for name in NASTY:
        assert name in text
    html = made._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)" in html
    markdown = FORMATS["markdown"](made)
    assert "<script>" not in markdown
    assert r"a\|b" in markdown
    assert r"\*bold\*" in markdown


def test_letters_that_steer_the_terminal_are_not_printed(many):
    assert "\x1b" not in as_text(many(["a\x1b[2Jb"]))


def test_latex_escapes_and_balances(many):
    text = FORMATS["latex"](many(NASTY))
    assert r"50\%\_\$\#\&\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}" in text
    assert r"\textless{}script\textgreater{}" in text
    body = text[text.index(r"\begin{tabular}") : text.index(r"\end{tabular}")]
    columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1])
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(lines) == 6  # two of headings, four rows
    for line in lines:
        assert len(re.findall(r"(?<!\\)&", line)) == columns - 1
        assert not line.startswith("[")
    bare = text.replace(r"\{", "").replace(r"\}", "")
    assert bare.count("{") == bare.count("}")


def test_many_tasks_are_rows_in_files_too(many):
    made = many([f"t{number}" for number in range(12)])
    lines = FORMATS["markdown"](made).splitlines()
    assert any(line.startswith("| t11 accuracy ↑ |") for line in lines)
    assert "t11 accuracy $\\uparrow$ &" in FORMATS["latex"](made)


def test_bold_is_marked_everywhere(result, tmp_path):
    for seed in range(5):
        result(f"a{seed}", {"left": 0.9 + 0.001 * seed}, seed=seed)
        result(f"b{seed}", {"left": 0.5 - 0.002 * seed}, seed=seed, balancer="pcgrad")
    made = report(tmp_path)
    assert "0.9020* ±" in as_text(made)
    assert "**0.9020**" in FORMATS["markdown"](made)
    assert r"\textbf{0.9020}" in FORMATS["latex"](made)
    assert "<b>0.9020</b>" in made._repr_html_()


def test_a_bold_delta_alone_is_explained(many):
    rows = [
        replace(row, delta_bold=True, cells=tuple(replace(cell, bold=False) for cell in row.cells))
        for row in many(["left"]).sections[0].rows
    ]
    assert [line[:5] for line in notes(rows, (), (), "delta_m", ()) if "bold" in line.lower()] == ["Bold:"]


def test_tidy_csv_has_every_value_once(many):
    made = many(["left", "right"], methods=1)
    rows = [*csv.DictReader(io.StringIO(FORMATS["csv"](made)))]
    keys = [(row["run"], row["task"], row["metric"], row["split"]) for row in rows]
    assert len(keys) == len({*keys}) == 6 * 2 * 2 * 2
    assert rows[0]["metric"] == "accuracy"


def test_files_beside_a_sweep(many, tmp_path):
    made = many(["left"])
    ends = ["md", "csv", "json", "html"]
    assert [path.name for path in write_beside(made, tmp_path)] == [f"report.{end}" for end in ends]
    content = json.loads((tmp_path / "report.json").read_text())
    assert content["measure"] == "Delta-m % (lower is better)"
    write(made, "latex", tmp_path / "new/folder/t.tex")
    assert (tmp_path / "new/folder/t.tex").exists()


def test_a_report_without_a_finished_run(result, tmp_path):
    result("a", {}, status="failed", error="no [red] key")
    made = report(tmp_path)
    assert "No finished run" in as_text(made)
    assert "failed: balancer=equal" in as_text(made) or "no [red] key" in as_text(made)
    assert "no \\[red\\] key" in FORMATS["markdown"](made)
