"""Control groups of scripts/large_data.py: of both versions, and told where there are none."""

import importlib.util
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "control_groups.py"


@pytest.fixture
def groups():
    spec = importlib.util.spec_from_file_location("control_groups", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def system(folder: Path, version: int) -> Path:
    """A folder like that of the system."""
    memory = folder / "memory" if version == 1 else folder
    memory.mkdir(exist_ok=True)
    for name in ["memory.limit_in_bytes"] if version == 1 else ["cgroup.controllers", "cgroup.subtree_control"]:
        (memory / name).write_text("")
    return memory


@pytest.mark.parametrize(
    ("version", "limit", "peak"),
    [(1, "memory.limit_in_bytes", "memory.max_usage_in_bytes"), (2, "memory.max", "memory.peak")],
)
def test_a_group_has_its_limit_and_runs_commands(groups, tmp_path, monkeypatch, version, limit, peak):
    memory = system(tmp_path, version)
    monkeypatch.setattr(groups, "ROOT", tmp_path)
    group = groups.ControlGroup(30)
    [made] = [path for path in memory.iterdir() if path.is_dir()]
    assert (made / limit).read_text() == str(30 * 2**20)
    (made / peak).write_text(str(7 * 2**20))
    assert group.peak() == 7
    said = subprocess.run(group.command(["echo", "a b"]), capture_output=True, text=True, check=True).stdout
    assert said == "a b\n"
    assert int((made / "cgroup.procs").read_text()) > 0
    assert version == 1 or (memory / "cgroup.subtree_control").read_text() == "+memory"


def test_where_there_are_none_it_is_told(groups, tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "ROOT", tmp_path)
    with pytest.raises(groups.NoControlGroup, match="has no control groups for memory"):
        groups.ControlGroup(30)
    system(tmp_path, 1)
    monkeypatch.setattr(Path, "mkdir", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied")))
    with pytest.raises(groups.NoControlGroup, match=r"no control group can be made .*denied.*: it takes root"):
        groups.ControlGroup(30)
