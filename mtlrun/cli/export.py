"""`mtlrun export RUN [--to DIR] [--format pt2,onnx,safetensors] [--raw] [tasks=[a,b]]`: for other programs."""

from __future__ import annotations

from pathlib import Path

from mtlrun.cli.words import refuse_settings, taken_flag, taken_setting, taken_switch, taken_tasks
from mtlrun.errors import ConfigError
from mtlrun.lines import path_from_here
from mtlrun.runs.reader import find_run

_USAGE = "mtlrun export RUN [--to DIR] [--format pt2,onnx,safetensors] [--raw] [tasks=[a,b]] [checkpoint=best|last]"


_SETTINGS = ("checkpoint", "tasks")


def main(arguments: list[str]) -> int:
    """Write the files and say what is in them."""
    words = list(arguments)
    folder, formats = taken_flag(words, "--to", _USAGE), taken_flag(words, "--format", _USAGE) or "pt2"
    raw, tasks, checkpoint = (
        taken_switch(words, "--raw"),
        taken_tasks(words),
        taken_setting(words, "checkpoint", "best"),
    )
    refuse_settings(words, _SETTINGS, _USAGE)
    if len(words) != 1:
        raise ConfigError(f"name one run to export{f', found {words[1]}' if words[1:] else ''}: {_USAGE}")
    run = find_run(words[0])
    to = Path(folder).expanduser() if folder is not None else run / "export"
    from mtlrun.inference.export import export  # here: it loads torch

    chosen = [*dict.fromkeys(word.strip() for word in formats.split(",") if word.strip())]
    if not chosen:
        raise ConfigError(f"--format names no format: {_USAGE}")
    for made in export(run, to, chosen, raw, tasks, checkpoint):
        for path in made.files:
            print(f"{path_from_here(path)}  {path.stat().st_size / 1e6:.2f} MB")
        print(
            f"{path_from_here(made.folder)}: {made.parameters:,} parameters, {made.milliseconds:.1f} ms a row in "
            f"PyTorch, largest difference {made.difference:.0e}; USE.md says how to run it"
        )
    return 0
