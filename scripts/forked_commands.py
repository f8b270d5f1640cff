"""Commands `mtlrun ...` as children of a process that has loaded torch already: ten in the time that one takes."""

from __future__ import annotations

import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import torch

import mtlrun.experiment.train  # noqa: F401 (loaded once, for all children)
from mtlrun.cli.main import main
from mtlrun.training.interrupt import STOPS

WAIT_SECONDS = 300.0

torch.set_num_threads(1)  # a pool of threads would not outlive a fork


class Command:
    """A started command.

    Args:
        words: of the command line, without 'mtlrun'.
        folder: where it is typed.
        files: limit on the number of open files, or None.
    """

    def __init__(self, words: Sequence[str], folder: Path, files: int | None = None) -> None:
        sys.stdout.flush()
        self._err = tempfile.TemporaryFile()  # noqa: SIM115 (as long as the command)
        self.code: int | None = None
        self.usage: resource.struct_rusage | None = None
        self.pid = os.fork()
        if self.pid == 0:
            _become(words, folder, self._err.fileno(), files)

    def running(self) -> bool:
        if self.code is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.code, self.usage = os.waitstatus_to_exitcode(status), usage
        return self.code is None

    def send(self, number: int) -> None:
        if self.running():
            os.kill(self.pid, number)

    def wait(self, seconds: float = WAIT_SECONDS) -> tuple[int, str]:
        """Exit code, negative after a fatal signal, and what was written to standard error."""
        deadline = time.monotonic() + seconds
        while self.running():
            if time.monotonic() > deadline:
                self.send(signal.SIGKILL)
            time.sleep(0.02)
        assert self.code is not None
        self._err.seek(0)
        return self.code, self._err.read().decode(errors="replace")


def _become(words: Sequence[str], folder: Path, err: int, files: int | None) -> NoReturn:
    code = 1
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream, target in enumerate((nowhere, nowhere, err)):
            os.dup2(target, stream)
        for number in STOPS:  # whoever runs this in the background has made it deaf to Ctrl-C
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        os.chdir(folder)
        sys.argv = ["mtlrun"]
        code = main(words)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
