"""What is seen of a training while it goes on: a live bar on a terminal, else one entry per epoch."""

from __future__ import annotations

import logging
import sys
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, TextIO, TypeAlias

from rich.columns import Columns
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mtlrun.lines import RUN_LOG_ONLY, printable
from mtlrun.training.clock import Clock

log = logging.getLogger("mtlrun")

_REDRAW_SECONDS = 0.5  # a redraw costs 2 ms for 4 tasks, 9 ms for 40: under 2 % of the time
_WRAPPER = textwrap.TextWrapper(118, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)

_Handler: TypeAlias = "logging.StreamHandler[Any]"
Judged = Mapping[str, tuple[str, float]]
"""Per task the name and the value of its judging metric."""


class ProgressDisplay(Protocol):
    """What a trainer needs of a display; see `TerminalProgress`."""

    def __enter__(self) -> ProgressDisplay: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def update(self, step: int, epoch: int, losses: Mapping[str, float] | None = None) -> None: ...

    def report_epoch(self, epoch: int, judged: Judged, score: float | None, seconds: float) -> None: ...


class ProgressFactory(Protocol):
    """Makes a display: the class `TerminalProgress`, or whatever stands in for it."""

    def __call__(
        self, total_steps: int, tasks: Sequence[str], batch_size: int, *, start: int = 0
    ) -> ProgressDisplay: ...


class TerminalProgress:
    """Shows how far a training is; use as a context manager around the loop.

    Lines that are printed or logged meanwhile appear above the bar.

    Args:
        total_steps: of the whole training.
        tasks: names, in the order in which they are shown.
        batch_size: rows per step.
        console: where to show; standard output by default.
        live: a bar that redraws itself; by default if the console is a terminal.
        start: steps that were done before, in a resumed run.
    """

    def __init__(
        self,
        total_steps: int,
        tasks: Sequence[str],
        batch_size: int,
        console: Console | None = None,
        live: bool | None = None,
        start: int = 0,
    ) -> None:
        self._console = console or Console()
        terminal = self._console.is_terminal and not self._console.is_dumb_terminal
        self._live_wanted = terminal if live is None else live
        self._live: Live | None = None
        self._streams: list[tuple[_Handler, TextIO]] = []
        self._total, self._tasks = total_steps, tuple(tasks)
        self._clock = Clock(total_steps, batch_size)
        self._step, self._epoch, self._next_redraw = start, 0, 0.0
        self._losses: Mapping[str, float] = {}
        self._judged: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> TerminalProgress:
        if self._live_wanted:
            before = {sys.stdout: "stdout", sys.stderr: "stderr"}
            self._live = Live(
                console=self._console,
                auto_refresh=False,
                vertical_overflow="crop",
                redirect_stdout=sys.stdout.isatty(),  # output that goes to a file stays there
                redirect_stderr=sys.stderr.isatty(),
            )
            self._live.start()
            self._streams = [*_redirected(before)]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is None:
            return
        self._redraw()
        for handler, stream in self._streams:
            handler.setStream(stream)
        self._live.stop()
        self._live = None

    def update(self, step: int, epoch: int, losses: Mapping[str, float] | None = None) -> None:
        """Say that `step` (from 1) is done; `losses` by task where known. Cheap: call it every step."""
        now = time.monotonic()
        if step > self._step:  # what comes once more, with the means of an epoch, comes after its evaluation
            self._clock.advance(step, now)
        self._step, self._epoch = step, epoch
        if losses is not None:
            self._losses = losses
        if now >= self._next_redraw:
            self._clock.mark()
            self._next_redraw = now + _REDRAW_SECONDS
            self._redraw()

    def report_epoch(self, epoch: int, judged: Judged, score: float | None, seconds: float) -> None:
        """Show the judging metric of each task, (name, value), after an evaluation.

        Args:
            epoch: the one that ended.
            judged: per task the metric's name and value on validation data.
            score: what the best epoch is chosen by; None if there is none.
            seconds: that the epoch took.
        """
        self._judged.update(judged)
        self._clock.pause(time.monotonic())
        entry = self._plain(epoch, judged, score, seconds)
        log.info(entry, extra=RUN_LOG_ONLY)
        if self._live is None:
            self._console.print(entry, markup=False, highlight=False, soft_wrap=True)
        else:
            self._redraw()

    def _redraw(self) -> None:
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)

    def _picture(self) -> Group:
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(no_wrap=True)
        line.add_column(ratio=1)
        line.add_column(no_wrap=True)
        bar = ProgressBar(total=max(1, self._total), completed=self._step)
        line.add_row(f"epoch {self._epoch}  step {self._step}/{self._total}", bar, self._clock.words())
        entries = [Text(entry, style="dim") for entry in self._entries(self._judged)]
        return Group(line, Columns(entries, padding=(0, 2)))

    def _plain(self, epoch: int, judged: Judged, score: float | None, seconds: float) -> str:
        words = [f"epoch {epoch}", f"step {self._step}/{self._total}"]
        words += [] if score is None else [f"score {score:.4f}"]
        head = ", ".join([*words, f"{seconds:.1f} s", self._clock.words()])
        # Spaces inside an entry must not break; they are put back when the lines are done.
        entries = "; ".join(entry.replace(" ", "\0") for entry in self._entries(judged))
        text = f"{head}: {entries}" if entries else head
        return "\n".join(_WRAPPER.wrap(text)).replace("\0", " ")

    def _entries(self, judged: Judged) -> Iterator[str]:
        for task in self._tasks:
            words = [task]
            if task in judged:
                words.append(f"{judged[task][0]} {judged[task][1]:.4g}")
            if task in self._losses:
                words.append(f"loss {self._losses[task]:.4g}")
            if len(words) > 1:
                yield printable(" ".join(words))


def _redirected(before: Mapping[TextIO, str]) -> Iterator[tuple[_Handler, TextIO]]:
    """Point log handlers, which keep the stream they were made with, to what replaced it; yield the old."""
    loggers = [logging.root, *map(logging.getLogger, logging.root.manager.loggerDict)]
    for handler in {handler for logger in loggers for handler in logger.handlers}:
        if not isinstance(handler, logging.StreamHandler):
            continue
        stream = handler.stream
        if stream in before:
            handler.setStream(getattr(sys, before[stream]))
            yield handler, stream
