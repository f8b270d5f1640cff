"""One of several processes that train together on one machine, from the inside, and its progress. Imports no torch."""

from __future__ import annotations

import logging
import logging.handlers
import os
import pickle
import shutil
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from mtlrun.training.interrupt import unwind_on_signals
from mtlrun.training.progress import Judged, TerminalProgress

Tell = Callable[[str, tuple[Any, ...]], object]
"""Takes the name of an event and its arguments."""

_PROGRESS_SECONDS = 0.25  # between two updates that are sent


@dataclass(frozen=True)
class WorkerSpec:
    """What a process is started for: `work(worker, *arguments)`, logging at the levels of the one that starts it."""

    rank: int
    size: int
    meeting: Path
    levels: dict[str, int]
    work: Callable[..., Any]
    arguments: tuple[Any, ...]


class Worker:
    """This process among `size`; `meeting` is the file in which they meet."""

    def __init__(self, spec: WorkerSpec, line: Connection) -> None:
        self.rank, self.size, self.meeting = spec.rank, spec.size, spec.meeting
        self._line, self._lock = line, threading.Lock()

    def tell(self, kind: str, *content: Any) -> None:
        """Send the process that started this one a message: 'log', 'progress', 'done' or 'failed'."""
        with self._lock:
            send(self._line, (kind, *content))

    @property
    def progress(self) -> RemoteProgress:
        """The display of this process: the first one's is shown by the process that started it."""
        return RemoteProgress(partial(self.tell, "progress") if self.rank == 0 else None)


class RemoteProgress:
    """Stands in for `TerminalProgress` and passes on what it is to show.

    Args:
        tell: receives the events; by default nobody does.
    """

    def __init__(self, tell: Tell | None = None) -> None:
        self._tell = tell or (lambda name, arguments: None)
        self._latest: tuple[Any, ...] | None = None
        self._next = 0.0

    def __call__(self, total_steps: int, tasks: Sequence[str], batch_size: int, start: int = 0) -> RemoteProgress:
        """What the class `TerminalProgress` itself does when it is called."""
        self._tell("start", (total_steps, [*tasks], batch_size, start))
        return self

    def __enter__(self) -> RemoteProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell("stop", ())

    def update(self, step: int, epoch: int, losses: Mapping[str, float] | None = None) -> None:
        """See `TerminalProgress.update`; passed on now and then."""
        self._latest = (step, epoch, losses)  # copied when it is sent: the mapping may be filled later
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _PROGRESS_SECONDS
            self._tell("update", self._latest)

    def report_epoch(self, epoch: int, judged: Judged, score: float | None, seconds: float) -> None:
        """See `TerminalProgress.report_epoch`."""
        if self._latest is not None:
            self._tell("update", self._latest)
        self._tell("report_epoch", (epoch, {**judged}, score, seconds))


class ProgressReceiver:
    """Shows on this terminal what a `RemoteProgress` elsewhere passes on."""

    def __init__(self) -> None:
        self._progress: TerminalProgress | None = None

    def take(self, name: str, arguments: tuple[Any, ...]) -> None:
        """One event."""
        if name == "start":
            total_steps, tasks, batch_size, start = arguments
            self._progress = TerminalProgress(total_steps, tasks, batch_size, start=start).__enter__()
        elif name == "stop":
            self.close()
        elif self._progress is not None:
            getattr(self._progress, name)(*arguments)

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None


class _Wire(logging.handlers.QueueHandler):
    """Sends log records to the process that started this one; of other workers than the first only warnings."""

    def __init__(self, worker: Worker) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._worker = worker
        self.setLevel(logging.NOTSET if worker.rank == 0 else logging.WARNING)

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._worker.rank > 0:
            record.msg = f"process of rank {self._worker.rank}: {record.msg}"
        self._worker.tell("log", record)


def send(line: Connection, message: Any) -> None:
    """Send by plain pickle: `Connection.send` would share the memory of tensors, which ends with its process."""
    line.send_bytes(pickle.dumps(message))


def receive(line: Connection) -> Any:
    """What `send` has sent."""
    return pickle.loads(line.recv_bytes())


def main(line: Connection) -> None:
    """Do what is ordered over `line`, and send how it ended."""
    unwind_on_signals()
    try:
        spec: WorkerSpec = receive(line)
    except EOFError:
        return  # whoever started this process is gone already
    threading.Thread(target=_end_with, args=(line, spec.meeting), daemon=True).start()
    worker = Worker(spec, line)
    _set_up_logging(worker, spec.levels)
    try:
        worker.tell("done", spec.work(worker, *spec.arguments))
    except BaseException as error:
        worker.tell("failed", portable(error))


def portable(error: BaseException) -> BaseException:
    """The error in a form that can be sent: the traceback is a note; what cannot be pickled is put into words."""
    note = "".join(traceback.format_exception(error))
    try:
        copy: BaseException = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(note)
    return copy


def _set_up_logging(worker: Worker, levels: dict[str, int]) -> None:
    logging.getLogger().handlers[:] = [_Wire(worker)]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    if worker.rank > 0:
        warnings.simplefilter("ignore")  # the first worker shows the same


def _end_with(line: Connection, meeting: Path) -> None:
    """End this process as soon as the one that started it has gone, even by SIGKILL: its folder may be taken anew."""
    try:
        line.recv_bytes()  # nothing more is ever sent
    except (EOFError, OSError):
        shutil.rmtree(meeting.parent, ignore_errors=True)
        os._exit(1)
