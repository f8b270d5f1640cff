"""The contract of a sampler: which task's data each row of a batch is drawn from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """A point of training: the step and epoch that begin, and the fraction of all steps that is over."""

    step: int
    epoch: int
    fraction: float


class Sampler(ABC):
    """A pure function of the progress of training: nothing that happens in training changes what is drawn,
    except the order of rows for samplers that want row losses."""

    wants_row_losses: ClassVar[bool] = False
    """True where the rows in use are chosen by their loss, measured anew before each epoch."""

    @abstractmethod
    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        """p_t of every active task (an absent one is inactive); they sum to 1.

        Args:
            sizes: task -> number of training rows that are labelled for it.
        """

    def check(self, tasks: Collection[str]) -> None:  # noqa: B027 (most samplers name no task)
        """Raise ConfigError for an option that names a task which is not among these; called before training."""

    def share_in_use(self, progress: TrainingProgress) -> float:
        """Share of each pool's rows, easiest first, that may be drawn."""
        return 1.0


def normalised(shares: Mapping[str, float]) -> dict[str, float]:
    """The shares divided by their sum."""
    total = sum(shares.values())
    return {task: share / total for task, share in shares.items()}
