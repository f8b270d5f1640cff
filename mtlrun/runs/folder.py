"""A run's folder: claimed so that no two runs share it, and written so that it can be read at any moment."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

from mtlrun.atomic import UNFINISHED
from mtlrun.errors import ConfigError, FolderLost, ResumeError
from mtlrun.runs.environment import git_state, machine, versions
from mtlrun.runs.jsonfile import overwrite_json, read_json, write_json
from mtlrun.runs.lock import FolderLock
from mtlrun.runs.records import CsvTable, NoTable
from mtlrun.runs.restarts import launch
from mtlrun.troubles import trouble

Ending = Literal["finished", "failed", "interrupted"]
_MADE_BEFORE = frozenset((".hydra", "run.log", ".lock"))
"""What a run has in its folder before it starts: Hydra's files, and the log."""


def claim(wanted: Path) -> Path:
    """Make a folder that nobody else has: `wanted`, or else `wanted-2`, `wanted-3`, ..., and return it.

    Safe among any number of processes, since mkdir either makes a folder or fails.
    """
    made(wanted.parent)
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise _not_made(folder, error) from error
        return folder
    raise AssertionError("count() does not end")


def made(folder: Path) -> Path:
    """The folder, which exists from here on and can be written into.

    Raises:
        ConfigError: if it cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_made(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"cannot write into the folder {folder}: choose another, hydra.run.dir=FOLDER")
    return folder


def _not_made(folder: Path, error: OSError) -> ConfigError:
    why = (trouble(OSError(error.errno, error.strerror)) or (error.strerror,))[0]  # the folder is named already
    return ConfigError(f"cannot make the folder {folder}: {why}; choose another, hydra.run.dir=FOLDER")


class RunFolder:
    """Names of the files of one run, and the record of its life in `run.json`.

    Args:
        path: the folder; made if absent.
        writes: False in all but one of the processes that train together: they write nothing, and make no folder.
    """

    def __init__(self, path: Path | str, writes: bool = True) -> None:
        self.path = Path(path)
        self.writes = writes
        self.metrics_csv = self.path / "metrics.csv"
        self.tasks_csv = self.path / "tasks.csv"
        self.cosines_csv = self.path / "cosines.csv"
        self.gates_csv = self.path / "gates.csv"
        self.summary_json = self.path / "summary.json"
        self.run_json = self.path / "run.json"
        self.log = self.path / "run.log"
        self._lock = FolderLock(self.path)
        self._before: dict[str, Any] = {}  # run.json, when a continuation started
        self._started = False
        self._made_before = _MADE_BEFORE
        self._others: frozenset[str] = frozenset()  # names of what lay in the folder before the run

    @property
    def checkpoints(self) -> Path:
        """Folder of `last.pt` and `best.pt`; made if absent."""
        return self._made("checkpoints")

    @property
    def saved_at(self) -> int | None:
        """When `last.pt` was written, in nanoseconds; None without one."""
        file = self.path / "checkpoints" / "last.pt"
        return file.stat().st_mtime_ns if file.exists() else None

    @property
    def trains(self) -> bool:
        """Whether a first step is near, or past, since the run was last started: all parts were built and looked at."""
        return (read_json(self.run_json) or {}).get("device") is not None

    @property
    def plots(self) -> Path:
        """Folder of the pictures; made if absent."""
        return self._made("plots")

    def owns(self, name: str) -> None:
        """Count a file that was written before the start among the run's own: a start that is refused removes it."""
        self._made_before |= {name}

    def table(self, path: Path, columns: Sequence[str]) -> CsvTable:
        """One of the tables above, to write to."""
        return CsvTable(path, columns) if self.writes else NoTable()

    def start(
        self,
        command: Sequence[str],
        seed: int,
        resumed_from_step: int | None = None,
    ) -> None:
        """Lock the folder and write down that the run goes on.

        Args:
            command: the words of the command line.
            seed: of the run.
            resumed_from_step: last step of the checkpoint that the run continues from; None for a new run.

        Raises:
            ResumeError: if another process runs in this folder.
        """
        if not self.writes:
            return
        self.path.mkdir(parents=True, exist_ok=True)
        self._others = frozenset(entry.name for entry in self.path.iterdir()) - self._made_before
        if not self._lock.acquire():
            holder = self._holder()
            raise ResumeError(f"{self.path} is in use by {holder}: wait for it to end or stop it first")
        self.sweep_up()
        record = _record(command, seed)
        if resumed_from_step is not None:
            self._before = read_json(self.run_json) or {}
            record |= _continued(self._before, record, resumed_from_step)
        write_json(self.run_json, record)
        self._started = True

    def note(self, device: str, processes: int = 1) -> None:
        """Write down that training begins, and on what, such as 'cuda:0'; known only once torch is loaded."""
        self._update({"device": device, "processes": processes})

    def note_origin(self, checkpoint: Path, epoch: int | None) -> None:
        """Write down which checkpoint, of which epoch, the network was started from."""
        self._update({"init_from": {"checkpoint": str(checkpoint.resolve()), "epoch": epoch}})

    def finish(self, status: Ending, error: str | None = None) -> None:
        """Write down how the run ended, `error` in one line, as far as the disk lets us, and unlock the folder."""
        line = " ".join(error.split()) if error else None
        try:
            if self.path.is_dir():
                self._update({"status": status, "end": _now(), "error": line})
        except OSError:
            with suppress(OSError):  # no room for a second file: there may be for this line in the place of the old one
                overwrite_json(self.run_json, {**(read_json(self.run_json) or {}), "status": status, "error": line})
        self._lock.release()

    def withdraw(self, error: str) -> None:
        """Put `run.json` back as it was before a continuation that was refused, and unlock: the next one goes on alike.

        `error` is why, for a folder whose run was never written down.
        """
        if not self._before:
            self.finish("failed", error)
            return
        killed = self._before.get("status") == "running"
        with suppress(OSError):
            write_json(self.run_json, self._before | ({"status": "interrupted"} if killed else {}))
        self._lock.release()

    def discard(self) -> None:
        """Remove all that a refused start has written, and the folder unless something else lies in it."""
        if not self.writes:
            return
        self._lock.release()
        for entry in [*self.path.iterdir()] if self.path.is_dir() else ():
            if entry.name not in self._others:
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)
        here = Path.cwd()
        for folder in (self.path, *self.path.resolve().parents[:2]):  # with those of the date, if nothing is left
            with suppress(OSError):
                if folder == self.path or here in folder.parents:
                    folder.rmdir()

    def check_there(self) -> None:
        """Raise FolderLost if somebody has removed the folder, which must not come back half empty."""
        if self.writes and not self.run_json.exists():
            raise FolderLost(f"{self.path} has vanished: somebody has removed the folder while the run went on")

    def sweep_up(self) -> None:
        """Remove what a killed process left half written. Only for the holder of the lock."""
        for folder in (self.path, self.path / "checkpoints", self.path / "plots"):
            for unfinished in folder.glob(UNFINISHED):
                unfinished.unlink(missing_ok=True)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Write `summary.json`; numbers that are not finite become null."""
        if self.writes:
            if self._started:
                self.check_there()
            write_json(self.summary_json, summary)

    def _update(self, entries: Mapping[str, Any]) -> None:
        if self.writes:
            write_json(self.run_json, {**(read_json(self.run_json) or {}), **entries})

    def _made(self, name: str) -> Path:
        folder = self.path / name
        if self.writes:
            if self._started:
                self.check_there()
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _holder(self) -> str:
        record = read_json(self.run_json) or {}
        return f"process {record['pid']} on {record.get('host')}" if "pid" in record else "another process"


def _record(command: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "status": "running",
        "command": list(command),
        "seed": seed,
        "start": _now(),
        "end": None,
        "error": None,
        "init_from": None,
        "resumed": [],
        "device": None,
        "pid": os.getpid(),
        "launch": launch(),
        **machine(),
        "git": git_state(Path.cwd()),
        "versions": versions(),
    }


def _continued(before: dict[str, Any], now: dict[str, Any], step: int) -> dict[str, Any]:
    """What a resumed run keeps of its first start, and the list of its continuations with this one added."""
    kept: dict[str, Any] = {key: before[key] for key in ("command", "start", "init_from") if key in before}
    entry = {"time": now["start"], "step": step, "command": now["command"], "git": now["git"]}
    return {**kept, "resumed": [*before.get("resumed", []), entry]}


def _now() -> str:
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
