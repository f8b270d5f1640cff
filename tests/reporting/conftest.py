"""Runs as training leaves them, in a test's own folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from run_folders import write_result, write_run

from mtlrun.runs.reader import Run

MakeRun = Callable[..., Run]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """make_run(num_tasks, name='run', ...) writes a finished run under the test's own folder."""

    def make(num_tasks: int, name: str = "run", epochs: int = 10, steps_per_epoch: int = 60, seed: int = 0) -> Run:
        return write_run(tmp_path / name, num_tasks, epochs, steps_per_epoch, seed)

    return make


class Folder(Protocol):
    """Writes one finished run of a sweep; see `write_result`."""

    def __call__(
        self,
        name: str,
        scores: dict[str, float],
        *,
        seed: int = ...,
        balancer: str = ...,
        sharing: str = ...,
        **more: Any,
    ) -> Path: ...


@pytest.fixture
def result(tmp_path: Path) -> Folder:
    """result('a/0', {'left': 0.9}, seed=0, balancer='pcgrad', ...) writes a run folder and returns it."""

    def write(name: str, scores: dict[str, float], **options: Any) -> Path:
        return write_result(tmp_path / name, scores, **options)

    return write
