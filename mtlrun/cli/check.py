"""`mtlrun check [GROUP=OPTION ...] [--config-dir DIR]`: the promises of the named parts, one line each."""

from __future__ import annotations

import os
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mtlrun.cli.config_dir import split_config_dir
from mtlrun.cli.flags import hydra_arguments
from mtlrun.cli.terminal import complain
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.config.explain import explain
from mtlrun.errors import ConfigError

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from rich.console import Console

    from mtlrun.contracts.promise import Verdict

_STYLES = {"ok": "green", "broken": "bold red", "skipped": "dim"}
_ALL = ("data", "task", "backbone", "sharing", "sampler", "balancer")  # loggers record, and so must be named


def main(arguments: list[str]) -> int:
    """Look at the parts that the arguments name, or at all; 2 if a promise is broken."""
    folder, words = split_config_dir(arguments)
    settings = hydra_arguments(words)
    flag = next((word for word in settings if word.startswith("-")), None)
    if flag is not None:
        raise ConfigError(f"mtlrun check takes settings and --config-dir, not {flag}")
    config = without_hydra(compose([*_search_path(folder), *settings]))
    try:
        return _check(config, named_groups(settings))
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
    words = {word.lstrip("+~").partition("=")[0].partition(".")[0] for word in settings}
    parts = [group for group in (*_ALL, "logger") if group in words]
    if parts == ["task"]:
        return ["data", "task"]
    return [group for group in parts if group != "task"] or list(_ALL)


def _search_path(folder: str | None) -> list[str]:
    """The folder as a setting, behind what config.yaml says: shipped options win, as with a run's --config-dir."""
    if folder is None:
        return []
    for_good = os.environ.get("MTLRUN_CONF_DIR", "pkg://hydra.conf")  # the command line cannot interpolate here
    return [f"hydra.searchpath=['{for_good}','file://{Path(folder).resolve()}']"]


def _check(config: DictConfig, groups: list[str]) -> int:
    from rich.console import Console  # here: these load slowly, and a mistake above is told at once

    from mtlrun.cli.logs import logging_to
    from mtlrun.config.promises import Parts

    console, parts, counts, part = Console(highlight=False), Parts(config), Counter[str](), ""
    with logging_to(None, console=False):
        for group in groups:
            for verdict in parts.verdicts(group):
                if verdict.part != part:
                    part = verdict.part
                    console.print(part, style="bold", markup=False, soft_wrap=True)
                _show(console, verdict)
                counts[verdict.outcome] += 1
    kept, broken, skipped = (counts[outcome] for outcome in _STYLES)
    print(f"{kept} promises kept, {broken} broken" + (f", {skipped} not looked at" if skipped else ""), flush=True)
    return 2 if broken else 0


def _show(console: Console, verdict: Verdict) -> None:
    """One line, however long; colours only on a terminal."""
    from rich.text import Text

    found = f": {verdict.found}" if verdict.found else ""
    line = Text(f"  {verdict.outcome:<7}", style=_STYLES[verdict.outcome])
    console.print(line.append(f"  {verdict.words}{found}", style="default"), soft_wrap=True)
