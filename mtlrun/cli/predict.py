"""`mtlrun predict RUN|model.onnx INPUT... [--csv FILE] [--to DIR] [checkpoint=...] [tasks=[...]]`: use a network."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from mtlrun.cli.terminal import complain
from mtlrun.cli.words import refuse_settings, taken_flag, taken_setting, taken_tasks
from mtlrun.config.whereabouts import look_in
from mtlrun.errors import ConfigError, MtlrunError
from mtlrun.lines import path_from_here
from mtlrun.runs.reader import find_run

if TYPE_CHECKING:
    from mtlrun.inference.predict import Answered, Predictor
    from mtlrun.tasks.base import Task

_USAGE = "mtlrun predict RUN INPUT... [--csv FILE] [--to DIR] [checkpoint=best|last] [tasks=[a,b]] [device=cpu]"


_SETTINGS = ("checkpoint", "tasks", "device")


def main(arguments: list[str]) -> int:
    """Answer every input; 1 if a file was bad, and the others are answered."""
    words = list(arguments)
    table, folder = taken_flag(words, "--csv", _USAGE), taken_flag(words, "--to", _USAGE)
    checkpoint, device = taken_setting(words, "checkpoint", "best"), taken_setting(words, "device", "cpu")
    tasks = taken_tasks(words)
    refuse_settings(words, _SETTINGS, _USAGE)
    if len(words) < 2:
        raise ConfigError(f"name a run, and files or folders to predict for: {_USAGE}")
    look_in(Path.cwd())
    from mtlrun.inference.predict import each  # here: it loads torch

    made = _predictor(words[0], checkpoint, device, tasks)
    told: list[MtlrunError] = []

    def refuse(error: MtlrunError) -> None:
        told.append(error)
        complain(error)

    with ExitStack() as stack:
        out = _Table(_opened(stack, table, folder))
        for answered in each(made, [Path(word).expanduser() for word in words[1:]], refuse):
            out.write(answered.records)
            if folder is not None:
                _draw(Path(folder), made.network.tasks, answered)
    for path in [where for where in (table, folder) if where is not None]:
        print(f"wrote {path_from_here(Path(path))}", file=sys.stderr)
    return int(bool(told))


def _predictor(word: str, checkpoint: str, device: str, tasks: Sequence[str] | None) -> Predictor:
    if word.endswith(".onnx"):
        from mtlrun.inference.onnx_network import onnx_predictor

        return onnx_predictor(Path(word).expanduser(), tasks)
    if Path(word).expanduser().is_file():
        raise ConfigError(f"{word} is a file: name the folder of a run, or a .onnx file of mtlrun export")
    from mtlrun.inference.predict import predictor

    return predictor(find_run(word), checkpoint, device, tasks)


def _opened(stack: ExitStack, table: str | None, folder: str | None) -> TextIO:
    """Where the table goes: a file, or the terminal."""
    path = Path(table) if table is not None else Path(folder) / "predictions.csv" if folder is not None else None
    if path is None:
        return sys.stdout
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return stack.enter_context(path.open("w", newline="", encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from error


class _Table:
    """Writes records as lines of CSV, with a line of names before the first one and wherever they change."""

    def __init__(self, file: TextIO) -> None:
        self._writer, self._file = csv.writer(file, lineterminator="\n"), file
        self._names: list[str] = []

    def write(self, records: Sequence[dict[str, Any]]) -> None:
        for record in records:
            if [*record] != self._names:
                self._names = [*record]
                self._writer.writerow(self._names)
            self._writer.writerow([_cell(value) for value in record.values()])
        self._file.flush()


def _cell(value: Any) -> Any:
    """Numbers with the digits that tell them from their neighbours: of a large one, six would leave out what varies."""
    if not isinstance(value, float):
        return value
    with np.errstate(over="ignore"):
        single = np.float32(value)
    return str(single) if single == value or value != value else repr(value)


def _draw(folder: Path, tasks: Mapping[str, Task], answered: Answered) -> None:
    """A picture for each input that is one, beside the table."""
    from mtlrun.inference.pictures import draw_answers, draw_on_picture  # here: it loads matplotlib

    given = answered.given
    for source, values in given.inputs.items():
        if values.dim() != 4:
            continue
        name = given.file.stem if len(given.inputs) == 1 else f"{given.file.stem}_{source}"
        path, answers = folder / f"{name}.png", answered.tensors[source]
        if given.sizes:
            draw_on_picture(path, tasks, given.file, given.sizes[0], values.shape[1], answers)
        else:
            draw_answers(path, tasks, values, answers)
