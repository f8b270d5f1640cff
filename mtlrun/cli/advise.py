"""`mtlrun advise task=... [--budget 1.0] [--seeds 3] [--yes]`: should the tasks be learned together? By measuring."""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from mtlrun.advice.affinity_file import kept_affinity
from mtlrun.advice.arrangement import APART, TOGETHER
from mtlrun.advice.asked import Asked
from mtlrun.advice.costs import cost_lines
from mtlrun.advice.course import RunsFailed, advise, most_alternatives
from mtlrun.advice.facts import Facts, fact_lines
from mtlrun.advice.files import write_advice
from mtlrun.advice.ledger import Ledger
from mtlrun.cli.advised_runs import AdvisedRuns, Stopped, run_words
from mtlrun.cli.config_dir import search_path, split_config_dir
from mtlrun.cli.flags import with_force
from mtlrun.cli.terminal import complain
from mtlrun.cli.words import OneLineParser
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.errors import ConfigError
from mtlrun.lines import path_from_here, printable
from mtlrun.reporting.settings import fingerprint, flat_settings

_OWN = ("sharing", "seed", "hydra")
"""What an advice sets itself."""
_LONGEST = 100.0


def main(arguments: list[str]) -> int:
    """Measure and say what to do; return the exit code."""
    config_dir, rest = split_config_dir(arguments)
    options, where = _parser().parse_intermixed_args(rest), search_path(config_dir)
    hydra_words = [word for word in options.words if word.lstrip("+~").startswith(("hydra.", "hydra/"))]
    words = with_force([word for word in options.words if word not in hydra_words])
    _refuse_own(words)
    if options.to is not None and Path(options.to).is_file():
        raise ConfigError(f"--to {options.to}: a file is in the way, name a folder")
    config = compose([*where, *words])
    backbone, facts = _plain(config.backbone), _facts([*where, *words])
    ledger = _ledger(options.to, config, facts)
    folder = ledger.folder
    if not facts.all_the_same:
        _agree_on_costs(facts, options, most_alternatives(facts, backbone), folder)
    runs = AdvisedRuns(ledger, words, [*where, *hydra_words], options.seeds, facts.length)
    look_ahead = partial(kept_affinity, folder / "affinity.json", [*where, *run_words(words, TOGETHER)], facts)
    try:
        found = advise(facts, options.budget, backbone, runs, look_ahead)
    except RunsFailed as error:
        complain(error)
        return 1
    except Stopped as stop:
        print(f"to go on: the same command again ({path_from_here(folder)})", flush=True)
        return stop.code
    asked = Asked(tuple(words), config_dir, options.seeds, options.budget, options.to)
    _show(write_advice(found, asked, folder))
    print(path_from_here(folder), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = OneLineParser(prog="mtlrun advise", add_help=False, allow_abbrev=False, epilog="see mtlrun help advise")
    parser.add_argument("--budget", type=_share, default=1.0)
    parser.add_argument("--seeds", type=_count, default=3)
    parser.add_argument("--to")
    parser.add_argument("--yes", action="store_true")
    parser.add_argument("words", nargs="*")
    return parser


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= _LONGEST:
        raise argparse.ArgumentTypeError(
            f"must be a share of the configured length, above 0 and at most {_LONGEST:g}, found {text}"
        )
    return value


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 2:
        raise argparse.ArgumentTypeError(f"must be at least 2, since one seed has no spread, found {text}")
    return int(text)


def _refuse_own(words: Sequence[str]) -> None:
    """Raise ConfigError for what an advice chooses itself, and for words that are no settings."""
    for word in words:
        key, equals, _ = word.lstrip("+~").partition("=")
        if not equals:
            raise ConfigError(f"cannot read '{word}': a setting is written key=value (mtlrun help advise)")
        if key.partition(".")[0] in _OWN:
            raise ConfigError(f"{word}: an advice compares sharing schemes over seeds itself, leave it out")


def _ledger(named: str | None, config: DictConfig, facts: Facts) -> Ledger:
    """In the folder that the user named, or the one that these settings and data always have: the same command finds
    its runs."""
    content = flat_settings(_plain(without_hydra(config), resolve=False), dict(config.hydra.runtime.choices))
    identity = hashlib.sha256(f"{fingerprint(sorted(content.items()))} {facts.data}".encode()).hexdigest()
    folder = Path("outputs", "advise", f"{config.task.name}-{identity[:8]}") if named is None else Path(named)
    return Ledger(folder / "measured.json", identity)


def _plain(node: Any, resolve: bool = True) -> Any:
    return OmegaConf.to_container(node, resolve=resolve, enum_to_str=True)


def _facts(words: Sequence[str]) -> Facts:
    """Stage 0, told as it is found."""
    print("Stage 0: looking at the data, measuring a few steps", flush=True)  # torch takes seconds to load
    from mtlrun.advice.look import look

    facts = look(run_words(words, TOGETHER), run_words(words, APART))
    if len(facts.tasks) < 2:
        raise ConfigError(f"one task, {facts.names[0]}: an advice is about two tasks or more")
    for line in fact_lines(facts):
        print(printable(f"  {line}"))
    return facts


def _agree_on_costs(facts: Facts, options: argparse.Namespace, alternatives: int, folder: Path) -> None:
    """Say what it may take, and ask.

    Raises:
        ConfigError: if the answer is no, or there is nobody to ask.
    """
    for line in cost_lines(facts, options.budget, options.seeds, alternatives):
        print(line)
    print(f"Runs that {path_from_here(folder)} holds already are not trained again.", flush=True)
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError("nothing was trained yet: add --yes to start it (fewer runs: --seeds, shorter: --budget)")
    if not _says_yes("Start? [y/N] "):
        raise ConfigError("nothing was trained; fewer runs: --seeds, shorter ones: --budget")


def _says_yes(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        print()
        return False


def _show(lines: Sequence[str]) -> None:
    print()
    for line in lines:
        print(printable(line))
