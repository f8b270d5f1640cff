"""`mtlrun new KIND NAME [--to DIR]`: a part of one's own to begin with, which works as it is written."""

from __future__ import annotations

from pathlib import Path

from mtlrun.cli.templates import FOLDER, KINDS, ExampleFiles, example
from mtlrun.cli.words import taken_flag
from mtlrun.errors import ConfigError
from mtlrun.lines import path_from_here

_USAGE = f"mtlrun new {'|'.join(KINDS)} NAME [--to DIR]"


def main(arguments: list[str]) -> int:
    """Write the three files and say what to type next; nothing that is there is overwritten."""
    words = [*arguments]
    folder = Path(taken_flag(words, "--to", _USAGE) or "").expanduser()
    if len(words) != 2:
        raise ConfigError(f"name a kind of part, and the part: {_USAGE}")
    made = example(*words)
    write(made, folder)
    print(_next(made, folder), flush=True)
    return 0


def write(made: ExampleFiles, folder: Path) -> None:
    """Write the files below the folder, all of them or none.

    Raises:
        ConfigError: if one of them is there, or the folder cannot be written.
    """
    taken = next((folder / path for path in made.files if (folder / path).exists()), None)
    if taken is not None:
        raise ConfigError(
            f"{path_from_here(taken)} exists already: choose another name, or another folder with --to DIR"
        )
    try:
        for path, text in made.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write into {folder}: {error.strerror}") from error


def _next(made: ExampleFiles, folder: Path) -> str:
    """The files, and the commands that check, test and train them."""
    lines = ["wrote", *(f"  {path_from_here(folder / path)}" for path in made.files), "next"]
    if folder.resolve() != Path.cwd():
        lines.append(f"  cd {path_from_here(folder)}")
    ours = f"--config-dir {FOLDER} {made.settings}"
    return "\n".join([*lines, f"  mtlrun check {ours}", f"  python -m pytest test_{made.name}.py", f"  mtlrun {ours}"])
