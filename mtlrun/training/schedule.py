"""Learning-rate schedules: advanced each step or epoch, and continued after a resume with other options."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

import torch

from mtlrun.errors import ConfigError, ResumeError, choose


class Schedule:
    """A torch scheduler that is advanced each step or each evaluated epoch.

    Args:
        scheduler: from torch.optim.lr_scheduler, not advanced yet; None keeps the rates.
        interval: 'step' or 'epoch'.
        options: that the scheduler was made with, those that follow from the length of the run included.
    """

    def __init__(self, scheduler: Any | None, interval: str = "step", options: Mapping[str, Any] | None = None) -> None:
        self.scheduler = scheduler
        self.interval = choose(interval, ("step", "epoch"), "scheduler.interval")
        self._wants_score = isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
        if self._wants_score and interval == "step":
            raise ConfigError("scheduler.interval=step: ReduceLROnPlateau follows the validation score, choose epoch")
        self._passed = {"step": 0, "epoch": 0}
        self._defined = 0
        groups = [] if scheduler is None else scheduler.optimizer.param_groups
        self._fresh = [{key: value for key, value in group.items() if key != "params"} for group in groups]
        groups_plain = [_plain(group) for group in self._fresh]
        self._made_of = {"options": _plain(options or {}), "interval": interval, "groups": groups_plain}

    def after_step(self) -> None:
        self._passed["step"] += 1
        if self.scheduler is not None and self.interval == "step":
            self.scheduler.step()

    def after_epoch(self, score: float | None, defined: int = 1) -> None:
        """Advance a schedule by epochs.

        Args:
            score: of validation, higher is better; None if this epoch was not evaluated.
            defined: number of tasks that it is a mean of. A mean of fewer is no improvement, whatever its value, and
                one of more is the first that later ones are compared with.
        """
        self._passed["epoch"] += 1
        if self.scheduler is None or self.interval != "epoch":
            return
        if not self._wants_score:
            self.scheduler.step()
        elif score is not None:
            if defined > self._defined:
                self.scheduler.best, self._defined = self.scheduler.mode_worse, defined
            if self.scheduler.threshold_mode == "rel":
                # a rise by a share of the best: torch's factor is one of growth, and would ask a best below 0 to fall
                self.scheduler.threshold = math.copysign(self.scheduler.threshold, self.scheduler.best)
            self.scheduler.step(score if defined == self._defined and not math.isnan(score) else -math.inf)

    def state_dict(self) -> dict[str, Any]:
        if self.scheduler is None:
            return {}
        position = {"passed": dict(self._passed), "defined": self._defined}
        return {"scheduler": self.scheduler.state_dict(), "made_of": self._made_of, **position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state_dict` was taken; call after the optimizer's state was loaded.

        With other options than then, of the scheduler or of the optimizer, or another length of the run, rates become
        what they would be at this place had training begun with these.

        Raises:
            ResumeError: if a schedule of these options does not reach this place.
        """
        if self.scheduler is None or not state:
            return
        self._passed, self._defined = dict(state["passed"]), state["defined"]
        if state["made_of"] == self._made_of:
            self.scheduler.load_state_dict(state["scheduler"])
        elif self._wants_score:
            self._follow_on(state["scheduler"], [group["lr"] for group in state["made_of"]["groups"]])
        else:
            self._advance()

    def _advance(self) -> None:
        """Walk from the start to this place, since most schedulers only know a rate from the one before."""
        assert self.scheduler is not None
        self._renew_groups()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # the optimizer stands still meanwhile
                for _ in range(self._passed[self.interval]):
                    self.scheduler.step()
        except ValueError as error:
            passed = f"{self._passed[self.interval]} {self.interval}s have passed"
            raise ResumeError(f"a scheduler with these options ends before the run: {passed} ({error})") from error

    def _follow_on(self, saved: dict[str, Any], began_with: list[float]) -> None:
        """Keep what has been observed and by how much rates have fallen; take all else from the options."""
        assert self.scheduler is not None
        groups = self.scheduler.optimizer.param_groups
        left = [group["lr"] / first if first else 1.0 for group, first in zip(groups, began_with)]
        self._renew_groups()
        for group, part in zip(groups, left):
            group["lr"] *= part
        for name in ("best", "num_bad_epochs", "cooldown_counter", "last_epoch"):
            setattr(self.scheduler, name, saved[name])

    def _renew_groups(self) -> None:
        """Undo what loading the optimizer's state has done to its options."""
        assert self.scheduler is not None
        for group, fresh in zip(self.scheduler.optimizer.param_groups, self._fresh):
            group.update(fresh)


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and texts alone, as a checkpoint gives them back."""
    return {
        key: list(value) if isinstance(value, tuple | list) else value
        for key, value in options.items()
        if isinstance(value, bool | int | float | str | tuple | list)
    }
