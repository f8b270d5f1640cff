"""`mtlrun report PATH... [--baseline RUN] [--by best|last|mean_of_last] ...`: runs averaged, compared, judged."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from mtlrun.cli.usages import usage
from mtlrun.commands import command_line
from mtlrun.errors import ConfigError, near_miss

_FILES = ("html", "csv", "json", "latex", "markdown")
_SEVERAL = ("where", "tune", "from", "lower", "published")
_OPTIONS = ("baseline", "by", "measure", *_SEVERAL, *_FILES)


def main(arguments: list[str]) -> int:
    """Print the report and write the files that were asked for; return the exit code."""
    if not arguments:
        print(usage("report"))
        return 2
    paths, options = _read(arguments)
    from mtlrun.reporting.exports import FORMATS, write
    from mtlrun.reporting.make import report
    from mtlrun.reporting.terminal import show_report

    made = report(
        paths,
        baseline=_one(options, "baseline"),
        by=_one(options, "by") or "best",  # type: ignore[arg-type]  # checked there
        where=options.get("where", []),
        tune_keys=_listed(options, "tune"),
        measure=_one(options, "measure") or "delta_m",  # type: ignore[arg-type]
        tables=options.get("from", []),
        lower=_listed(options, "lower"),
        published=_listed(options, "published"),
    )
    files = {kind: file for kind in _FILES if (file := _one(options, kind))}
    if "-" not in files.values():
        show_report(made)
    for kind, file in files.items():
        if file == "-":
            sys.stdout.write(FORMATS[kind](made))
        else:
            write(made, kind, file)
    return 0


def _read(words: list[str]) -> tuple[list[str], dict[str, list[str]]]:
    """The paths, and the values of each option."""
    paths: list[str] = []
    options: dict[str, list[str]] = {}
    rest = iter(words)
    for word in rest:
        name, equals, value = word.lstrip("-").partition("=") if word != "-" else (word, "", "")
        if word.startswith("--") or (equals and name in _OPTIONS and not Path(word).exists()):
            _check_option(name, word)
            options.setdefault(name, []).append(value if equals else _next(rest, word))
        else:
            _refuse_setting(word)
            paths.append(word)
    return paths, options


def _next(rest: Iterator[str], word: str) -> str:
    value = next(rest, None)
    if value is None:
        raise ConfigError(f"{word} needs a value; see mtlrun report --help")
    return value


def _check_option(name: str, word: str) -> None:
    if name not in _OPTIONS:
        near = near_miss(f"--{name}", [f"--{option}" for option in _OPTIONS])
        raise ConfigError(f"no option '{word}'{near}; see mtlrun report --help")


def _refuse_setting(word: str) -> None:
    if re.fullmatch(r"[\w.]+=.*", word) and not Path(word).exists():
        name, _, value = word.partition("=")
        near = get_close_matches(name, _OPTIONS, n=1)
        if near and "." not in name:
            raise ConfigError(f"no folder '{word}': did you mean {command_line(f'--{near[0]}', value)}?")
        chosen = command_line("--where", word)
        raise ConfigError(f"no folder '{word}': to choose runs by a setting write {chosen}")


def _one(options: dict[str, list[str]], name: str) -> str | None:
    values = options.get(name, [])
    if len(values) > 1:
        raise ConfigError(f"--{name} is given {len(values)} times: {', '.join(values)}")
    return values[0] if values else None


def _listed(options: dict[str, list[str]], name: str) -> list[str]:
    return [entry for value in options.get(name, []) for entry in value.split(",")]
