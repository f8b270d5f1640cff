"""Tab completion: Hydra's, and the verbs."""

from __future__ import annotations

import os
import sys

from mtlrun.cli.verbs import VERBS


def main(arguments: list[str]) -> int:
    """Print what may follow on the line in $COMP_LINE, or the script to install completion."""
    asks = any(word.startswith("query=") for word in arguments)
    typed = os.environ.get("COMP_LINE", "").split(" ")
    if asks and len(typed) == 2:
        print(" ".join(verb for verb in VERBS if verb.startswith(typed[1])))
    if asks and len(typed) > 2 and typed[1] in VERBS and typed[1] != "run":
        return 0  # the shell completes file names: run folders
    _hydra(arguments)
    sys.stdout.flush()  # a reader that is gone is noticed here, where it is handled
    return 0


def _hydra(arguments: list[str]) -> None:
    from mtlrun.cli.run import run_hydra  # here: verbs need no Hydra

    run_hydra(arguments)
