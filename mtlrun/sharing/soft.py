"""A network of its own for each task, pulled together by a penalty on their parameters."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mtlrun.errors import choose
from mtlrun.linalg.gram import gram_matrix
from mtlrun.options import number
from mtlrun.sharing.base import BackboneFactory
from mtlrun.sharing.independent import Independent

RANK_TOLERANCE = 1e-12
"""Share of the largest eigenvalue of a Gram matrix in float64 below which the others are rounding."""


class Soft(Independent):
    """Soft parameter sharing: `independent`, and strength times a penalty over the tasks' networks.

    `l2` sums |theta_s - theta_t|^2 over all ordered pairs of tasks, so two tasks get 2 strength |theta_1 - theta_2|^2;
    Evgeniou & Pontil, "Regularized multi-task learning", KDD 2004, and Duong et al., ACL 2015, for networks.
    `trace_norm` sums, over the tensors of a network, the trace norm (sum of singular values) of the matrix [T, n] whose
    rows are the tasks' values of that tensor: Yang & Hospedales 2016, arXiv:1606.04038, "last axis flattening".

    No task's loss sees another's network, so there are no shared parameters. Heads are not pulled.

    Args:
        backbone: builds one backbone; called once per task.
        tasks: names of the tasks.
        penalty: l2 or trace_norm.
        strength: factor of the penalty; 0 trains as `independent` does.

    Raises:
        ConfigError: if the penalty is none of these, or the strength is negative.
    """

    def __init__(
        self, backbone: BackboneFactory, tasks: Sequence[str], penalty: str = "l2", strength: float = 0.001
    ) -> None:
        measures = {"l2": squared_distances, "trace_norm": trace_norm}
        measure = measures[choose(penalty, measures, "sharing.penalty")]
        number("sharing.strength", strength, 0)
        super().__init__(backbone, tasks)
        self._measure, self.strength = measure, strength

    def penalty(self) -> Tensor | None:
        """None for one task, a strength of 0, and where nothing can be trained."""
        columns = [self.task_parameters(task) for task in self.tasks]
        trainable = [copies for copies in zip(*columns) if any(copy.requires_grad for copy in copies)]
        if len(columns) == 1 or not self.strength or not trainable:
            return None
        parts = [self._measure(torch.stack(copies).reshape(len(copies), -1)) for copies in trainable]
        return self.strength * torch.stack(parts).sum()


def squared_distances(stacked: Tensor) -> Tensor:
    """Sum over ordered pairs of rows of their squared distance, for rows [T, n].

    Equals 2 T times the sum of the squared distances to the mean row, which takes T subtractions instead of T^2.
    """
    return 2 * len(stacked) * (stacked - stacked.mean(0)).square().sum()


def trace_norm(stacked: Tensor) -> Tensor:
    """Sum of the singular values of [T, n].

    With W = U S V^T the value is <U V^T, W>, and U V^T, held constant, is its gradient. Singular values of zero are
    left out of U and V, which makes it the subgradient of least norm: zero at W = 0. U V^T = (W W^T)^(-1/2) W takes no
    more than the small Gram matrix.
    """
    with torch.no_grad():
        gram = gram_matrix(stacked)
        if not gram.isfinite().all():  # eigh would raise where training names the task and the step
            return stacked.sum() * torch.nan
        values, vectors = torch.linalg.eigh(gram)
        kept = values > RANK_TOLERANCE * values[-1]
        scale = torch.where(kept, values, torch.ones_like(values)).rsqrt() * kept
        polar = ((vectors * scale) @ vectors.mT).to(stacked) @ stacked
    return (polar * stacked).sum()
