from importlib import import_module
from pathlib import Path

import pytest

from mtlrun.config.moved import MOVED, renewed
from mtlrun.config.saved import load_config


@pytest.mark.parametrize("old", MOVED)
def test_what_has_moved_is_where_it_is_said_to_be(old: str) -> None:
    module, _, name = MOVED[old].rpartition(".")
    assert callable(getattr(import_module(module), name))
    with pytest.raises((ImportError, AttributeError)):
        getattr(import_module(old.rpartition(".")[0]), name)


def test_paths_are_followed_at_any_depth_and_nothing_else_changes() -> None:
    function = {"_target_": "mtlrun.data.toy.second", "_partial_": True}
    saved = {"data": {"_target_": "mine.load", "root": "${oc.env:HOME}"}, "tasks": [{"function": function}, None, "a"]}
    expected = {**saved, "tasks": [{"function": {**function, "_target_": "mtlrun.data.sets.toy.second"}}, None, "a"]}
    assert renewed(saved) == expected


def test_a_run_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    (tmp_path / ".hydra").mkdir()
    text = "data: {_target_: mtlrun.data.driving.build.load, cache: '${oc.env:NOWHERE,null}'}\n"
    (tmp_path / ".hydra" / "config.yaml").write_text(text)
    assert load_config(tmp_path).data == {"_target_": "mtlrun.data.sets.driving.load", "cache": None}
