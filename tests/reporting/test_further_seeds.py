"""The commands that a report proposes: ready to paste, with the folder of the user's own groups."""

import json

import pytest

from mtlrun.reporting.make import report
from mtlrun.runs.reader import Run


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
    assert sorted(line.split(" task=")[0] for line in section.commands[1:]) == [
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
