"""The four ways through the network that a step can take: each fills `.grad` and reports weights and Gram matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer, GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.gradients.base import (
    EngineSettings,
    Losses,
    ParameterGroups,
    Pass,
    Step,
    Trace,
    accumulate,
    flat,
    gradients,
    row_factor,
    stacked,
    times,
)
from mtlrun.gradients.ranks import Ranks
from mtlrun.gradients.rows import GradientRows
from mtlrun.linalg.gram import gram_matrix


class WeightedSumPass(Pass[LossBalancer]):
    """One backward pass of sum_t w_t L_t, for loss balancers."""

    weights: Tensor | None = None

    def backward(self, call: int, losses: Losses, so_far: Tensor) -> None:
        if self.weights is None:  # with several micro-batches the weights need no losses: the first ones serve all
            self.weights = self.rescaled(self.balancer.weights(so_far, self.step.tasks), None)
        if losses:
            self._pass_back(stacked(losses, self.step.tasks, so_far) @ times(self.weights, self.step.scale))

    def finish(self, losses: Tensor) -> Trace:
        self.reduce(shared=True)
        return self.trace(losses, self.weights)

    def _pass_back(self, total: Tensor) -> None:
        """With several processes past the hooks of the parameters: a wrapper such as torch's DistributedDataParallel
        has put some there that would add up over the processes what `reduce` adds up."""
        if self.ranks.size == 1:
            total.backward()
            return
        own = [parameter for task in self.step.tasks for parameter in self.groups.task_specific[task]]
        learning = [*self.groups.shared, *own]
        accumulate(learning, gradients(total, learning, retain=False))


class HeldWeightsPass(Pass[Balancer]):
    """One backward pass with given weights on the shared parameters, and one of the plain sum on task-specific ones."""

    def __init__(
        self,
        step: Step,
        groups: ParameterGroups,
        balancer: Balancer,
        settings: EngineSettings,
        ranks: Ranks,
        held: Mapping[str, float],
    ) -> None:
        super().__init__(step, groups, balancer, settings, ranks)
        self._held = held

    def backward(self, call: int, losses: Losses, so_far: Tensor) -> None:
        if not losses:
            return
        scale, shared = self.step.scale, self.groups.shared
        own = [parameter for task in losses for parameter in self.groups.task_specific[task]]
        plain = torch.stack([*losses.values()]).sum()
        weighted = torch.stack([self._held[task] * loss for task, loss in losses.items()]).sum() / self.step.batches
        accumulate(own, gradients(plain * scale, own, retain=True))
        accumulate(shared, gradients(weighted * scale, shared, retain=False))

    def finish(self, losses: Tensor) -> Trace:
        self.reduce(shared=True)
        weights = losses.new_tensor([self._held[task] for task in self.step.tasks])
        self.weigh_task_specific(weights, losses)
        return self.trace(losses, weights)


class PerTaskPass(Pass[Balancer]):
    """One backward pass per task into the rows of a buffer, then one combination: serves every kind of balancer."""

    def __init__(
        self,
        step: Step,
        groups: ParameterGroups,
        balancer: Balancer,
        settings: EngineSettings,
        ranks: Ranks,
        rows: GradientRows,
    ) -> None:
        super().__init__(step, groups, balancer, settings, ranks)
        self._rows = rows
        self._feature_gram: Tensor | None = None
        rows.begin(len(step.tasks) * step.batches, whole=isinstance(balancer, JacobianBalancer))

    def backward(self, call: int, losses: Losses, so_far: Tensor) -> None:
        shared, step = self.groups.shared, self.step
        features = self.groups.features.take() if self.groups.features else []
        on_features = []
        last = next((task for task in reversed(step.tasks) if task in losses), None)  # frees what all have in common
        for task in step.tasks:
            row = step.row(call, task)
            own = self.groups.task_specific[task]
            found: tuple[Tensor | None, ...] = ()
            if task in losses:
                found = gradients(times(losses[task], step.scale), [*shared, *own, *features], retain=task != last)
                self._rows.add(row, found[: len(shared)])
                accumulate(own, found[len(shared) : len(shared) + len(own)])
            if step.completes(call):
                self._rows.complete(row)  # also without a loss here: other processes may have one
            if features:
                on_features.append(flat(found[len(shared) + len(own) :] or [None] * len(features), features))
        if on_features:  # rows of other micro-batches and processes are further columns: their Gram matrices add up
            gram = gram_matrix(torch.stack(on_features))
            self._feature_gram = gram if self._feature_gram is None else self._feature_gram + gram

    def finish(self, losses: Tensor) -> Trace:
        """In this order: the rows, whose sums over the processes have been under way since `complete`, so that they
        overlapped with the backward passes; the task-specific gradients, which are summed at once and
        then scaled where a method weighs them too; the balancer; and the update's parts from all processes. The shared
        gradients are summed inside the rows and nowhere else: their `.grad` is the update itself.

        All of these are collective, so every process must come through here in the same order, whatever rows it has.
        """
        jacobian = self._rows.total()
        self.reduce(shared=False)
        if isinstance(self.balancer, JacobianBalancer):
            gram = self._gram(jacobian) if self.step.measure else None
            weights, update = self._direction(self.balancer, jacobian, losses)
        else:
            weights, gram = self._weights(jacobian, losses)
            update = weights.to(jacobian) @ jacobian[-len(self.step.tasks) :]
        reached = self._reached()
        for parameter, part, there in zip(self.groups.shared, self._rows.join(update), reached):
            parameter.grad = part if there else None
        return self.trace(losses, weights, gram)

    def _reached(self) -> list[bool]:
        """Which shared parameters have a gradient: the others stay without, as after one pass of the weighted sum, or
        momentum and weight decay would move them. What is no weighted sum may move all."""
        if isinstance(self.balancer, JacobianBalancer) and not self.balancer.gives_weights:
            return [True] * len(self.groups.shared)
        return self.ranks.any_each(self._rows.reached, self._rows.parameters)

    def _weights(self, jacobian: Tensor, losses: Tensor) -> tuple[Tensor, Tensor | None]:
        """(weights [T], Gram matrix of all shared parameters where it was needed)."""
        balancer, step = self.balancer, self.step
        if isinstance(balancer, LossBalancer):
            weights = self.rescaled(balancer.weights(losses, step.tasks), None)
            self.weigh_task_specific(weights, losses)
            return weights, self._gram(jacobian) if step.measure else None
        assert isinstance(balancer, GramBalancer)
        gram = self._gram(jacobian) if step.measure or self.sees_all else None
        seen = gram if self.sees_all else self._partial_gram(jacobian)
        assert seen is not None
        weights = self.solve(balancer, seen, losses)
        self.weigh_task_specific(weights, losses)
        return weights, gram

    def _direction(self, balancer: JacobianBalancer, jacobian: Tensor, losses: Tensor) -> tuple[Tensor | None, Tensor]:
        """(weights, update) with the loss scale still in the update."""
        scale, rescale = self.step.scale, self.settings.rescale
        if scale != 1 and not bool(jacobian.isfinite().all()):
            return None, jacobian.sum(0)  # the scaler will skip this step
        rows = jacobian if scale == 1 else jacobian / scale
        weights, update = balancer.combine(losses, rows, self.step.tasks)
        if rescale != "paper":
            factor = row_factor(rescale, weights, update, rows)
            update, weights = update * factor, None if weights is None else weights * factor
        self.weigh_task_specific(weights, losses)
        return weights, update if scale == 1 else update * scale

    def _gram(self, jacobian: Tensor) -> Tensor:
        """Of the rows on all shared parameters. A process that has some columns only adds its part of each product."""
        gram = gram_matrix(jacobian)
        gram = gram if self.step.scale == 1 else gram / self.step.scale**2
        return gram if isinstance(self.balancer, JacobianBalancer) else self.ranks.sum(gram)

    def _partial_gram(self, jacobian: Tensor) -> Tensor:
        """Of the rows on what the balancer sees."""
        if self.settings.gradients == "features":
            parts = [] if self._feature_gram is None else [self._feature_gram]
        else:
            parts = [gram_matrix(jacobian[:, columns]) for columns in self._rows.columns(self.groups.last_stage)]
        nothing = torch.zeros(len(jacobian), len(jacobian), dtype=torch.float64)  # this process may hold no part
        return self.ranks.sum(torch.stack([nothing, *parts]).sum(0) / self.step.scale**2)


class GramianPass(Pass[GramBalancer]):
    """The Gram matrix first, of parts of the network one after the other, then one backward pass of the weighted sum.

    For gram balancers that see a part of the network only, and for networks whose rows would not fit in memory.

    Each part takes one backward pass per task, down to that part. Parts are small enough that a row per task of one of
    them holds about as much as two gradients, so the passes are short but several: for T tasks and a network of equally
    large layers about T / 4 times the backward passes of a buffer, plus one.

    The graphs of all micro-batches live until the last one.
    """

    def __init__(
        self, step: Step, groups: ParameterGroups, balancer: GramBalancer, settings: EngineSettings, ranks: Ranks
    ) -> None:
        super().__init__(step, groups, balancer, settings, ranks)
        self._calls: list[tuple[int, Losses]] = []
        self._features: list[Tensor] = []
        self._own_done = False

    def backward(self, call: int, losses: Losses, so_far: Tensor) -> None:
        self._calls.append((call, losses))
        self._features += self.groups.features.take() if self.groups.features else []
        if call + 1 < self.step.calls:
            return
        self._gram = self._parameter_gram(self.groups.shared) if self.step.measure or self.sees_all else None
        seen = self._gram if self.sees_all else self._partial_gram()
        assert seen is not None
        if not self._own_done:  # nothing that the balancer sees learns now
            self._gradient_rows([])
        self._weights = self.solve(self.balancer, seen, so_far)
        self._weighted()

    def finish(self, losses: Tensor) -> Trace:
        self.reduce(shared=True)
        self.weigh_task_specific(self._weights, losses)
        return self.trace(losses, self._weights, self._gram)

    def _weighted(self) -> None:
        """One backward pass of the last batch's weighted losses."""
        terms = [
            self._weights[self.step.tasks.index(task)] * loss
            for call, losses in self._calls[-self.step.micro_batches :]
            for task, loss in losses.items()
        ]
        if terms:
            total = torch.stack(terms).sum() * self.step.scale
            accumulate(self.groups.shared, gradients(total, self.groups.shared, retain=False))

    def _partial_gram(self) -> Tensor:
        """Of the gradients on what the balancer sees."""
        if self.settings.gradients == "last_stage":
            return self._parameter_gram(self.groups.last_stage)
        rows = self._gradient_rows(self._features) if self._features else torch.zeros(len(self.step.tasks), 1)
        return self.ranks.sum(gram_matrix(rows) / self.step.scale**2)

    def _parameter_gram(self, parameters: Sequence[nn.Parameter]) -> Tensor:
        """Of the gradients on parameters. The rows are summed over the processes before the products are taken: the
        mean of the processes' Gram matrices is not the Gram matrix of their mean."""
        count = len(self.step.tasks) * self.step.batches
        largest = 2 * sum(parameter.numel() for parameter in self.groups.shared) // count
        gram = torch.zeros(count, count, dtype=torch.float64)
        for part in partition(parameters, largest):
            gram += gram_matrix(self.ranks.sum(self._gradient_rows(part)))
        return gram / self.step.scale**2

    def _gradient_rows(self, inputs: Sequence[Tensor]) -> Tensor:
        """Gradients of every task and batch on parameters or features, [T batches, size].

        The first call takes the task-specific gradients too, which lie on the way.
        """
        count = len(self.step.tasks) * self.step.batches
        rows = next(iter(inputs), torch.empty(0)).new_zeros(count, sum(values.numel() for values in inputs))
        for call, losses in self._calls:
            for task, loss in losses.items():
                own = [] if self._own_done else self.groups.task_specific[task]
                found = gradients(loss * self.step.scale, [*inputs, *own], retain=True)
                rows[self.step.row(call, task)] += flat(found[: len(inputs)], inputs)
                accumulate(own, found[len(inputs) :])
        self._own_done = True
        return rows


def partition(parameters: Sequence[nn.Parameter], largest: int) -> list[list[nn.Parameter]]:
    """Neighbours together, from the last to the first, in parts of at most `largest` numbers or of one parameter."""
    parts: list[list[nn.Parameter]] = []
    room = 0
    for parameter in reversed(parameters):
        if not parts or parameter.numel() > room:
            parts.append([])
            room = largest
        parts[-1].append(parameter)
        room -= parameter.numel()
    return parts
