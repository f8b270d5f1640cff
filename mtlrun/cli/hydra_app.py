"""Hydra's own entry point, called with our flags and without its way of telling errors."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import hydra

from mtlrun.cli.job import TRACEBACKS, job
from mtlrun.config.schema import register_schema
from mtlrun.paths import CONF


def run_hydra(arguments: list[str]) -> None:
    """Let Hydra read the arguments and call the job function.

    Raises:
        Exception: what Hydra raises, unformatted.
        SystemExit: from callbacks and jobs.
    """
    register_schema()
    with _command_line(arguments), _raw_errors():
        # An absolute path works from a checkout, an editable install and a wheel alike.
        hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(job)()


@contextmanager
def _command_line(arguments: list[str]) -> Iterator[None]:
    """Hydra reads `sys.argv`."""
    before = sys.argv
    sys.argv = [before[0], *arguments]
    try:
        yield
    finally:
        sys.argv = before


@contextmanager
def _raw_errors() -> Iterator[None]:
    """Have Hydra raise instead of printing; remember whether the user asked for tracebacks."""
    before = {name: os.environ.get(name) for name in ("HYDRA_FULL_ERROR", TRACEBACKS)}
    os.environ[TRACEBACKS] = before["HYDRA_FULL_ERROR"] or "0"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
