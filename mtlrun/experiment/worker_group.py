"""Several processes of one training on this machine: started, listened to, interrupted and ended together.

They are fresh interpreters rather than children of `multiprocessing`, which would run the user's script once more in
each, and cannot start from the processes of some launchers. Imports no torch.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from mtlrun.errors import Interrupted, ProcessLost
from mtlrun.experiment.worker import ProgressReceiver, WorkerSpec, receive, send
from mtlrun.training.interrupt import Interrupt, exit_code

T = TypeVar("T")

GRACE_SECONDS = 20.0
"""Time that the others have to end by themselves once one has failed."""
_POLL_SECONDS = 0.1

# Isolated from the current folder until the path of this process has arrived.
_START = (
    "import sys; from multiprocessing.connection import Connection; line = Connection({}); sys.path[:] = line.recv(); "
    "from mtlrun.experiment.worker import main; main(line)"
)


def run_together(size: int, work: Callable[..., T], *arguments: object) -> T:
    """Call `work(worker, *arguments)` in `size` new processes; returns what the first one returns.

    `work` is a function of a module, and what it takes, returns and raises can be pickled. SIGTERM and Ctrl-C are
    passed on as SIGTERM, once; a second Ctrl-C ends everything at once.

    Raises:
        Exception: the one that a process ended with.
        Interrupted: after a signal.
        ProcessLost: if a process died without a word.
    """
    with ExitStack() as stack:
        interrupt = stack.enter_context(Interrupt())
        meeting = Path(stack.enter_context(TemporaryDirectory(prefix="mtlrun-"))) / "meeting"
        group = WorkerGroup()
        stack.callback(group.end)
        for rank in range(size):
            group.start(WorkerSpec(rank, size, meeting, _levels(), work, arguments))
        group.listen(interrupt)
        return group.result(interrupt)


def _interpreter(line: Connection, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A new one, that does what is ordered over `line`."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _START.format(line.fileno())],
        pass_fds=[line.fileno()],
        stdin=subprocess.DEVNULL,
        env=environment,
    )


class _Process:
    """A started process, and what it has told of its end: ('done', result) or ('failed', error)."""

    def __init__(self, spec: WorkerSpec) -> None:
        self.rank = spec.rank
        self.told: tuple[str, Any] | None = None
        ours, theirs = Pipe()
        self.line: Connection | None = ours
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        environment = {"OMP_NUM_THREADS": str(max(1, cores // spec.size)), **os.environ}
        with _deaf_to_ctrl_c(), theirs:
            self.process = _interpreter(theirs, environment)
        with suppress(BrokenPipeError):  # one that is dead already is noticed later
            ours.send(sys.path)
            send(ours, spec)

    def ended(self) -> bool:
        return self.process.poll() is not None

    def messages(self) -> Iterator[tuple[Any, ...]]:
        """Those that have arrived."""
        try:
            while self.line is not None and self.line.poll():
                yield receive(self.line)
        except (EOFError, OSError):
            self.line = None

    def death(self) -> str:
        """How it died, in words."""
        code = self.process.returncode
        if code is None or code >= 0:
            return f"the process of rank {self.rank} ended without a word (exit code {code})"
        hint = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"the process of rank {self.rank} was killed by {signal.Signals(-code).name}{hint}"


class WorkerGroup:
    """The processes of one training, seen from the one that starts them."""

    def __init__(self) -> None:
        self._processes: list[_Process] = []
        self._progress = ProgressReceiver()
        self._lost: _Process | None = None

    def start(self, spec: WorkerSpec) -> None:
        """Start one more."""
        self._processes.append(_Process(spec))

    def listen(self, interrupt: Interrupt) -> None:
        """Pass on their log lines and our signals until all have ended, or have had the time to do so."""
        asked, deadline = False, float("inf")
        while True:
            ended = [process for process in self._processes if process.ended()]
            self._hear()  # the last words of those, too
            self._lost = self._lost or next((process for process in ended if process.told is None), None)
            if len(ended) == len(self._processes) or time.monotonic() > deadline:
                return
            if interrupt.received is not None and not asked:
                asked = True
                self._ask_to_stop()
            if deadline == float("inf") and self._ending():
                deadline = time.monotonic() + GRACE_SECONDS
            wait([process.line for process in self._processes if process.line is not None], _POLL_SECONDS)

    def result(self, interrupt: Interrupt) -> Any:
        """What the first process has returned; else why there is no result, a cause before its consequences."""
        told = [process.told for process in self._processes if process.told is not None]
        errors: list[BaseException] = [content for kind, content in told if kind == "failed"]
        stops = [error for error in errors if isinstance(error, SystemExit)]
        causes = [error for error in errors if not isinstance(error, SystemExit | ProcessLost)]
        if causes:
            raise causes[0]
        if self._processes[0].told is not None and self._processes[0].told[0] == "done":
            return self._processes[0].told[1]
        if interrupt.received is not None:
            raise Interrupted(exit_code(interrupt.received))
        if stops:
            raise Interrupted(stops[0].code)
        raise ProcessLost(self._lost.death() if self._lost is not None else str(errors[0]))

    def end(self) -> None:
        """Kill what is still there, and leave the terminal as it was."""
        self._progress.close()
        for process in self._processes:
            process.process.kill()
            process.process.wait()

    def _hear(self) -> None:
        for process in self._processes:
            for kind, *content in process.messages():
                if kind == "log":
                    logging.getLogger(content[0].name).handle(content[0])
                elif kind == "progress":
                    self._progress.take(*content)
                else:
                    process.told = (kind, content[0])

    def _ask_to_stop(self) -> None:
        for process in self._processes:
            process.process.terminate()

    def _ending(self) -> bool:
        """Whether one has died or failed, or all are done."""
        told = [process.told for process in self._processes]
        return self._lost is not None or None not in told or any(words[0] == "failed" for words in told if words)


def _levels() -> dict[str, int]:
    """The levels at which this process logs, by logger; '' is the root."""
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    return {
        name: logger.level for name, logger in loggers.items() if isinstance(logger, logging.Logger) and logger.level
    }


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """What is started in here never sees Ctrl-C, which a terminal sends to all processes: it is for us to pass on."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
