"""The runs of an advice: jobs of sweeps in its folder, trained, trained on, and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mtlrun.advice.arrangement import Arrangement
from mtlrun.advice.ledger import Ledger
from mtlrun.advice.lengths import TrainingLength
from mtlrun.cli.listed import train_listed
from mtlrun.cli.rerun import rerun_jobs
from mtlrun.cli.sweep import Job
from mtlrun.commands import setting_group, setting_key
from mtlrun.config.words import quoted_text
from mtlrun.reporting.entries import Entry, read_entry
from mtlrun.reporting.settings import settings
from mtlrun.runs.reader import Run, find_runs
from mtlrun.runs.sweeps import RECORD, listed_jobs

_LEAN = ("diagnostics.every=0", "diagnostics.plots=false", "diagnostics.pictures=0")
"""What an advice does not look at; it moves no number."""

Wanted = dict[tuple[str, ...], tuple[Arrangement, int]]
"""The words of a job, those of the length with which it begins included -> arrangement and seed."""


class Stopped(Exception):
    """A sweep ended before its time: by a signal, or by a mistake that was told."""

    def __init__(self, code: int) -> None:
        super().__init__(f"stopped with code {code}")
        self.code = code


def run_words(words: Sequence[str], arrangement: Arrangement) -> list[str]:
    """The settings of a run, without seed and length.

    Args:
        words: the user's own.
        arrangement: how the tasks are put into networks.
    """
    kept = [word for word in words if arrangement.keeps_balancer or setting_group(word) != "balancer"]
    lean = [word for word in _LEAN if not any(setting_key(own) == setting_key(word) for own in words)]
    return [*lean, *kept, *arrangement.words]


class AdvisedRuns:
    """Measures arrangements at a length, as far as the ledger lacks them.

    Each sweep of the folder holds the jobs that were wanted when it was started; the same jobs are trained on in it.

    Args:
        ledger: in the folder of the advice.
        words: the user's settings. hydra_words: of the node `hydra`, such as hydra/launcher=joblib.
        seeds: of every arrangement.
        length: as configured.
    """

    def __init__(
        self, ledger: Ledger, words: Sequence[str], hydra_words: Sequence[str], seeds: int, length: TrainingLength
    ) -> None:
        self._folder, self._hydra_words, self._seeds = ledger.folder, hydra_words, range(seeds)
        self._words = [word for word in words if setting_key(word) != length.key]
        self._length, self._ledger = length, ledger
        self._errors: dict[str, str] = {}

    def measure(self, arrangements: Sequence[Arrangement], first: int, length: int) -> Mapping[str, list[Entry]]:
        """Name -> the runs of this length that have finished, by seed.

        Args:
            arrangements: how the tasks are put into networks.
            first: the length with which a run begins, before it goes on.
            length: at which it is scored.

        Raises:
            Stopped: if the training was interrupted, or refused.
        """
        wanted = self._wanted(arrangements, first, length)
        if wanted:
            self._train(wanted, length)
        for (arrangement, _), run in self._runs(wanted):
            if self._is_at(run, length):
                self._ledger.put(arrangement.name, length, [read_entry(run)])
            elif run.error:
                self._errors[arrangement.name] = run.error
        return {one.name: self._ledger.entries(one.name, length, self._seeds) for one in arrangements}

    def failure(self, name: str) -> str:
        """Why a run of the arrangement failed, in one line."""
        return self._errors.get(name, "no reason is known")

    def _wanted(self, arrangements: Sequence[Arrangement], first: int, length: int) -> Wanted:
        return {
            (*run_words(self._words, one), f"seed={seed}", self._length.word(first)): (one, seed)
            for one in arrangements
            for seed in self._ledger.lacks(one.name, length, self._seeds)
        }

    def _train(self, wanted: Wanted, length: int) -> None:
        """Go on with the jobs that there are, and start the others in a sweep of their own."""
        at_length = {tuple(run.overrides) for _, run in self._runs(wanted) if self._is_at(run, length)}
        sweeps = {sweep: listed_jobs(sweep) for sweep in self._sweeps()}
        for sweep, jobs in sweeps.items():
            if (jobs & wanted.keys()) - at_length:
                self._check(
                    rerun_jobs(
                        sweep, [self._length.word(length)], self._hydra_words, self._due(wanted, length), show=False
                    )
                )
        missing = [words for words in wanted if not any(words in jobs for jobs in sweeps.values())]
        if missing:
            place = self._folder / f"sweep{len(sweeps) + 1}"
            self._check(train_listed(missing, [*self._hydra_words, f"hydra.sweep.dir={quoted_text(str(place))}"]))

    def _due(self, wanted: Wanted, length: int) -> Callable[[Job], bool]:
        return lambda job: tuple(job.overrides) in wanted and not self._is_at(Run(job.folder), length)

    @staticmethod
    def _check(code: int) -> None:
        if code > 1:  # 1: a run has failed, and the others went on
            raise Stopped(code)

    def _sweeps(self) -> list[Path]:
        return sorted(path.parent for path in self._folder.glob(f"*/{RECORD}"))

    def _runs(self, wanted: Wanted) -> list[tuple[tuple[Arrangement, int], Run]]:
        found = [(wanted.get(tuple(run.overrides)), run) for run in find_runs(self._folder)]
        return [(which, run) for which, run in found if which is not None]

    def _is_at(self, run: Run, length: int) -> bool:
        """Whether the run has finished at this length."""
        return run.status == "finished" and settings(run).get(self._length.key) == length
