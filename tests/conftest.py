"""One thread per test process, since two workers with a thread pool each would fight over the cores; and one seed.

What takes seconds and is the same for many tests is done once: compositions of a configuration in each test process,
and what other processes compute in one of the test processes for all.
"""

from __future__ import annotations

import compileall
import gc
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # also for the commands that tests start

import pytest
from filelock import FileLock

PACKAGE = Path(__file__).parents[1] / "mtlrun"


@pytest.fixture(scope="session", autouse=True)
def _no_waiting_for_the_disk() -> Iterator[None]:
    """Files are complete without it while the machine runs, and no test cuts its power."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda number: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch  # not above: the process that hands out the files needs none

    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _as_at_first() -> None:
    """Whatever ran before it, a test draws the same numbers, and hears of the same lines: Hydra sets the level of the
    root logger for good, and leaves it the log file of the last command, whose folder may be gone."""
    import torch

    torch.default_generator.manual_seed(0)  # torch.manual_seed takes 2 ms, since it looks for every kind of device
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(0)
    root = logging.getLogger()
    if root.level != logging.WARNING:
        root.setLevel(logging.WARNING)
    for handler in [*root.handlers]:
        if type(handler).__module__ == "mtlrun.cli.logs":
            root.removeHandler(handler)
            handler.close()


@pytest.fixture(scope="session")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes of this session have in common."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID")
    folder = tmp_path_factory.getbasetemp().parent / f"together-{session}" if session else None
    if folder is None:
        return tmp_path_factory.mktemp("together")
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def once(together: Path) -> Callable[[str, Callable[[], Any]], Any]:
    """once(name, make) -> what `make()` returns, called in the first test process that asks."""

    import torch

    def result(name: str, make: Callable[[], Any]) -> Any:
        path = together / f"{name}.pt"
        with FileLock(together / f"{name}.lock"):
            if not path.exists():
                unfinished = path.with_suffix(".unfinished")
                torch.save(make(), unfinished)
                unfinished.rename(path)
        return torch.load(path, weights_only=False)

    return result


@pytest.fixture(scope="session", autouse=True)
def _kept_compositions() -> Iterator[None]:
    from compositions import kept_compositions

    with kept_compositions():
        yield


_LONG = ("end_to_end", "inference", "training", "cli", "gradients", "sharing", "published", "contracts")
"""Folders whose files take long."""


def pytest_configure(config: pytest.Config) -> None:
    """A shell that starts tests in the background has them ignore Ctrl-C, and `nohup` the hang-up: tests send both.

    The package is compiled once, as an installer does it: where PYTHONDONTWRITEBYTECODE is set, each of the processes
    that tests start would compile it anew.
    """
    if not hasattr(config, "workerinput"):
        compileall.compile_dir(PACKAGE, quiet=2)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collectstart() -> None:
    """Nothing is garbage while tests are imported and collected: to search for it took a quarter of that time."""
    gc.disable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where test processes share the files, those that take long come first: none is left to the end, when the other
    processes have nothing to do."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _LONG.index(room) if (room := item.path.parent.name) in _LONG else len(_LONG))


def pytest_collection_finish() -> None:
    """Have torch's loggers, which number 45, pass their lines on: else pytest gives each a handler, three times a test.
    Leave what is imported and collected by now out of all later searches for garbage, which would take longer than
    many a test: each job of a sweep begins with one."""
    for name, logger in logging.Logger.manager.loggerDict.items():
        if name.startswith("torch") and isinstance(logger, logging.Logger):
            logger.propagate = True
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 50)  # what tests leave behind is little: at the usual pace a search a second found it
    # A forked loader worker never clears what tests have left behind here: to end a session of onnxruntime, which waits
    # for threads that only this process has, took for ever.
    os.register_at_fork(after_in_child=gc.freeze)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_warning_recorded(warning_message: warnings.WarningMessage) -> None:
    """Other processes tell of it in words: for its class the one that hands out the files would import a package, and
    torch with it, in place of serving them."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        warning_message.message = UserWarning(f"{warning_message.category.__name__}: {warning_message.message}")
        warning_message.category = UserWarning
