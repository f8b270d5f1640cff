"""The tables that a run writes: their columns, an appender and a reader."""

from __future__ import annotations

import csv
import io
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mtlrun.errors import ResumeError

log = logging.getLogger("mtlrun")

METRICS = ("epoch", "step", "split", "task", "metric", "value")
"""metrics.csv, one value per line; split is train, val or test."""
TASKS = ("step", "task", "loss", "weight", "grad_norm", "rows")
"""tasks.csv; weight and grad_norm are empty where not known, rows counts labelled rows of the step."""
COSINES = ("step", "task_a", "task_b", "cosine")
"""cosines.csv: of the shared-parameter gradients before balancing; each pair once."""
GATES = ("step", "task", "gate", "expert", "weight")
"""gates.csv: the mean over a task's rows of the weight that its gate gives an expert; a task may have several gates."""

Value = str | float | None
Row = dict[str, Value]

_TEXT = frozenset(("split", "task", "metric", "task_a", "task_b", "gate"))


class CsvTable:
    """A CSV file that grows by whole lines and can be rolled back. Opening it drops a line torn by a kill.

    Args:
        path: of the file; made with its header if absent.
        columns: names, in order.

    Raises:
        ResumeError: if the file has other columns.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path = path
        self._columns = tuple(columns)
        header, _ = _parse(path)
        if header and header != [*columns]:
            raise ResumeError(f"{path} has columns {','.join(header)}, not {','.join(columns)}: use a new run folder")
        # Unbuffered: each append is one write. In append mode a write after a rollback goes to the new end.
        self._file = path.open("ab", buffering=0)
        self._cut(self.size())

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Write lines, in one piece; each row has one value per column, None for an empty cell."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([_cell(value) for value in row] for row in rows)
        self._file.write(text.getvalue().encode())

    def size(self) -> int:
        """Bytes so far: what a checkpoint keeps in order to come back to this point."""
        return os.fstat(self._file.fileno()).st_size

    def truncate(self, size: int) -> None:
        """Roll back to `size` bytes, or to the last whole line before; of a shorter file we warn."""
        if not isinstance(size, int) or size < 0:
            raise ValueError(f"{size} is no size of {self.path.name}")
        if self.size() < size:
            found = f"{self.size():,} of {size:,} bytes are left"
            log.warning("%s has lost lines that were there when the checkpoint was saved: %s", self.path, found)
        self._cut(size)

    def _cut(self, size: int) -> None:
        kept = self.path.read_bytes()[:size]
        whole = kept[: kept.rfind(b"\n") + 1]
        self._file.truncate(len(whole))
        if not whole:
            self.append([self._columns])

    def content(self) -> bytes:
        """All of it."""
        return self.path.read_bytes()

    def rebuild(self, content: bytes) -> None:
        """Roll back to what `content()` was at a checkpoint, whatever has become of the file since."""
        if self.content()[: len(content)] == content:
            self._cut(len(content))
            return
        log.warning("%s was changed or has lost lines: it is again as when the checkpoint was saved", self.path)
        self._file.truncate(0)
        self._file.write(content)

    def close(self) -> None:
        """Close the file; nothing is pending, since every append is written at once."""
        self._file.close()


class NoTable(CsvTable):
    """The table of a process that does not write."""

    def __init__(self) -> None:
        """Opens nothing."""

    def append(self, rows: Iterable[Sequence[object]]) -> None:
        """Nothing to do."""

    def size(self) -> int:
        return 0

    def truncate(self, size: int) -> None:
        """Nothing to do."""

    def content(self) -> bytes:
        return b""

    def rebuild(self, content: bytes) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


def read(path: Path) -> list[Row]:
    """The rows of a table: text, numbers and None for empty cells.

    An absent file has no rows. A last line without its end, and lines that are damaged, are left out.
    """
    header, rows = _parse(path)
    return [dict(zip(header, row)) for row in rows]


def read_columns(path: Path) -> dict[str, list[Value]]:
    """The same by column, in a fraction of the memory; {} if the file is absent or empty."""
    header, rows = _parse(path)
    columns = zip(*rows)
    return {name: list(next(columns, ())) for name in header}


def _cell(value: object) -> object:
    """Nine digits restore every float32 exactly; None is an empty cell."""
    return f"{value:.9g}" if isinstance(value, float) else value


def _parse(path: Path) -> tuple[list[str], Iterator[list[Value]]]:
    try:
        text = path.read_bytes().decode(errors="replace")
    except OSError:
        return [], iter(())
    lines = csv.reader(io.StringIO(text[: text.rfind("\n") + 1].replace("\0", "")))
    header = next(lines, [])
    return header, _typed(header, lines)


def _typed(header: list[str], lines: Iterable[list[str]]) -> Iterator[list[Value]]:
    names: dict[str, str] = {}  # equal texts share one object

    def shared(text: str) -> Value:
        return names.setdefault(text, text)

    parsers = [shared if name in _TEXT else _number for name in header]
    for line in lines:
        if len(line) != len(header):
            continue
        try:
            yield [parse(text) if text else None for parse, text in zip(parsers, line)]
        except ValueError:
            continue


def _number(text: str) -> Value:
    return int(text) if text.isdigit() else float(text)
