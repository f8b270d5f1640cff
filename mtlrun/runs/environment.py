"""What a run ran on: versions, source state and machine. Versions are read from metadata: no heavy import."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_PACKAGES = (
    *("mtlrun", "torch", "torchvision", "torchmetrics", "pycocotools", "hydra-core", "omegaconf"),
    *("numpy", "scipy", "scikit-learn", "matplotlib", "rich", "filelock"),
)
_GIT_SECONDS = 5.0  # a huge or remote work tree must not hold up a run


def versions() -> dict[str, str]:
    """Version of Python and of each installed package that results can depend on."""
    return {**_versions()}


@cache
def _versions() -> dict[str, str]:
    """Looked up once: each job of a sweep writes them down."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the work tree around `folder` and whether tracked files differ; None outside of git."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def machine() -> dict[str, Any]:
    """Host name, operating system and processors."""
    return {"host": platform.node(), "platform": platform.platform(), "cpus": os.cpu_count()}


def _git(folder: Path, *arguments: str) -> str | None:
    """Standard output, stripped; None if git is absent, fails or is slow."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None
