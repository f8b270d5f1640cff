"""How fast a training goes, and how long it will still take. No torch here."""

from __future__ import annotations

from collections import deque

_RATE_SECONDS = 5.0  # rows per second are those of about so long


class Clock:
    """Times the steps of a training.

    Rows per second are of training alone; the time left counts everything, such as evaluation between epochs.

    Args:
        total_steps: of the whole training.
        batch_size: rows per step.
    """

    def __init__(self, total_steps: int, batch_size: int) -> None:
        self._total, self._batch_size = total_steps, batch_size
        self._step, self._now, self._paused = 0, 0.0, True
        self._steps, self._seconds = 0, 0.0  # of training, without pauses and without the step after each
        self._marks: deque[tuple[int, float]] = deque()
        self._first: tuple[int, float] | None = None

    def advance(self, step: int, now: float) -> None:
        """Note that `step` was done at `now` (seconds); cheap enough for every step."""
        if self._paused:
            self._first = self._first or (step, now)
            self._paused = False
        else:
            self._steps += step - self._step
            self._seconds += now - self._now
        self._step, self._now = step, now

    def pause(self, now: float) -> None:
        """Note that something other than training went on until `now`."""
        self._now, self._paused = now, True

    def mark(self) -> None:
        """Remember this moment as the start of a window for the rate; call it now and then."""
        self._marks.append((self._steps, self._seconds))
        while len(self._marks) > 2 and self._seconds - self._marks[1][1] > _RATE_SECONDS:
            self._marks.popleft()

    def rows_per_second(self) -> float:
        """Of the last few seconds of training; 0 as long as it is not known."""
        steps, seconds = self._marks[0] if self._marks else (0, 0.0)
        if self._seconds <= seconds:
            steps, seconds = 0, 0.0
        return self._batch_size * (self._steps - steps) / (self._seconds - seconds) if self._seconds else 0.0

    def seconds_left(self) -> float | None:
        """By the mean duration of a step since the start; None as long as it is not known."""
        if self._first is None or self._step <= self._first[0]:
            return None
        per_step = (self._now - self._first[1]) / (self._step - self._first[0])
        return per_step * max(0, self._total - self._step)

    def words(self) -> str:
        """Such as '12,345 rows/s, 1:02:03 left'."""
        left = self.seconds_left()
        return f"{self.rows_per_second():,.0f} rows/s" + ("" if left is None else f", {duration(left)} left")


def duration(seconds: float) -> str:
    """Such as 0:07 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
