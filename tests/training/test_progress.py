import contextlib
import io
import logging
import re
import sys

import pytest
from rich.console import Console

from mtlrun.training import progress as progress_module
from mtlrun.training.clock import Clock, duration
from mtlrun.training.progress import TerminalProgress


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def now(monkeypatch):
    """The time in seconds, as a list of one: tests move it on."""
    seconds = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: seconds[0])
    return seconds


def _shown(text):
    """What is left on screen of a live display that only ever erases its own lines."""
    screen = [""]
    for part in re.split(r"(\n|\x1b\[1A|\x1b\[2K)", text):
        if part == "\n":
            screen.append("")
        elif part == "\x1b[1A":
            screen.pop()
        elif part == "\x1b[2K":
            screen[-1] = ""
        else:
            screen[-1] += re.sub(r"\x1b\[[0-9?;]*[a-zA-Z]|\r", "", part)
    return [line.rstrip() for line in screen if line.strip()]


def test_plain_output_is_one_entry_per_epoch(now):
    text = io.StringIO()
    with TerminalProgress(200, ["left", "right"], batch_size=8, console=Console(file=text)) as progress:
        for step in range(1, 101):
            now[0] += 0.1
            progress.update(step, 0, {"left": 0.75, "right": 0.75})
        now[0] += 30  # of evaluation
        progress.update(100, 0, {"left": 0.5, "right": 0.25})  # the means of the epoch
        progress.report_epoch(0, {"left": ("accuracy", 0.91234), "right": ("rmse", 12.5)}, 0.75, 10.0)
    assert text.getvalue() == (
        "epoch 0, step 100/200, score 0.7500, 10.0 s, 80 rows/s, 0:40 left: left accuracy 0.9123 loss 0.5;\n"
        "    right rmse 12.5 loss 0.25\n"
    )


@pytest.mark.parametrize("num_tasks", [1, 40])
def test_plain_lines_wrap_between_tasks(num_tasks):
    text = io.StringIO()
    names = [f"task-{number}" for number in range(num_tasks)]
    with TerminalProgress(10, names, batch_size=8, console=Console(file=text, width=40)) as progress:
        progress.update(10, 1)
        progress.report_epoch(1, dict.fromkeys(names, ("macro_f1", 0.5)), None, 1.0)
    lines = text.getvalue().splitlines()
    assert all(len(line) <= 118 for line in lines)
    assert sum(len(re.findall(r"task-\d+ macro_f1 0\.5", line)) for line in lines) == num_tasks
    assert all(line.startswith("    ") for line in lines[1:])


def test_live_bar_shows_state_and_metrics(now):
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True, width=100)
    with TerminalProgress(1000, ["left"], batch_size=32, console=console) as progress:
        for step in range(1, 51):
            now[0] += 0.1
            progress.update(step, 2, None)
        progress.report_epoch(2, {"left": ("accuracy", 0.875)}, 0.8, 5.0)
    first, second = _shown(terminal.getvalue())
    assert first.startswith("epoch 2  step 50/1000")
    assert first.endswith("320 rows/s, 1:35 left")
    assert second == "left accuracy 0.875"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_log_lines_appear_above_the_bar(monkeypatch, stream):
    terminal = Terminal()
    monkeypatch.setattr(sys, stream, terminal)
    handler = logging.StreamHandler(terminal)
    logger = logging.getLogger("test-progress")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)
    console = Console(file=terminal, force_terminal=True, width=80)
    with TerminalProgress(10, ["a"], batch_size=1, console=console) as progress:
        progress.update(1, 0)
        logger.warning("something happened")
        print("printed", file=getattr(sys, stream))
        progress.update(2, 0)
    assert handler.stream is terminal
    assert getattr(sys, stream) is terminal
    lines = _shown(terminal.getvalue())
    assert lines[:2] == ["something happened", "printed"]
    assert lines[2].startswith("epoch 0  step 2/10")
    assert len(lines) == 3


def test_an_exception_leaves_the_terminal_in_order():
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True)
    with contextlib.suppress(KeyError), TerminalProgress(10, ["a"], batch_size=1, console=console) as progress:
        progress.update(1, 0)
        raise KeyError
    assert terminal.getvalue().endswith("\x1b[?25h")  # the cursor is back


def test_redraws_are_rare(now):
    terminal = Terminal()
    console = Console(file=terminal, force_terminal=True)
    with TerminalProgress(10**6, ["a"], batch_size=1, console=console) as progress:
        progress.update(1, 0)
        before = len(terminal.getvalue())
        for step in range(2, 1000):
            now[0] += 1e-5
            progress.update(step, 0)
        assert len(terminal.getvalue()) == before
        now[0] += 1
        progress.update(1000, 0)
        assert len(terminal.getvalue()) > before


def test_a_resumed_run_starts_where_it_was():
    terminal = Terminal()
    with TerminalProgress(10, ["a"], 1, Console(file=terminal, force_terminal=True), start=7) as progress:
        assert progress is not None
    assert "step 7/10" in "".join(_shown(terminal.getvalue()))


def test_rate_is_of_training_alone_and_of_late():
    clock = Clock(total_steps=1000, batch_size=10)
    assert clock.words() == "0 rows/s"
    now = 0.0
    for step in range(500, 601):  # resumed at 500; slow at first
        now += 0.1 if step < 550 else 0.01
        clock.advance(step, now)
        clock.mark()
    clock.pause(now := now + 20)
    for step in range(601, 611):
        now += 0.01
        clock.advance(step, now)
        clock.mark()
    assert 100 < clock.rows_per_second() < 1000
    assert clock.seconds_left() == pytest.approx((now - 0.1) / 110 * 390)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (3599.4, "59:59"), (3723, "1:02:03")])
def test_durations(seconds, text):
    assert duration(seconds) == text
