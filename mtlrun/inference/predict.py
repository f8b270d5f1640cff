"""From files to answers, row by row: what `mtlrun predict` and `mtlrun.load(RUN).predict` give."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from mtlrun.config.saved import load_config
from mtlrun.errors import ConfigError, DataError, MtlrunError
from mtlrun.inference.description import read, vocabulary_of
from mtlrun.inference.reading import Given, InputReader, files_of, text_columns
from mtlrun.inference.rebuild import trained_network
from mtlrun.inference.trained import TrainedNetwork
from mtlrun.tasks.base import Task

Record = dict[str, Any]
"""One row of the table: file, row, then a column or more for each task."""


@dataclass
class Answered:
    """What was read from a file, the records of its rows, and the answers [n, ...] by source and task; for a picture
    in pixels of its own."""

    given: Given
    records: list[Record]
    tensors: dict[str, dict[str, Tensor]]


class Answering(Protocol):
    """A network that answers: ours, or an exported one."""

    tasks: dict[str, Task]
    batch_size: int

    def answers(self, inputs: Tensor, source: str | None = None) -> dict[str, Tensor]: ...


class Predictor:
    """A network with what reads its files.

    Args:
        network: that answers.
        reader: of files.
    """

    def __init__(self, network: Answering, reader: InputReader) -> None:
        self.network, self.reader = network, reader

    @torch.no_grad()
    def answered(self, given: Given) -> Answered:
        """The answers for every row of a file."""
        several = any(number is not None for number in given.rows)
        records: list[Record] = [{"file": str(given.file), **({"row": n} if several else {})} for n in given.rows]
        tensors = {source: self._answers(source, values) for source, values in given.inputs.items()}
        if given.sizes:
            tensors = {source: self._in_pixels(given, source, answers) for source, answers in tensors.items()}
        for source, answers in tensors.items():
            for index, record in enumerate(records):
                record |= self._cells(given, source, index, {task: answer[index] for task, answer in answers.items()})
        return Answered(given, records, tensors)

    def together(self, pictures: Sequence[Given]) -> Iterator[Answered]:
        """The answers for files of one picture each, in one batch."""
        if not pictures:
            return
        inputs = {source: torch.cat([one.inputs[source] for one in pictures]) for source in pictures[0].inputs}
        sizes = [size for one in pictures for size in one.sizes]
        whole = self.answered(Given(pictures[0].file, [None] * len(pictures), inputs, sizes=sizes))
        for index, one in enumerate(pictures):
            record = {**whole.records[index], "file": str(one.file)}
            own = {s: {task: t[index : index + 1] for task, t in found.items()} for s, found in whole.tensors.items()}
            yield Answered(one, [record], own)

    def _answers(self, source: str, inputs: Tensor) -> dict[str, Tensor]:
        parts = [self.network.answers(part, source) for part in inputs.split(self.network.batch_size)]
        return {task: torch.cat([part[task].cpu() for part in parts]) for task in parts[0]}

    def _in_pixels(self, given: Given, source: str, answers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Answers for pictures, in pixels of those that were given."""
        height, width = given.inputs[source].shape[2:]
        found = {}
        for task, answer in answers.items():
            own = self.network.tasks[task].in_pixels_of
            rows = zip(answer.split(1), given.sizes)
            found[task] = torch.cat([own(row, (height, width), size) for row, size in rows])
        return found

    def _cells(self, given: Given, source: str, row: int, answers: dict[str, Tensor]) -> Record:
        found: Record = {}
        for task, answer in answers.items():
            kind = self.network.tasks[task]
            words = given.words[row] if given.words else None
            cells = (
                kind.cells(answer)
                if words is None
                else kind.in_words(answer, words, given.places[source][row].tolist())
            )
            found |= {f"{task}_{word}" if word else task: value for word, value in cells.items()}
        return found


def predictor(
    run: Path, checkpoint: str = "best", device: str = "cpu", tasks: Sequence[str] | None = None
) -> Predictor:
    """Of a run folder.

    Args:
        run: its folder.
        checkpoint: 'best' or 'last'.
        device: of the network.
        tasks: that are wanted; None for all.

    Raises:
        ResumeError, DataError: see `trained_network`.
        ConfigError: for a task that the network does not have.
    """
    network = trained_network(run, checkpoint, device)
    if tasks is not None:
        network.keep(tasks)
    return Predictor(network, reader_of(run, network))


def reader_of(run: Path, network: TrainedNetwork) -> InputReader:
    """What reads files for the network of a run."""
    entries = [entry for entry in network.inputs.values() if any(task in network.tasks for task in entry.tasks)]
    texts = [entry for entry in entries if entry.is_text]
    if texts and read(run) is None:
        raise DataError(f"{run} has no model.json, and so no vocabulary: texts need a run of this version")
    vocabularies = {entry.name: vocabulary_of(entry, run) for entry in texts}
    data = load_config(run).data
    array = str(data.get("inputs") or "inputs")
    return InputReader(entries, vocabularies, array, str(data.get("channels") or "auto"), text_columns(data))


def predicted(run: Path, paths: Sequence[Path], checkpoint: str = "best") -> list[Record]:
    """The records of all files, in order; a file that is bad ends it.

    Raises:
        DataError: naming the file.
    """
    return [record for answered in each(predictor(run, checkpoint), paths, _raised) for record in answered.records]


def each(predictor: Predictor, paths: Sequence[Path], refuse: Callable[[MtlrunError], None]) -> Iterator[Answered]:
    """The answers file by file, pictures in batches; a file that is bad is told to `refuse`, and the others go on."""
    waiting: list[Given] = []
    for file in files_of(paths):
        try:
            given = predictor.reader.read(file)
        except (DataError, ConfigError) as error:
            refuse(error)
            continue
        if given.is_picture:
            waiting.append(given)
        if not given.is_picture or len(waiting) == predictor.network.batch_size:
            yield from predictor.together(waiting)
            waiting = []
        if not given.is_picture:
            yield predictor.answered(given)
    yield from predictor.together(waiting)


def _raised(error: MtlrunError) -> None:
    raise error
