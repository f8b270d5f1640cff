"""The commands that a report proposes: ready to paste, with the folder of the user's own groups."""

import ast
import html
import json
import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from mtlrun.reporting.exports import FORMATS
from mtlrun.reporting.make import report
from mtlrun.reporting.model import Row
from mtlrun.reporting.verdicts import power_note
from mtlrun.runs.lock import FolderLock
from mtlrun.runs.reader import Run
from mtlrun.runs.sweeps import RECORD


def name_config_dir(run, folder):
    """As Hydra writes it down."""
    sources = [
        {"path": "hydra.conf", "schema": "pkg", "provider": "hydra"},
        {"path": "/shipped/conf", "schema": "file", "provider": "main"},
        {"path": folder, "schema": "file", "provider": "command-line"},
        {"path": "", "schema": "structured", "provider": "schema"},
    ]
    content = {"hydra": {"runtime": {"choices": {"task": "digits"}, "config_sources": sources}}}
    (run / ".hydra" / "hydra.yaml").write_text(json.dumps(content))


@pytest.mark.parametrize(("folder", "words"), [("/my/conf", "/my/conf"), ("/my own", "'/my own'")])
def test_the_users_folder_is_in_every_command(result, tmp_path, folder, words):
    name_config_dir(result("a", {"left": 0.5}), folder)
    (section,) = report(tmp_path).sections
    more = "seed=1,2,3,4"
    assert section.commands == (
        f"mtlrun -m --config-dir {words} task=digits sharing=independent seed=0",
        f"mtlrun -m --config-dir {words} task=digits balancer=equal sharing=hard {more}",
    )


def test_rows_of_different_folders_make_commands_of_their_own(result, tmp_path):
    name_config_dir(result("a", {"left": 0.5}, balancer="mine"), "/my/conf")
    result("b", {"left": 0.5})
    (section,) = report(tmp_path).sections
    seeds = [line for line in section.commands if "independent" not in line]
    assert sorted(line.split(" task=")[0] for line in seeds) == [
        "mtlrun -m",
        "mtlrun -m --config-dir /my/conf",
    ]


def test_without_the_flag_there_is_no_folder(result):
    assert Run(result("a", {"left": 0.5})).config_dir is None


def test_seeds_that_were_resumed_to_another_length_are_proposed_with_it(result, tmp_path):
    longer = {"resumed": ["trainer.epochs=8"], "settings": {"trainer.epochs": 4}}
    result("a", {"left": 0.5}, seed=0, settings={"trainer.epochs": 4})
    result("b", {"left": 0.6}, seed=1, **longer)
    (section,) = report(tmp_path).sections
    proposed = [line.partition("sharing=hard ")[2] for line in section.commands if "sharing=hard" in line]
    assert proposed == ["trainer.epochs=4,8 seed=2,3,4,5"]


def test_all_seeds_resumed(result, tmp_path):
    for seed in (0, 1):
        result(str(seed), {"left": 0.5}, seed=seed, resumed=["trainer.epochs=8"])
    (section,) = report(tmp_path).sections
    assert section.commands[-1] == "mtlrun -m task=digits balancer=equal sharing=hard trainer.epochs=8 seed=2,3,4"


def words_of(run, words):
    (run / ".hydra" / "overrides.yaml").write_text(json.dumps(words))


def read_back(line):
    """What each setting of a command takes, as the shell and Hydra read it."""
    found = {}
    for one in OverridesParser.create().parse_overrides(shlex.split(line)[2:]):
        name = one.get_key_element()
        found[name] = [*one.sweep_string_iterator()] if one.is_sweep_override() else [one.value()]
    return found


@pytest.mark.parametrize(
    "targets", ["""[churn,"customer value (€)"]""", "['a,b',\"it's\",'[x]']", "['$(ls) `x`','back\\\\slash']"]
)
def test_names_in_settings_survive_the_shell_and_hydra(targets, result, tmp_path):
    word = f"data.targets={targets}"
    for seed in range(2):
        words_of(result(str(seed), {"left": 0.5}, seed=seed), ["task=table", word, f"seed={seed}", "~logger"])
    (section,) = report(tmp_path).sections
    (typed,) = OverridesParser.create().parse_overrides([word])
    for line, seeds in zip(section.commands, (["0", "1"], ["2", "3", "4"]), strict=True):
        found = read_back(line)
        assert found["data.targets"] == [typed.value()]
        assert found["seed"] == seeds
        assert "~logger" in shlex.split(line)


def test_several_texts_of_which_one_is_empty_stay_what_they_are(result, tmp_path):
    for number, text in enumerate(("", "x")):
        run = result(str(number), {"left": 0.5}, settings={"data.tag": text})
        words_of(run, ["task=table", f"+data.tag={text}", "seed=0"])
    (section,) = report(tmp_path).sections
    assert read_back(section.commands[-1])["+data.tag"] == ["''", "x"]


@pytest.mark.parametrize(
    ("there", "added"), [((0, 2), "1,3,4"), ((7,), "0,1,2,3"), ((1, 2, 3, 4), "0"), ((0, 1, 2), "3,4")]
)
def test_the_first_seeds_that_are_not_there_are_proposed(there, added, result, tmp_path):
    for seed in there:
        result(str(seed), {"left": 0.5}, seed=seed)
    (section,) = report(tmp_path).sections
    assert section.commands[-1] == f"mtlrun -m task=digits balancer=equal sharing=hard seed={added}"


def test_every_kind_of_data_gets_its_baseline(result, tmp_path):
    for name in ("own", "more"):
        run = result(name, {"left": 0.5}, settings={"data._target_": f"{name}.load"})
        words_of(run, [f"data={name}", "balancer=equal", "seed=0"])
    (section,) = report(tmp_path).sections
    assert section.commands[:2] == (
        "mtlrun -m data=more sharing=independent seed=0",
        "mtlrun -m data=own sharing=independent seed=0",
    )


def test_a_run_on_a_frame_goes_on_from_python(result, tmp_path):
    for seed in range(2):
        run = result(str(seed), {"left": 0.5}, seed=seed, settings={"data.path": str(tmp_path / "0/data.npz")})
        words_of(run, ["task=table", 'data.targets=["it\'s"]', f"seed={seed}", "data.path=data.npz"])
    made = report(tmp_path)
    (section,) = made.sections
    kept = "'task=table', 'data.targets=[\"it\\'s\"]'"
    assert section.commands == (
        f"# in Python: for seed in [0, 1]: mtlrun.run([{kept}, 'sharing=independent', f'seed={{seed}}'], data=frame)",
        f"# in Python: for seed in [2, 3, 4]: mtlrun.run([{kept}, f'seed={{seed}}'], data=frame)",
    )
    for line in section.commands:
        ast.parse(line.removeprefix("# in Python: "))
    page = html.unescape(FORMATS["html"](made))
    assert f"for seed in [0, 1]: mtlrun.run([{kept}, f'seed={{seed}}'], data=frame)" in page  # to train it again


def test_a_file_of_that_name_is_a_file(result, tmp_path):
    run = result("0", {"left": 0.5}, settings={"data.path": "data.npz"})
    words_of(run, ["task=table", "data.path=data.npz", "seed=0"])
    (section,) = report(tmp_path).sections
    assert section.commands[-1] == "mtlrun -m task=table data.path=data.npz seed=1,2,3,4"


def test_what_was_stopped_is_finished_by_a_command_for_each_sweep(result, tmp_path):
    alone = result("its own", {}, status="interrupted")
    for job in range(2):
        result(f"sweep/{job}", {}, seed=job, status="interrupted")
        result(f"lives/{job}", {}, seed=job, status=("interrupted", "running")[job])
    for name in ("sweep", "lives"):
        (tmp_path / name / RECORD).write_text("hydra: {}")
    lock = FolderLock(tmp_path / "lives/1")
    assert lock.acquire()
    made = report(tmp_path)
    assert sorted(made.to_finish) == [f"mtlrun rerun {tmp_path / 'sweep'}", f"mtlrun resume '{alone}'"]
    for kind in ("markdown", "html"):
        assert made.to_finish[0] in html.unescape(FORMATS[kind](made))
    assert made.to_finish[0] in str(made)


@pytest.mark.parametrize(
    ("seeds", "comparisons", "line"),
    [
        (2, 45, "2 seeds decide nothing but differences many times larger than their spread: take five."),
        (3, 1, "3 seeds: only differences above about 3 standard deviations can show (dev"),
        (3, 45, "3 seeds: only differences above about 3 standard deviations can show, and only far larger ones among"),
        (4, 3, "4 seeds: only differences above about 2 standard deviations can show, above about 3 among 3"),
    ],
)
def test_what_few_seeds_can_show_is_said_in_small_numbers(seeds, comparisons, line):
    row = Row("a", {}, tuple(range(seeds)), (), ())
    assert power_note([row], comparisons).startswith(line)
