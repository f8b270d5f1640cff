"""One of several processes that train together on one machine, from the inside. Imports no torch by itself."""

from __future__ import annotations

import logging
import logging.handlers
import os
import pickle
import shutil
import threading
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mtlrun.training.interrupt import unwind_on_sigterm


@dataclass(frozen=True)
class Order:
    """What a process is started for: `work(member, *arguments)`, logging at the levels of the one that starts it."""

    rank: int
    size: int
    meeting: Path
    levels: dict[str, int]
    work: Callable[..., Any]
    arguments: tuple[Any, ...]


class Member:
    """This process among `size`; `meeting` is the file in which they meet."""

    def __init__(self, order: Order, line: Connection) -> None:
        self.rank, self.size, self.meeting = order.rank, order.size, order.meeting
        self._line, self._lock = line, threading.Lock()

    def tell(self, kind: str, *content: Any) -> None:
        """Send the process that started this one a message: 'log', 'progress', 'done' or 'failed'."""
        with self._lock:
            send(self._line, (kind, *content))

    def tell_progress(self, name: str, arguments: tuple[Any, ...]) -> None:
        """Have an event of the progress display shown."""
        self.tell("progress", name, arguments)


class _Wire(logging.handlers.QueueHandler):
    """Sends log records to the process that started this one; of other members than the first only warnings."""

    def __init__(self, member: Member) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self._member = member
        self.setLevel(logging.NOTSET if member.rank == 0 else logging.WARNING)

    def enqueue(self, record: logging.LogRecord) -> None:
        if self._member.rank > 0:
            record.msg = f"process of rank {self._member.rank}: {record.msg}"
        self._member.tell("log", record)


def send(line: Connection, message: Any) -> None:
    """Send by plain pickle: `Connection.send` would share the memory of tensors, which ends with its process."""
    line.send_bytes(pickle.dumps(message))


def receive(line: Connection) -> Any:
    """What `send` has sent."""
    return pickle.loads(line.recv_bytes())


def main(line: Connection) -> None:
    """Do what is ordered over `line`, and send how it ended."""
    unwind_on_sigterm()
    try:
        order: Order = receive(line)
    except EOFError:
        return  # whoever started this process is gone already
    threading.Thread(target=_end_with, args=(line, order.meeting), daemon=True).start()
    member = Member(order, line)
    _set_up_logging(member, order.levels)
    try:
        member.tell("done", order.work(member, *order.arguments))
    except BaseException as error:
        member.tell("failed", portable(error))


def portable(error: BaseException) -> BaseException:
    """The error in a form that can be sent: the traceback is a note; what cannot be pickled is put into words."""
    note = "".join(traceback.format_exception(error))
    try:
        copy: BaseException = pickle.loads(pickle.dumps(error))
    except Exception:
        copy = RuntimeError(f"{type(error).__name__}: {error}")
    copy.add_note(note)
    return copy


def _set_up_logging(member: Member, levels: dict[str, int]) -> None:
    logging.getLogger().handlers[:] = [_Wire(member)]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    if member.rank > 0:
        warnings.simplefilter("ignore")  # the first member shows the same


def _end_with(line: Connection, meeting: Path) -> None:
    """End this process as soon as the one that started it has gone, even by SIGKILL: its folder may be taken anew."""
    try:
        line.recv_bytes()  # nothing more is ever sent
    except (EOFError, OSError):
        shutil.rmtree(meeting.parent, ignore_errors=True)
        os._exit(1)
