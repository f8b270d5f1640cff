"""Smooth Tchebycheff scalarization (Lin, Zhang, Yang, Liu, Wang & Zhang 2024, arXiv:2402.19078)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import LossBalancer
from mtlrun.balancers.number_per_task import NumberPerTask
from mtlrun.balancers.state import PerTask
from mtlrun.errors import ConfigError, choose
from mtlrun.options import positive, whole


class STCH(LossBalancer):
    """A smooth maximum over the tasks; the weights are its derivatives with respect to the losses.

    form='losses' is the scalarization of the paper: total = mu logsumexp_t(lambda_t (L_t - z_t) / mu), with
    preferences lambda on the simplex of the active tasks and the ideal point z: w = lambda softmax(lambda (L - z)/mu).

    form='log_ratios' is the recipe of its multi-task experiments, as in the authors' code: for `warmup` epochs
    total = sum_t log L_t; the mean losses n_t of the last of them (the nadir) then give
    total = T mu logsumexp_t(log(L_t / n_t) / mu), so w_t = T softmax(log(L / n) / mu)_t / L_t.

    Deviations from the authors' code: a loss that is not positive has no logarithm and gets weight 0, in place of an
    added 1e-20; a task without a loss in the nadir's epoch takes its first positive loss after it as its nadir.

    Args:
        mu: smoothing; towards 0 only the largest term counts, for large values w approaches lambda / T.
        form: 'losses' or 'log_ratios'.
        task_weights: task name -> preference > 0, in proportion; 1 for the others. Only for form='losses'.
        ideal: task name -> z_t; 0 for the others. Only for form='losses'.
        warmup: epochs before form='log_ratios' sets in.
    """

    def __init__(
        self,
        mu: float = 1.0,
        form: str = "losses",
        task_weights: Mapping[str, float] | None = None,
        ideal: Mapping[str, float] | None = None,
        warmup: int = 5,
    ) -> None:
        self.mu = positive("balancer.mu", mu)
        self.form = choose(form, ("losses", "log_ratios"), "balancer.form")
        self.warmup = whole("balancer.warmup", warmup)
        self._preference = NumberPerTask("task_weights", task_weights, 1.0, above=0.0)
        self._ideal = NumberPerTask("ideal", ideal, 0.0)
        for option in (self._preference, self._ideal):
            if option.given and self.form != "losses":
                raise ConfigError(
                    f"balancer.{option.option} has no meaning with balancer.form={self.form}; leave it out"
                )
        self._nadir = PerTask(0.0)
        self._count = PerTask(0.0)
        self._epochs = 0

    def check(self, tasks: Sequence[str]) -> None:
        self._preference.check(tasks)
        self._ideal.check(tasks)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        if self.form == "log_ratios":
            return self._of_log_ratios(losses, tasks)
        preference = self._preference.get(tasks, losses)
        preference = preference / preference.sum()
        return preference * self._softmax(preference * (losses - self._ideal.get(tasks, losses)))

    def _of_log_ratios(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        usable = losses > 0
        shares = torch.ones_like(losses)
        if self._epochs >= self.warmup:
            nadir = self._nadir.get(tasks, losses)
            ratios = torch.where(nadir > 0, losses / nadir, 1.0)
            shares = len(tasks) * self._softmax(torch.where(usable, ratios, 0.0).log())
        return torch.where(usable, shares / losses, 0.0).clamp(max=torch.finfo(losses.dtype).max)

    def _softmax(self, terms: Tensor) -> Tensor:
        """softmax(terms / mu); centred before the division, which a small mu could carry out of range."""
        return torch.softmax((terms - terms.max()) / self.mu, 0)

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        if self.form == "losses" or self._epochs < self.warmup - 1:
            return
        nadir = self._nadir.get(tasks, losses)
        if self._epochs == self.warmup - 1:
            count = self._count.get(tasks, losses) + 1
            self._count.set(tasks, count)
            self._nadir.set(tasks, nadir + (losses - nadir) / count)
        else:
            self._nadir.set(tasks, torch.where(nadir > 0, nadir, losses))

    def end_epoch(self) -> None:
        self._epochs += 1

    def state_dict(self) -> dict[str, Any]:
        return {"nadir": self._nadir.state_dict(), "count": self._count.state_dict(), "epochs": self._epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._nadir.load_state_dict(state["nadir"])
        self._count.load_state_dict(state["count"])
        self._epochs = state["epochs"]
