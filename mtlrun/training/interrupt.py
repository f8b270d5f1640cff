"""SIGTERM and Ctrl-C: finish the step, save, exit."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any


def exit_code(number: int) -> int:
    """Of a command that this signal has ended: 130 for Ctrl-C, 143 for SIGTERM, as shells report them."""
    return 128 + number


def unwind_on_sigterm() -> None:
    """Let SIGTERM unwind the stack from here on, so that a run's status is written; within `Interrupt` it is noted."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _unwind)


def _unwind(number: int, frame: FrameType | None) -> None:
    sys.exit(exit_code(number))


class Interrupt:
    """Within this context a first signal is only noted (`received`); a second Ctrl-C stops at once."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
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
