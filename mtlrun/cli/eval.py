"""`mtlrun eval RUN|SWEEP [checkpoint=...] [split=test|val] [data.test_path=...] [--json]`: measure trained networks."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mtlrun.cli.logs import logging_to
from mtlrun.cli.terminal import complain, show
from mtlrun.config.explain import explain
from mtlrun.config.saved import load_config
from mtlrun.config.whereabouts import look_in, started_in
from mtlrun.errors import ConfigError, ResumeError, choose
from mtlrun.experiment.endings import failure
from mtlrun.experiment.run import evaluate
from mtlrun.lines import one_line
from mtlrun.runs.jsonfile import plain
from mtlrun.runs.reader import find_run, find_runs

Scores = Mapping[str, Mapping[str, float]]
"""task -> metric -> value."""

_OPTIONS = {"checkpoint": ("best", "last"), "split": ("test", "val"), "allow_other_data": ("false", "true")}


def main(arguments: list[str]) -> int:
    """Evaluate the run, or every run below the folder, that the first argument names; return the exit code."""
    words = [word for word in arguments if word != "--json"]
    if not words:
        raise ResumeError("name the run to evaluate: mtlrun eval RUN [checkpoint=best|last] [split=test|val]")
    data = [word for word in words[1:] if word.startswith(("data=", "data."))]
    paths, options = _runs(words[0]), _options([word for word in words[1:] if word not in data])
    quiet = "--json" in arguments
    asked = {path: path / "checkpoints" / f"{options['checkpoint']}.pt" for path in paths}
    missing = [file for file in asked.values() if not file.exists()]
    if len(missing) == len(asked):
        raise ResumeError(f"{missing[0]} does not exist: the run has saved no such checkpoint yet")
    for file in missing:
        complain(f"{file} does not exist: left out")
    found = {path: _evaluated(path, options, data, quiet) for path, file in asked.items() if file.exists()}
    scores = {path: result for path, result in found.items() if not isinstance(result, int)}
    if quiet:
        print(json.dumps(_records(scores, options), indent=2))
    else:
        _show(scores, options)
    return max([int(bool(missing)), *(result for result in found.values() if isinstance(result, int))])


def _runs(word: str) -> list[Path]:
    """The run that the word names, or all runs below that folder."""
    inside = [run.path for run in find_runs(word)]
    return inside if inside and inside != [Path(word)] else [find_run(word)]


def _evaluated(path: Path, options: Mapping[str, str], data: Sequence[str], quiet: bool) -> Scores | int:
    """The scores, or the exit code of a mistake that has been told."""
    try:
        config = load_config(path)
        look_in(started_in(path))
        config.allow_other_data = options["allow_other_data"] == "true"
        with logging_to(None, console=not quiet):
            return evaluate(config, path, checkpoint=options["checkpoint"], split=options["split"], data=data)
    except Exception as error:
        if explain(error) is None or os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exception(error, file=sys.stderr)
        complain(failure(error))
        return 1 if explain(error) is None else 2


def _records(scores: Mapping[Path, Scores], options: Mapping[str, str]) -> list[dict[str, Any]]:
    """One record per run; what is no finite number is null."""
    moment = {"split": options["split"], "checkpoint": options["checkpoint"]}
    return [{"run": str(path), **moment, "tasks": plain(result)} for path, result in scores.items()]


def _show(scores: Mapping[Path, Scores], options: Mapping[str, str]) -> None:
    for path, result in scores.items():
        name = f"{path.name}: " if len(scores) > 1 else ""
        print(one_line(f"{name}{options['split']}, {options['checkpoint']} checkpoint"))  # a table's title would wrap
        show(_table(result))


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


def _table(result: Mapping[str, Any]) -> Any:
    """A rich table of task, metric and value."""
    from rich.table import Table

    table = Table()
    for heading in ("task", "metric", "value"):
        table.add_column(heading, justify="right" if heading == "value" else "left", no_wrap=heading == "value")
    for task, metrics in result.items():
        for metric, value in metrics.items():
            table.add_row(task, metric, f"{value:.4f}")
    return table
