"""What the repository holds: text and small pictures, no packages, data or checkpoints; one module to a name."""

import importlib.util
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LARGEST = 1_000_000  # bytes


def test_no_file_is_large():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout: what belongs to the repository is not known")
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(files) > 100
    assert not [file.name for file in files if file.is_file() and file.stat().st_size > LARGEST]


def test_what_is_imported_by_name_is_one_module(request, monkeypatch):
    """Else it depends on the order of the tests which of two is found."""
    folders = [str(ROOT / folder) for folder in request.config.getini("pythonpath")]
    names = Counter(path.stem for folder in folders for path in Path(folder).glob("*.py"))
    assert len(names) > 10
    assert not [name for name, count in names.items() if count > 1]
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in folders])
    monkeypatch.setattr(sys, "modules", {name: module for name, module in sys.modules.items() if name not in names})
    assert not [name for name in names if importlib.util.find_spec(name) is not None]
