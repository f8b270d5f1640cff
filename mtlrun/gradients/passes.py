"""The ways through the network that a step can take. Each fills `.grad` and reports weights and Gram matrix.

A pass sees every micro-batch of one step (`backward`) and is then finished once with the losses of the whole step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer, GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.gradients.rows import GradientRows
from mtlrun.linalg.gram import gram_matrix

Losses = Mapping[str, Tensor]


@dataclass(frozen=True)
class Parts:
    """shared: parameters that influence two tasks or more; own: per task the others; seen: those of the shared ones
    whose gradients a gram balancer sees, None for all."""

    shared: list[nn.Parameter]
    own: dict[str, list[nn.Parameter]]
    seen: list[nn.Parameter] | None


@dataclass
class Step:
    """tasks: those active in the step; scale: factor on every loss, which `.grad` keeps."""

    tasks: tuple[str, ...]
    scale: float
    micro_batches: int


class Pass(Protocol):
    def backward(self, losses: Losses) -> None:
        """Backward passes of one micro-batch."""

    def finish(self, losses: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """(weights [T] or None, Gram matrix [T, T] of all shared parameters or None), from the step's losses [T]."""


class WeightedSum:
    """One backward pass of sum_t w_t L_t, for loss balancers."""

    def __init__(self, step: Step, balancer: LossBalancer) -> None:
        self._step, self._balancer = step, balancer
        self._weights: Tensor | None = None

    def backward(self, losses: Losses) -> None:
        tasks, scale = self._step.tasks, self._step.scale
        like = next(iter(losses.values()))
        stacked = torch.stack([losses[task] if task in losses else like.new_zeros(()) for task in tasks])
        if self._weights is None:  # with several micro-batches the weights need no losses: the first ones serve all
            self._weights = self._balancer.weights(stacked.detach(), tasks)
        (stacked @ (self._weights * scale if scale != 1 else self._weights)).backward()

    def finish(self, losses: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return self._weights, None


class HeldWeights:
    """One backward pass with given weights on the shared parameters; the tasks' own get unscaled gradients."""

    def __init__(self, step: Step, parts: Parts, weights: Mapping[str, float]) -> None:
        self._step, self._parts, self._held = step, parts, weights

    def backward(self, losses: Losses) -> None:
        own = [parameter for task in losses for parameter in self._parts.own[task]]
        plain = torch.stack([*losses.values()]).sum()
        weighted = torch.stack([self._held[task] * loss for task, loss in losses.items()]).sum()
        accumulate(own, gradients(plain * self._step.scale, own, retain=True))
        shared = self._parts.shared
        accumulate(shared, gradients(weighted * self._step.scale, shared, retain=False))

    def finish(self, losses: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return losses.new_tensor([self._held[task] for task in self._step.tasks]), None


class SeenOnly:
    """One short pass per task down to the parameters that the balancer sees, then one pass of the weighted sum."""

    def __init__(self, step: Step, parts: Parts, balancer: GramBalancer) -> None:
        assert parts.seen is not None
        assert step.micro_batches == 1, "the weights are needed before the graph is freed"
        self._step, self._parts, self._seen, self._balancer = step, parts, parts.seen, balancer

    def backward(self, losses: Losses) -> None:
        rows = []
        for task in self._step.tasks:
            own = self._parts.own[task]
            found = gradients(losses[task] * self._step.scale, [*self._seen, *own], retain=True)
            accumulate(own, found[len(self._seen) :])
            flat = [torch.zeros_like(p) if g is None else g for p, g in zip(self._seen, found)]
            rows.append(torch.cat([part.flatten() for part in flat]))
        gram = gram_matrix(torch.stack(rows)) / self._step.scale**2
        stacked = torch.stack([losses[task] for task in self._step.tasks])
        weights = balanced(self._balancer, gram, stacked.detach(), self._step)
        total = stacked @ (weights * self._step.scale)
        accumulate(self._parts.shared, gradients(total, self._parts.shared, retain=False))
        self._weights = weights

    def finish(self, losses: Tensor) -> tuple[Tensor | None, Tensor | None]:
        return self._weights, None


class PerTask:
    """One backward pass per task into the rows of a buffer, then one combination: serves every kind of balancer."""

    def __init__(self, step: Step, parts: Parts, balancer: Balancer, rows: GradientRows, measure: bool) -> None:
        self._step, self._parts, self._balancer, self._rows = step, parts, balancer, rows
        self._needs_gram = measure or (isinstance(balancer, GramBalancer) and parts.seen is None)
        self._written: set[str] = set()
        self._jacobian = rows.get(len(step.tasks))

    def backward(self, losses: Losses) -> None:
        shared = self._parts.shared
        for row, task in enumerate(self._step.tasks):
            if task not in losses:
                continue
            own = self._parts.own[task]
            found = gradients(losses[task] * self._step.scale, [*shared, *own], retain=True)
            write = self._rows.add if task in self._written else self._rows.write
            write(row, found[: len(shared)])
            self._written.add(task)
            accumulate(own, found[len(shared) :])

    def finish(self, losses: Tensor) -> tuple[Tensor | None, Tensor | None]:
        gram = gram_matrix(self._jacobian) / self._step.scale**2 if self._needs_gram else None
        weights, update = self._combine(gram, losses)
        for parameter, part in zip(self._parts.shared, self._rows.split(update)):
            parameter.grad = part
        return weights, gram

    def _combine(self, gram: Tensor | None, losses: Tensor) -> tuple[Tensor | None, Tensor]:
        """(weights, update) with the scale still in the update."""
        balancer = self._balancer
        if isinstance(balancer, JacobianBalancer):
            return self._direction(balancer, losses)
        if isinstance(balancer, LossBalancer):
            weights = balancer.weights(losses, self._step.tasks)
            self._weigh_own(weights)
        else:
            weights = balanced(balancer, self._seen_gram(gram), losses, self._step)
        return weights, weights.to(self._jacobian) @ self._jacobian

    def _direction(self, balancer: JacobianBalancer, losses: Tensor) -> tuple[Tensor | None, Tensor]:
        scale = self._step.scale
        if scale == 1:
            return balancer.combine(losses, self._jacobian, self._step.tasks)
        if not bool(self._jacobian.isfinite().all()):
            return None, self._jacobian.sum(0)  # the scaler will skip this step
        weights, update = balancer.combine(losses, self._jacobian / scale, self._step.tasks)
        return weights, update * scale

    def _weigh_own(self, weights: Tensor) -> None:
        for task, weight in zip(self._step.tasks, weights):
            found = [parameter.grad for parameter in self._parts.own[task] if parameter.grad is not None]
            if found:
                torch._foreach_mul_(found, weight)

    def _seen_gram(self, gram: Tensor | None) -> Tensor:
        if self._parts.seen is None:
            assert gram is not None
            return gram
        parts = [gram_matrix(self._jacobian[:, columns]) for columns in self._rows.columns(self._parts.seen)]
        return torch.stack(parts).sum(0) / self._step.scale**2


def balanced(balancer: Balancer, gram: Tensor, losses: Tensor, step: Step) -> Tensor:
    """The balancer's weights [T] on the device of the losses; ones where loss scaling overflowed.

    With a loss scale above 1, a gradient that is not finite is expected now and then: the scaler will skip the step, so
    the balancer must not learn from it.
    """
    if step.scale != 1 and not bool(gram.isfinite().all()):
        return torch.ones_like(losses)
    assert isinstance(balancer, GramBalancer)
    return balancer.weights(gram, losses, step.tasks).to(losses)


def gradients(loss: Tensor, parameters: Sequence[nn.Parameter], retain: bool) -> tuple[Tensor | None, ...]:
    """Of a loss on parameters; None for those that it does not depend on."""
    if not parameters:
        return ()
    return torch.autograd.grad(loss, parameters, retain_graph=retain, allow_unused=True)


def accumulate(parameters: Sequence[nn.Parameter], found: Sequence[Tensor | None]) -> None:
    """Add gradients to `.grad`."""
    for parameter, gradient in zip(parameters, found):
        if gradient is not None:
            parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
