"""Runs as they lie on disk: finished, going on, or killed."""

from __future__ import annotations

import os
import platform
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from mtlrun.errors import ResumeError, near_miss
from mtlrun.runs.jsonfile import read_json
from mtlrun.runs.lock import is_held
from mtlrun.runs.records import Row, read
from mtlrun.runs.yamlfile import read_yaml

OWN_DATA = "data.npz"
"""In a run's folder: the data that were handed over in Python."""


class Run:
    """One run folder. Settings are read once, results at each access, since the run may still go on.

    Nothing here raises for a file that is absent or half written: it counts as empty.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.resolve().name

    @cached_property
    def config(self) -> dict[str, Any]:
        """The composed configuration, interpolations as written."""
        content = read_yaml(self.path / ".hydra" / "config.yaml")
        return content if isinstance(content, dict) else {}

    @cached_property
    def overrides(self) -> list[str]:
        """What the command changed, such as 'balancer=pcgrad'."""
        content = read_yaml(self.path / ".hydra" / "overrides.yaml")
        return [str(entry) for entry in content] if isinstance(content, list) else []

    @cached_property
    def choices(self) -> dict[str, Any]:
        """The option chosen in each group, such as {'balancer': 'pcgrad'}."""
        return self._hydra("runtime", "choices") or {}

    @cached_property
    def config_dir(self) -> str | None:
        """The folder of the user's own groups that the command named with --config-dir."""
        sources = self._hydra("runtime", "config_sources")
        known = [entry for entry in sources if isinstance(entry, dict)] if isinstance(sources, list) else []
        return next(
            (str(one["path"]) for one in known if one.get("provider") == "command-line" and "path" in one), None
        )

    @cached_property
    def job(self) -> int | None:
        """Number of the job in its sweep; None outside of a sweep."""
        number = self._hydra("job", "num")
        return number if isinstance(number, int) else None

    @property
    def info(self) -> dict[str, Any]:
        """The content of `run.json`."""
        return read_json(self.path / "run.json") or {}

    @property
    def status(self) -> str | None:
        """running, finished, failed or interrupted (killed runs too); None for a run that never started."""
        return self.status_and_info()[0]

    def status_and_info(self) -> tuple[str | None, dict[str, Any]]:
        """`status` and `info` of one moment, to be read before the results that belong to them."""
        info = self.info
        if info.get("status") == "running" and not self._alive(info):
            info = self.info  # its end is written before its lock is free, maybe since the first look
            if info.get("status") == "running":
                return "interrupted", info
        return info.get("status"), info

    @property
    def error(self) -> str | None:
        """Why the run failed, in one line."""
        return self.info.get("error")

    @property
    def summary(self) -> dict[str, Any]:
        """The content of `summary.json`."""
        return read_json(self.path / "summary.json") or {}

    @property
    def metrics(self) -> list[Row]:
        """Rows of `metrics.csv`."""
        return read(self.path / "metrics.csv")

    @property
    def tasks(self) -> list[Row]:
        """Rows of `tasks.csv`."""
        return read(self.path / "tasks.csv")

    @property
    def cosines(self) -> list[Row]:
        """Rows of `cosines.csv`."""
        return read(self.path / "cosines.csv")

    @property
    def gates(self) -> list[Row]:
        """Rows of `gates.csv`."""
        return read(self.path / "gates.csv")

    def _hydra(self, section: str, key: str) -> Any:
        content = read_yaml(self.path / ".hydra" / "hydra.yaml")
        for name in ("hydra", section, key):
            content = content.get(name) if isinstance(content, dict) else None
        return content

    def _alive(self, info: dict[str, Any]) -> bool:
        held = is_held(self.path)
        if held is not None:
            return held
        return info.get("host") != platform.node() or _process_exists(info.get("pid"))


def find_runs(path: Path | str) -> list[Run]:
    """Every run at or below `path` (a run, a sweep, any tree), in natural order: job 2 before job 10.

    A job that failed before it could write `run.json` counts too, by the configuration that Hydra wrote.
    """
    found: list[Path] = []
    for folder, children, files in os.walk(path):
        if "run.json" in files or Path(folder, ".hydra", "config.yaml").is_file():
            found.append(Path(folder))
            children.clear()
        children[:] = [child for child in children if not child.startswith(".")]
    return [Run(folder) for folder in sorted(found, key=_natural)]


def find_run(word: str) -> Path:
    """The run folder that the user names.

    Raises:
        ResumeError: if there is no such folder, or no run in it.
    """
    path = Path(word)
    if not path.is_dir():
        beside = [entry.name for entry in path.parent.glob("*/")] if path.parent.is_dir() else []
        raise ResumeError(f"no folder '{word}'{near_miss(path.name, beside)}")
    if (path / ".hydra" / "config.yaml").is_file():
        return path
    inside = [run.path for run in find_runs(path)]
    hint = f"; name one of the {len(inside)} below it, such as {inside[0]}" if inside else ""
    raise ResumeError(f"'{word}' is no run: it has no .hydra/config.yaml{hint}")


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key by which numbers inside names count as numbers."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", str(path))]


def _process_exists(pid: Any) -> bool:
    if not isinstance(pid, int):
        return False
    if os.name != "posix":  # there, signal 0 is no mere question
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it exists and belongs to somebody else
        return True
    return True
