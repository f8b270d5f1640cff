"""What was measured, kept beside the runs: a run that trains on overwrites the scores of its shorter self."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError
from mtlrun.reporting.entries import Entry, TaskScore
from mtlrun.runs.jsonfile import read_json, write_json

NETWORKS = "networks"
"""The one setting in which entries of the ledger differ: the name of the arrangement."""


class Ledger:
    """Scores by arrangement, length and seed, in a file that is whole at every moment.

    Args:
        path: of the file; it need not be there yet.
        identity: what tells the settings and the data from others.

    Raises:
        ConfigError: if the file is that of other settings, or other data.
    """

    def __init__(self, path: Path, identity: str) -> None:
        self._path = path
        self._content: dict[str, Any] = read_json(path) or {"of": identity, "scores": {}}
        if self._content.get("of") != identity:
            raise ConfigError(f"{path.parent} holds an advice on other settings or data: name another with --to")
        self._scores: dict[str, Any] = self._content["scores"]

    @property
    def folder(self) -> Path:
        """Where the file lies."""
        return self._path.parent

    def lacks(self, name: str, length: int, seeds: Iterable[int]) -> list[int]:
        """The seeds that were not measured at this length."""
        known = self._at(name, length)
        return [seed for seed in seeds if str(seed) not in known]

    def put(self, name: str, length: int, found: Sequence[Entry]) -> None:
        """Keep the scores of finished runs."""
        there = self._scores.setdefault(name, {}).setdefault(str(length), {})
        for entry in found:
            tasks = {task: asdict(score) for task, score in entry.tasks.items()}
            there[str(entry.seed)] = {"folder": entry.folder, "seconds": entry.seconds, "tasks": tasks}
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._path, self._content)

    def entries(self, name: str, length: int, seeds: Iterable[int]) -> list[Entry]:
        """What was measured, as a report reads it."""
        known = self._at(name, length)
        return [_entry(name, seed, known[str(seed)]) for seed in seeds if str(seed) in known]

    def _at(self, name: str, length: int) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._scores.get(name, {}).get(str(length), {})
        return found


def _entry(name: str, seed: int, kept: Mapping[str, Any]) -> Entry:
    tasks = {
        task: TaskScore(**{**score, "assumed": (), "counted": tuple(score.get("counted", ()))})
        for task, score in kept["tasks"].items()
    }
    settings = {NETWORKS: name}
    return Entry(kept["folder"], settings, seed, "finished", tasks, seconds=kept["seconds"])
