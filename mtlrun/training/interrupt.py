"""A signal that asks to stop: finish the step, save, exit."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

_NAMES = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")
STOPS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
"""Those that end a training in good order: of `kill` and Ctrl-C, a lost connection, and a cluster's warnings before a
time limit or preemption. Windows knows the first two."""


def exit_code(number: int) -> int:
    """Of a command that this signal has ended: 130 for Ctrl-C, 143 for SIGTERM, as shells report them."""
    return 128 + number


def signal_name(code: object) -> str:
    """Such as 'SIGTERM', of the exit code of a command that a signal has ended; else the code in words."""
    try:
        return signal.Signals(int(str(code)) - exit_code(0)).name
    except ValueError:
        return f"exit code {code}"


def unwind_on_signals() -> None:
    """Let them unwind the stack from here on, so that a run's status is written; within `Interrupt` they are noted.

    Ctrl-C does that by itself.
    """
    if threading.current_thread() is threading.main_thread():
        for number in STOPS:
            if number != signal.SIGINT and _is_free(number):
                signal.signal(number, _unwind)


def _is_free(number: int) -> bool:
    """Whether nobody else handles the signal: `nohup` has one ignored, a launcher may requeue its job by another."""
    if number in (signal.SIGTERM, signal.SIGINT):
        return True
    return signal.getsignal(number) in (signal.SIG_DFL, _unwind)


def _is_noted(number: int) -> bool:
    """Whether `Interrupt` takes the signal: all but what is ignored, or was set by something other than Python."""
    return signal.getsignal(number) not in (signal.SIG_IGN, None)


def pass_on(code: object) -> None:
    """Once a training that a signal ended is saved: let a launcher's own handler put its job back into the queue.

    Args:
        code: that the training has ended with, see `exit_code`.
    """
    number = code - exit_code(0) if isinstance(code, int) else 0
    if number not in STOPS or number in (signal.SIGTERM, signal.SIGINT):
        return
    handler = signal.getsignal(number)
    if callable(handler) and handler is not _unwind:
        signal.raise_signal(number)


def _unwind(number: int, frame: FrameType | None) -> None:
    sys.exit(exit_code(number))


class Interrupt:
    """Within this context a first signal is only noted (`received`); a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in STOPS if _is_noted(number)}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = number
