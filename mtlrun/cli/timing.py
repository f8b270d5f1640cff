"""Hours of a training from a measured step: measured once for each setting, in a process that loads torch."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mtlrun.cli.groups import option_file
from mtlrun.cli.reproduction import Wanted
from mtlrun.published.table import PublishedMethod
from mtlrun.runs.jsonfile import read_json, write_json
from mtlrun.version import installed_version

KEPT = Path("~/.cache/mtlrun/measured_steps.json")
"""Where measurements are kept; what cannot be measured yet is looked at again each time."""

Measured = Mapping[str, Any]
"""{"hours": h} of one run, or {"needs": line}."""


def measured(requests: Sequence[Sequence[str]]) -> list[Measured]:
    """One for each list of settings; those that are not known yet are measured now, together."""
    path = KEPT.expanduser()
    known: dict[str, Any] = read_json(path) or {}
    missing = [words for words in {_key(words): words for words in requests}.values() if _key(words) not in known]
    found = dict(zip(map(_key, missing), _measure(missing))) if missing else {}
    kept = {key: value for key, value in found.items() if "hours" in value}
    if kept:
        with suppress(OSError):  # a home that cannot be written to: measured again next time
            write_json(path, {**known, **kept})
    return [{**known, **found}[_key(words)] for words in requests]


def hours(asked: Sequence[tuple[Wanted, Sequence[PublishedMethod]]]) -> list[tuple[float | None, str]]:
    """Of each request: (hours of one run of each of its methods, added up; what is needed first, if anything).

    Of those that cost alike, one is measured for all. All requests are measured by one process.
    """
    kinds = [{_kind(method): method for method in reversed(methods)} for _, methods in asked]
    words = [
        [[*request.settings_of(method), *request.where] for method in kind.values()]
        for (request, _), kind in zip(asked, kinds)
    ]
    answers = iter(measured([entry for entries in words for entry in entries]))
    return [_added_up(methods, {key: next(answers) for key in kind}) for (_, methods), kind in zip(asked, kinds)]


def _added_up(
    methods: Sequence[PublishedMethod], found: Mapping[tuple[str, bool], Measured]
) -> tuple[float | None, str]:
    for answer in found.values():
        if "needs" in answer:
            return None, str(answer["needs"])
    return sum(found[_kind(method)]["hours"] for method in methods), ""


def _kind(method: PublishedMethod) -> tuple[str, bool]:
    """What costs alike: the sharing scheme, as single-task training has a network per task, and the passes."""
    return method.chosen("sharing") or "", takes_passes(method)


def takes_passes(method: PublishedMethod) -> bool:
    """Whether it takes a backward pass per task, by its balancer's YAML."""
    balancer = method.chosen("balancer") or "equal"
    lines = option_file("balancer", balancer).read_text(encoding="utf-8")
    return "gradients@_here_: default" in lines or "gradients@_here_: jacobian" in lines


def _key(words: Sequence[str]) -> str:
    machine = (os.environ.get(name, "-") for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"))
    return " ".join([platform.node(), installed_version(), *machine, *words])


def _measure(requests: Sequence[Sequence[str]]) -> list[Measured]:
    command = [sys.executable, "-m", "mtlrun.experiment.measure", *(json.dumps([*words]) for words in requests)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) < len(requests):
        reason = (done.stderr.strip().splitlines() or ["it was stopped"])[-1]
        return [*map(json.loads, lines), *({"needs": reason} for _ in requests[len(lines) :])]
    return [json.loads(line) for line in lines]
