"""The checkpoint that a run starts from, as `init_from` names it. No torch here."""

from __future__ import annotations

from pathlib import Path

from mtlrun.errors import ConfigError, ResumeError, near_miss
from mtlrun.runs.reader import find_run


def origin(word: str) -> Path:
    """The file that the word names, or the best checkpoint of the run that it names.

    Raises:
        ConfigError: if there is no such file, or no run, or it has saved no checkpoint yet.
    """
    path = Path(word).expanduser()
    if path.is_file():
        return path
    if path.suffix == ".pt":
        beside = [entry.name for entry in path.parent.glob("*.pt")] if path.parent.is_dir() else []
        raise ConfigError(f"init_from={word}: no such file{near_miss(path.name, beside)}")
    try:
        best = find_run(str(path)) / "checkpoints" / "best.pt"
    except ResumeError as error:
        raise ConfigError(f"init_from={word}: {error}") from error
    if not best.is_file():
        raise ConfigError(f"init_from={word}: the run has saved no checkpoints/best.pt yet")
    return best
