"""`mtlrun check [GROUP=OPTION ...] [--config-dir DIR]`: the promises of the named parts, one line each."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from mtlrun.cli.config_dir import search_path, split_config_dir
from mtlrun.cli.flags import hydra_arguments
from mtlrun.cli.terminal import complain
from mtlrun.commands import setting_group
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.config.explain import explain
from mtlrun.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

    from mtlrun.contracts.promise import Verdict

_STYLES = {"ok": "green", "broken": "bold red", "skipped": "dim"}
_NUMBERS = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")
_ALL = ("data", "task", "backbone", "sharing", "sampler", "balancer")  # loggers record, and so must be named


def main(arguments: list[str]) -> int:
    """Look at the parts that the arguments name, or at all; 2 if a promise is broken."""
    folder, words = split_config_dir(arguments)
    settings = hydra_arguments(words)
    flag = next((word for word in settings if word.startswith("-")), None)
    if flag is not None:
        raise ConfigError(f"mtlrun check takes settings and --config-dir, not {flag}")
    config, groups = without_hydra(compose([*search_path(folder), *settings])), named_groups(settings)
    print(f"looking at {', '.join(groups)} of task set {config.task.name}", flush=True)  # torch takes seconds to load
    try:
        return _check(config, groups)
    except Exception as error:
        line = explain(error)
        if line is None or os.environ.get("HYDRA_FULL_ERROR") == "1":
            traceback.print_exception(error, file=sys.stderr)
        complain(line or f"{type(error).__name__}: {error}")
        return 2 if line else 1


def named_groups(settings: list[str]) -> list[str]:
    """The groups to look at.

    A task set alone is looked at with its data; beside other parts it is what they are tried on.
    """
    words = {setting_group(word) for word in settings}
    parts = [group for group in (*_ALL, "logger") if group in words]
    if parts == ["task"]:
        return ["data", "task"]
    return [group for group in parts if group != "task"] or list(_ALL)


def _check(config: DictConfig, groups: list[str]) -> int:
    from rich.console import Console  # here: these load slowly, and a mistake above is told at once

    from mtlrun.cli.logs import logging_to
    from mtlrun.config.promises import Parts

    console, counts = Console(highlight=False), Counter[str]()
    with logging_to(None, console=False):
        parts = Parts(config)
        for group in groups:
            for _, verdicts in groupby(parts.verdicts(group), key=attrgetter("part")):
                counts += _show_part(console, verdicts)
    kept, broken, skipped = (counts[outcome] for outcome in _STYLES)
    print(f"{kept} promises kept, {broken} broken" + (f", {skipped} not looked at" if skipped else ""), flush=True)
    return 2 if broken else 0


def _show_part(console: Console, verdicts: Iterable[Verdict]) -> Counter[str]:
    """A part's name and its lines, each as soon as it is known; the outcomes, counted.

    What several promises have found alike is one fault of the part: it is told once.
    """
    counts, told, again = Counter[str](), dict[str, str](), Counter[str]()
    for verdict in verdicts:
        if not counts:
            console.print(verdict.part, style="bold", markup=False, soft_wrap=True)
        counts[verdict.outcome] += 1
        fault = _NUMBERS.sub("0", verdict.found)
        if verdict.outcome == "broken" and fault in told:
            again[told[fault]] += 1
            continue
        if verdict.outcome == "broken":
            told[fault] = verdict.words
        _show(console, verdict.outcome, f"{verdict.words}: {verdict.found}" if verdict.found else verdict.words)
    for words, count in again.items():
        promises = "1 more promise" if count == 1 else f"{count} more promises"
        _show(console, "broken", f"{promises}, found as in '{words}'")
    return counts


def _show(console: Console, outcome: str, words: str) -> None:
    """One line, however long; colours only on a terminal."""
    from rich.text import Text

    line = Text(f"  {outcome:<7}", style=_STYLES[outcome])
    console.print(line.append(f"  {words}", style="default"), soft_wrap=True)
