"""Whether a checkpoint was trained on the data that are there now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.data.fingerprint import difference, share_trained_on
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, ResumeError


def check_same_data(state: Mapping[str, Any], splits: Splits, path: Path) -> None:
    """Raise ResumeError unless the rows of every split are those that the checkpoint at `path` knows.

    With others, rows that it was trained on could be tested on, and the order of rows would mean nothing.
    """
    if not state.get("data"):
        raise ResumeError(f"{path} does not say which data it was trained on; allow_other_data=true trusts it")
    found = difference(state["data"], splits.fingerprint)
    if found is not None:
        raise ResumeError(
            f"{path} knows other data: {found}; give it the files and data.* settings that it was trained with (files "
            "may have moved), or allow_other_data=true"
        )


def check_untrained(state: Mapping[str, Any], splits: Splits, word: str) -> None:
    """Raise ConfigError if the checkpoint that `init_from` names was trained on rows that are test rows now."""
    share = share_trained_on(state["data"], splits.fingerprint) if state.get("data") else 0.0
    if share:
        raise ConfigError(
            f"init_from={word} was trained on {share:.0%} of the rows that would be tested on: keep its data.seed and "
            "shares, or allow_other_data=true"
        )
