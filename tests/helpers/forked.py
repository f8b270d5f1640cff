"""Processes that need not import torch each: forked from one that has imported it, and that knows nothing of mtlrun."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context, set_start_method
from multiprocessing.connection import Connection
from typing import Any

import pytest

PREPARED = [
    "torch",
    "torch._dynamo",
    "torchvision",
    "torchmetrics.detection",
    "hydra.main",
    "scipy.optimize",
]
"""What takes seconds to import."""

_server = get_context("forkserver")
_server.set_forkserver_preload(PREPARED)


@contextmanager
def forked_workers() -> Iterator[None]:
    """In here the processes of a training are forked, and not fresh interpreters as users have them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mtlrun.experiment.worker_group._interpreter", ForkedWorker)
        yield


class Forked:
    """A process that runs a function, with what is asked of any `subprocess.Popen`."""

    def __init__(self, work: Callable[..., None], *arguments: Any, daemon: bool = False) -> None:
        self._process = _server.Process(target=_begin, args=(work, *arguments), daemon=daemon)
        self._process.start()
        self.pid = self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self.returncode


class ForkedWorker(Forked):
    """A process of a training, with what a `WorkerGroup` asks of it too."""

    def __init__(self, line: Connection, environment: dict[str, str]) -> None:
        super().__init__(_work, line, environment, daemon=True)

    def terminate(self) -> None:
        self._process.terminate()


def _begin(work: Callable[..., None], *arguments: Any) -> None:
    """Start further processes in the usual way; a forked one would have its server start them, and torch read anew."""
    set_start_method(None, force=True)
    work(*arguments)


def _work(line: Connection, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the group passes Ctrl-C on
    sys.path[:] = line.recv()
    from mtlrun.experiment.worker import main

    main(line)
