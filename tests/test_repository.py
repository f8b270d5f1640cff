"""What the repository holds: text and small pictures, no packages, data or checkpoints."""

import subprocess
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
