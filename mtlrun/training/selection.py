"""Which epoch is the best one; and the test scores, by which nothing is chosen unless a user asks for it by name."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from mtlrun.data.source import Source
from mtlrun.errors import ResumeError
from mtlrun.tasks.base import Task
from mtlrun.training.evaluate import Evaluator, Scores
from mtlrun.training.recorder import MetricsTable
from mtlrun.training.score import Reference, RelativeGain, epoch_score
from mtlrun.training.settings import Select, SelectOn


class Selection:
    """Keeps the best score, counts evaluations without a better one, and keeps the scores of the best and the last.

    Scores are compared over the same tasks: an epoch in which more tasks have one is better, whatever it is, and one in
    which fewer have is not. So NaN never stays the best where a number follows.

    Args:
        tasks: by name.
        monitor: 'TASK/METRIC' to go by instead of a score over all tasks; its direction is taken from the metric.
        patience: evaluations without a better score after which training should stop; None for never.
        select: what the score is; under `last` every epoch is better than those before it.
        reference: of the rules that measure gains, see `RelativeGain`.
        on: the split whose scores choose; the score of validation, `best_score`, is written down either way.
    """

    def __init__(
        self,
        tasks: Mapping[str, Task],
        monitor: str | None = None,
        patience: int | None = None,
        select: Select = Select.geometric,
        reference: Reference | str | None = None,
        on: SelectOn = SelectOn.val,
    ) -> None:
        self.tasks, self.patience, self.on, self._monitor = tasks, patience, on, monitor
        self.rule = "monitor" if monitor is not None else select.value
        self.best_score = -math.inf
        self.best_epoch: int | None = None
        self.best_defined = 0
        self.waited = 0
        self.validation: dict[str, Scores] = {}  # 'best' and 'last'
        self._highest = -math.inf  # what epochs were compared by; `best_score` where validation chooses
        self._measures = {split.value: epoch_score(tasks, select, monitor, reference) for split in SelectOn}

    @property
    def on_test(self) -> bool:
        """Whether test scores choose the epoch."""
        return self.on == SelectOn.test

    def meaning(self) -> str:
        """What `score` in an epoch's line is, in words."""
        return f"score: {self._measures['val'].meaning()}"

    def score(self, scores: Scores, split: str = "val") -> float:
        """What epochs are compared by; higher is better."""
        return self._measures[split].value(scores)

    def defined(self, scores: Scores, split: str = "val") -> int:
        """Number of tasks that the score is made of; 0 where it says nothing."""
        return self._measures[split].defined(scores)

    def update(self, scores: Scores, epoch: int, test: Scores | None = None) -> bool:
        """Note the validation scores of an epoch; True if it is the best so far.

        Args:
            scores: of validation.
            epoch: counted from 0.
            test: scores on test rows; given, and looked at, only where they choose.
        """
        chosen_by = scores if test is None else test
        split = "val" if test is None else "test"
        score, defined = self.score(chosen_by, split), self.defined(chosen_by, split)
        better = defined > self.best_defined or (defined == self.best_defined and score > self._highest)
        better = better or self.best_epoch is None or self.rule == Select.last.value
        self.validation["last"] = scores
        if better:
            self._highest, self.best_defined, self.best_epoch, self.waited = score, defined, epoch, 0
            self.best_score = self.score(scores)
            self.validation["best"] = scores
        else:
            self.waited += 1
        return better

    def exhausted(self) -> bool:
        """Whether patience has run out."""
        return self.patience is not None and self.waited >= self.patience

    def stated(self) -> dict[str, Any]:
        """How the epoch was chosen, for the summary: the rule, the split, and the reference of a rule that has one."""
        measure = self._measures[self.on.value]
        reference = {"reference": measure.reference} if isinstance(measure, RelativeGain) else {}
        return {"select": self.rule, "on": self.on.value, **reference}

    def state_dict(self) -> dict[str, Any]:
        best = {"best_score": self.best_score, "best_epoch": self.best_epoch, "best_defined": self.best_defined}
        references = {
            split: {task: {**values} for task, values in measure.reference.items()}
            for split, measure in self._measures.items()
            if isinstance(measure, RelativeGain) and measure.reference
        }
        rule = {"rule": self.rule, "on": self.on.value, "monitor": self._monitor}
        chosen = {"highest": self._highest, **rule, "references": references}
        return {**best, **chosen, "waited": self.waited, "validation": dict(self.validation)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on comparing.

        Raises:
            ResumeError: if the epochs so far were compared by another rule: their best is unknown under this one.
        """
        rule, on = state.get("rule", self.rule), state.get("on", self.on.value)
        monitor = state.get("monitor", self._monitor)
        if (rule, on, monitor) != (self.rule, self.on.value, self._monitor):
            named = f"trainer.select={rule}" if monitor is None else f"trainer.monitor={monitor}"
            raise ResumeError(_compared(f"by {named} trainer.select_on={on}"))
        self.best_score, self.best_epoch = state["best_score"], state["best_epoch"]
        self._highest = state.get("highest", self.best_score)
        self.best_defined, self.waited = state["best_defined"], state["waited"]
        self.validation = dict(state["validation"])
        for split, reference in state.get("references", {}).items():
            measure = self._measures[split]
            assert isinstance(measure, RelativeGain)
            if measure.reference not in (None, reference):
                raise ResumeError(_compared("with another trainer.reference"))
            measure.reference = reference


def _compared(how: str) -> str:
    return f"the epochs so far were compared {how}: keep it, or start a new run"


class TestScores:
    """Scores on the test rows by step, each measured and written once.

    Args:
        evaluator: measures them.
        sources: of the test split.
        metrics: where they are written.
        late: the last steps of the epochs over which scores are averaged, where papers do so.
    """

    def __init__(
        self, evaluator: Evaluator, sources: Sequence[Source], metrics: MetricsTable, late: Collection[int]
    ) -> None:
        self._evaluator, self._sources, self._metrics, self._late = evaluator, sources, metrics, late
        self._by_step: dict[int, Scores] = {}

    def at(self, epoch: int, step: int) -> Scores:
        """Of the network, which must be that of this epoch and step."""
        if step not in self._by_step:
            self._by_step[step] = self._evaluator.evaluate(self._sources)
            self._metrics.write(epoch, step, "test", self._by_step[step])
        return self._by_step[step]

    def after_epoch(self, epoch: int, step: int) -> None:
        """Test the network if it is one of several whose scores are averaged."""
        if step in self._late:
            self.at(epoch, step)

    def late(self) -> list[Scores]:
        """Those that are averaged, as far as the run has come."""
        return [scores for step, scores in self._by_step.items() if step in self._late]

    def state_dict(self) -> dict[str, Any]:
        return {"by_step": dict(self._by_step)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._by_step = dict(state["by_step"])
