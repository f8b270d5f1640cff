"""The command `mtlrun`: a verb goes to its module, anything else is a run and goes to Hydra."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from mtlrun.cli.output import leave_quietly, steady_output, usable_streams
from mtlrun.cli.terminal import complain
from mtlrun.cli.together import refuse_verb
from mtlrun.cli.usages import flags_of
from mtlrun.cli.verbs import VERBS
from mtlrun.cli.words import refuse_flags
from mtlrun.commands import command_line
from mtlrun.config.whereabouts import look_in
from mtlrun.errors import ConfigError, MtlrunError, named, near_miss
from mtlrun.training.interrupt import exit_code, unwind_on_signals
from mtlrun.troubles import trouble

_TRAINING = ("run", "resume")
_WORDS_FOR_TRAINING = ("train", "fit", "start")
_HYDRAS = ("run", "check")
"""Verbs that take flags of Hydra too, which `cli/flags.py` knows."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (`sys.argv` by default) and return its exit code.

    0: done. 1: a run, or a job of a sweep, failed. 2: a mistake in the command, told in one line. 128 + n: stopped by
    signal n, and what was trained is saved.
    """
    usable_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    unwind_on_signals()
    look_in(Path.cwd())
    try:
        verb, rest = _split(words)
        refuse_verb(verb)
        if verb in VERBS and verb not in _HYDRAS:
            refuse_flags(verb, rest, flags_of(verb))
        if verb in _TRAINING:
            with steady_output():
                return import_module(f"mtlrun.cli.{verb}").main(rest)
        code: int = import_module(f"mtlrun.cli.{verb}").main(rest)
        sys.stdout.flush()  # a full disk shows only now, and should not be left to the interpreter
        return code
    except KeyboardInterrupt:
        return exit_code(signal.SIGINT)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        leave_quietly()
        return 0
    except MtlrunError as error:
        complain(error)
        return 2
    except (OSError, MemoryError, RuntimeError) as error:
        return _refused_by_machine(error)


def _refused_by_machine(error: OSError | MemoryError | RuntimeError) -> int:
    found = trouble(error)
    if found is None:
        raise error
    if isinstance(error, OSError) and error.filename is None:  # what we write ourselves has a name
        leave_quietly()
    complain("{}: {}".format(*found))
    return 1


def _split(words: list[str]) -> tuple[str, list[str]]:
    """The verb and its arguments."""
    if any(word in ("-sc", "--shell-completion") for word in words):
        return "complete", words
    if words and words[0] in VERBS:
        asks_for_help = any(word in ("-h", "--help") for word in words[1:])
        return ("help", words[:1]) if asks_for_help else (words[0], words[1:])
    if any(word in ("-h", "--help") for word in words):
        return "help", []
    if "--version" in words:
        return "version", []
    _refuse_bare_word(words)
    return "run", words


def _refuse_bare_word(words: list[str]) -> None:
    if words and words[0].replace("-", "").isalnum() and not words[0].startswith("-"):
        if words[0].lower() in _WORDS_FOR_TRAINING:
            again = command_line("mtlrun", *(words[1:] or ["task=..."]))
            raise ConfigError(f"no command '{words[0]}': training has none, the settings alone train: {again}")
        hint = near_miss(words[0], VERBS) or named(VERBS)
        raise ConfigError(f"no command '{words[0]}'{hint}; a setting is written key=value")
