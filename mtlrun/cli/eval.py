"""`mtlrun eval RUN [checkpoint=best|last] [split=test|val]`: measure a trained network again."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.cli.logs import logging_to
from mtlrun.cli.modules import look_in
from mtlrun.cli.terminal import complain, show
from mtlrun.config.explain import explain
from mtlrun.config.saved import load_config
from mtlrun.config.whereabouts import started_in
from mtlrun.errors import ConfigError, ResumeError, choose
from mtlrun.experiment.run import evaluate, failure
from mtlrun.runs.reader import find_run

_OPTIONS = {"checkpoint": ("best", "last"), "split": ("test", "val"), "allow_other_data": ("false", "true")}


def main(arguments: list[str]) -> int:
    """Evaluate the run that the first argument names; return the exit code."""
    if not arguments:
        raise ResumeError("name the run to evaluate: mtlrun eval RUN [checkpoint=best|last] [split=test|val]")
    path, options = find_run(arguments[0]), _options(arguments[1:])
    file = path / "checkpoints" / f"{options['checkpoint']}.pt"
    if not file.exists():
        raise ResumeError(f"{file} does not exist: the run has saved no such checkpoint yet")
    try:
        return _evaluate(path, options)
    except Exception as error:
        if explain(error) is None or os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exception(error, file=sys.stderr)
        complain(failure(error))
        return 1 if explain(error) is None else 2


def _evaluate(path: Path, options: Mapping[str, str]) -> int:
    config = load_config(path)
    look_in(started_in(path))
    config.allow_other_data = options["allow_other_data"] == "true"
    with logging_to(None, console=True):
        result = evaluate(config, path, checkpoint=options["checkpoint"], split=options["split"])
    show(_table(result, f"{options['split']}, {options['checkpoint']} checkpoint"))
    return 0


def _options(words: list[str]) -> dict[str, str]:
    """The options with their defaults, the first of each."""
    chosen = {name: values[0] for name, values in _OPTIONS.items()}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"cannot read '{word}': an option is written key=value")
        choose(name, _OPTIONS, "option")
        chosen[name] = choose(value, _OPTIONS[name], name)
    return chosen


def _table(result: Mapping[str, Any], title: str) -> Any:
    """A rich table of task, metric and value."""
    from rich.table import Table

    table = Table(title=title)
    for heading in ("task", "metric", "value"):
        table.add_column(heading, justify="right" if heading == "value" else "left", no_wrap=heading == "value")
    for task, metrics in result.items():
        for metric, value in metrics.items():
            table.add_row(task, metric, f"{value:.4f}")
    return table
