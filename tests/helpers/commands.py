"""Commands in processes of their own that need not import torch each: forked from a process that has imported it.

The process knows none of mtlrun, and what a command does begins with its first import of it, as it does for a user.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from forked import Forked


class Command(Forked):
    """A running `mtlrun WORDS` in a session of its own, with what tests ask of a `subprocess.Popen`.

    Args:
        words: of the command line.
        folder: it runs in this one.
        outputs: folder for what it writes to stdout and stderr.
    """

    def __init__(self, words: list[str], folder: Path, outputs: Path) -> None:
        self._paths = [outputs / name for name in ("stdout", "stderr")]
        super().__init__(_command, words, folder, self._paths, dict(os.environ))

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What the command has written, once it has ended."""
        self._process.join(timeout)
        if self.returncode is None:
            raise TimeoutError(f"not ended after {timeout} seconds")
        out, err = (path.read_text() for path in self._paths)
        return out, err


def _command(words: list[str], folder: Path, outputs: list[Path], environment: dict[str, str]) -> None:
    """Become what the shell would have started."""
    os.setsid()  # a process group of its own: Ctrl-C reaches the command, not the tests
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, number in zip(outputs, (1, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background are deaf
    sys.path.insert(0, str(folder))
    sys.argv = ["mtlrun", *words]
    code: object = 0
    try:
        runpy.run_module("mtlrun", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    atexit._run_exitfuncs()  # which multiprocessing leaves out
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code if isinstance(code, int) else 0)


def wait_for(condition: Callable[[], bool], process: Command, seconds: float = 120) -> None:
    """Until the condition holds; fails if the process ends before."""
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def status(folder: Path) -> str:
    """What a run's folder says of it."""
    return json.loads((folder / "run.json").read_text())["status"]
