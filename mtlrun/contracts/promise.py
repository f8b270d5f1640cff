"""What a part promises, as functions that look. Whoever wrote the part: ours and a user's are checked alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

import torch
from torch import Tensor

from mtlrun.errors import ConfigError, MtlrunError


class Broken(Exception):
    """What was found where a promise does not hold."""


class Skipped(Exception):
    """Why a promise could not be looked at."""


class BrokenPromise(ConfigError):
    """One line: the kind of part, its class, the promise, what was found."""


class Subject(Protocol):
    """A part, with what it takes to look at it."""

    @property
    def name(self) -> str:
        """Of its class."""


S = TypeVar("S", bound=Subject)
Outcome = Literal["ok", "broken", "skipped"]


@dataclass(frozen=True)
class Verdict:
    """How one promise of one part came out; `found` is empty where it is kept."""

    part: str
    words: str
    outcome: Outcome
    found: str = ""


@dataclass(frozen=True)
class Promise(Generic[S]):
    """kind: of part. words: what is promised. look: raises `Broken`, `Skipped`, or any error of the part's own."""

    kind: str
    words: str
    look: Callable[[S], None]

    def check(self, subject: S) -> None:
        """Look, with draws that are the same each time and leave the caller's as they were.

        Raises:
            BrokenPromise: if the promise does not hold, or the part raised an error.
            Skipped: if there is nothing to look at.
        """
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(0)
            try:
                self.look(subject)
            except Broken as broken:
                raise broken_promise(self.kind, subject.name, self.words, str(broken)) from broken
            except (Skipped, BrokenPromise):
                raise
            except Exception as error:
                found = str(error) if isinstance(error, MtlrunError) else f"{type(error).__name__}: {error}"
                raise broken_promise(self.kind, subject.name, self.words, f"it raised {found}") from error

    def verdict(self, subject: S) -> Verdict:
        """`check` as a value."""
        part = f"{self.kind} {subject.name}"
        try:
            self.check(subject)
        except BrokenPromise as error:
            return Verdict(part, self.words, "broken", _one_line(error.__cause__, str(error)))
        except Skipped as why:
            return Verdict(part, self.words, "skipped", str(why))
        return Verdict(part, self.words, "ok")

    def __str__(self) -> str:
        return self.look.__name__


class Promises(Generic[S]):
    """The promises of one kind of part, in the order in which they were written."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._all: list[Promise[S]] = []

    def __call__(self, words: str) -> Callable[[Callable[[S], None]], Promise[S]]:
        """Decorator: the function below looks whether this is kept."""

        def add(look: Callable[[S], None]) -> Promise[S]:
            promise = Promise(self.kind, words, look)
            self._all.append(promise)
            return promise

        return add

    def __iter__(self) -> Iterator[Promise[S]]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, promise: object) -> bool:
        return promise in self._all

    def check(self, subject: S) -> None:
        """Raise BrokenPromise for the first promise that the part breaks; what cannot be looked at passes."""
        for promise in self:
            try:
                promise.check(subject)
            except Skipped:
                continue

    def verdicts(self, subject: S) -> Iterator[Verdict]:
        """How each promise comes out, one after the other."""
        return (promise.verdict(subject) for promise in self)


def broken_promise(kind: str, name: str, words: str, found: str) -> BrokenPromise:
    """The error with its line."""
    return BrokenPromise(f"{kind} {name} breaks its promise '{words}': {' '.join(found.split())}")


def demand(holds: object, found: str) -> None:
    """Raise `Broken` unless it holds."""
    if not holds:
        raise Broken(found)


def near(one: Tensor, other: Tensor, tolerance: float = 1e-4) -> bool:
    """Whether two tensors agree up to a share of each number, and a tenth of it of the largest one (at least of 1)."""
    one, other = one.detach(), other.detach()
    largest = max(1.0, float(one.abs().max())) if one.numel() else 1.0
    return one.shape == other.shape and torch.allclose(one, other, rtol=tolerance, atol=tolerance / 10 * largest)


def _one_line(cause: BaseException | None, line: str) -> str:
    """What was found, without the part and the promise, which stand beside it."""
    found = str(cause) if isinstance(cause, Broken) else line.partition("': ")[2]
    return " ".join(found.split())
