"""Weights from excess risks (He et al. 2024, "Robust multi-task learning with excess risks", arXiv:2402.02009)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mtlrun.balancers.base import JacobianBalancer
from mtlrun.balancers.rows_state import RowPerTask
from mtlrun.balancers.state import PerTask
from mtlrun.options import positive, whole


class ExcessMTL(JacobianBalancer):
    """More weight to tasks that are further from their own optimum, however large their irreducible loss is.

    The excess risk of a task is g_t^T H_t^-1 g_t with the diagonal H_t = sqrt(sum of g_t^2 over the steps, this one
    included) (Eq. 6 and 7). Relative to its mean over the first steps of the task (Section 3.2), e_t, it moves the
    weights: w_t <- w_t exp(eta e_t), normalised to sum 1 (Eq. 9), starting at 1 / T. This step's weights combine this
    step's gradients.

    The authors' code takes the first step alone as the reference (baseline_steps = 1, the default; the paper's
    experiments average over 3 epochs) and normalises to sum T, which `balancer.rescale=sum` gives.
    Deviations: no epsilon; a coordinate without any gradient so far adds nothing. Until a task has its reference, e_t
    counts as 1, or 0 while it has no gradient at all. An absent task keeps its share of the weights.

    Args:
        eta: step size of the weights.
        baseline_steps: first steps of a task whose mean excess risk is the reference.

    Raises:
        ConfigError: for an option out of range.
    """

    def __init__(self, eta: float = 0.01, baseline_steps: int = 1) -> None:
        self.eta, self.baseline_steps = positive("balancer.eta", eta), whole("balancer.baseline_steps", baseline_steps)
        self._curvature = RowPerTask()
        self._numbers = {"steps": PerTask(0.0), "baseline": PerTask(0.0), "log_share": PerTask(0.0)}

    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        rows = zip(self._curvature.get(tasks, jacobian), jacobian)
        excess = torch.stack([excess_risk(curvature, row) for curvature, row in rows]).to("cpu").to(torch.float64)
        weights = self._reweigh(self._relative(excess, tasks), tasks).to(jacobian)
        return weights, weights @ jacobian

    def _relative(self, excess: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """Excess risks [T] in terms of the tasks' references; those that are still forming take this step in."""
        steps, baseline = (self._numbers[name].get(tasks, excess) for name in ("steps", "baseline"))
        ready = steps >= self.baseline_steps
        relative = torch.where(ready, excess / baseline, (excess > 0).to(excess))
        steps = steps + (~ready & (excess > 0))
        baseline = torch.where(ready | (excess == 0), baseline, baseline + (excess - baseline) / steps)
        self._numbers["steps"].set(tasks, steps)
        self._numbers["baseline"].set(tasks, baseline)
        return relative

    def _reweigh(self, relative: Tensor, tasks: tuple[str, ...]) -> Tensor:
        """Eq. 9 on the logarithms, where no risk is too large; the active tasks together hold what they held."""
        before = self._numbers["log_share"].get(tasks, relative)
        after = torch.log_softmax(before + self.eta * relative, 0)
        self._numbers["log_share"].set(tasks, after + before.logsumexp(0))
        return after.exp()

    def state_dict(self) -> dict[str, Any]:
        numbers = {name: part.state_dict() for name, part in self._numbers.items()}
        return {"curvature": self._curvature.state_dict(), "numbers": numbers}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._curvature.load_state_dict(state["curvature"])
        for name, part in self._numbers.items():
            part.load_state_dict(state["numbers"][name])


def excess_risk(curvature: Tensor, row: Tensor) -> Tensor:
    """Add a gradient [P] to the root of its summed squares [P], in place, and return g^T H^-1 g."""
    torch.hypot(curvature, row, out=curvature)  # squares would leave the range of float32 first
    step = torch.where(curvature > 0, row / curvature, torch.zeros_like(row))
    return row @ step
