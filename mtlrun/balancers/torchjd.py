"""Methods of the TorchJD package as balancers (torchjd.org; Quinton & Rey 2024, arXiv:2406.16232)."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer, GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.balancers.torchjd_objects import ACROSS_BATCHES, FAILURES, Construction, Objects
from mtlrun.errors import ConfigError, NonFiniteError, NotConverged
from mtlrun.lines import one_line
from mtlrun.options import positive

ADAM = "mtlrun_adam"
"""Attribute of a scalarizer with parameters of its own: their optimizer, which is saved with it."""


def torchjd_balancer(
    method: str = "AlignedMTL", options: Mapping[str, Any] | None = None, lr: float = 0.025, seed: int = 0
) -> Balancer:
    """The balancer that applies a class of TorchJD: of the kind that suits what the class reads.

    | class | kind |
    | --- | --- |
    | scalarizer | loss balancer; the weights are the derivatives of the scalar on the losses |
    | aggregator with a weighting of the Gram matrix, or the weighting | gram balancer |
    | any other aggregator, or a weighting of the gradients | jacobian balancer |

    Everything is in float64 on the CPU but for the last kind. Random draws follow from the seed and the step. State is
    saved, but not that of an object which holds a solver's problem (NashMTL): that one starts afresh after a resume.

    Args:
        method: name of the class; see `Construction`.
        options: arguments of its constructor.
        lr: learning rate of the weights that a scalarizer learns together with the network, as UW and IMTLL do (Adam).
        seed: of the random draws.

    Raises:
        ConfigError: for whatever TorchJD does not know or refuses, or if it is not installed.
    """
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError(f"balancer.options must be a group of settings, found {options!r}")
    positive("balancer.lr", lr)
    recipe = Construction(method, options or {})
    objects = Objects(recipe, seed)
    example = recipe.build(recipe.example_tasks(), torch.zeros((), dtype=torch.float64))
    library = import_module("torchjd.aggregation")
    if method in ACROSS_BATCHES or isinstance(example, library.GramianWeightedAggregator):
        return TorchJDGram(objects)
    if isinstance(example, library.Aggregator):
        return TorchJDJacobian(objects, isinstance(example, library.WeightedAggregator))
    return (TorchJDObserving if hasattr(example, "update") else TorchJDLoss)(objects, lr)


class TorchJDGram(GramBalancer):
    """Applies a weighting of the Gram matrix; where TorchJD fails in a step, the last good weights are used."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.batches = ACROSS_BATCHES.get(objects.recipe.method, 1)

    def check(self, tasks: Sequence[str]) -> None:
        try_out(self.objects, tasks, torch.eye(len(tasks), dtype=torch.float64), weigh)

    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        module, order = self.objects.get(tasks, gram)
        columns = order if len(gram) == len(tasks) else [len(tasks) + row for row in order]  # the second batch's
        try:
            with self.objects.draws(gram.device), torch.no_grad():
                found = weigh(module, gram[order][:, columns])
        except FAILURES as error:
            raise NotConverged(one_line(error)) from error
        finally:
            self.objects.step += 1
        return put_back(found, order)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | self.objects.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.objects.load_state_dict(state)


class TorchJDJacobian(JacobianBalancer):
    """Applies an aggregator to the gradients."""

    def __init__(self, objects: Objects, gives_weights: bool) -> None:
        self.objects, self.gives_weights = objects, gives_weights

    def check(self, tasks: Sequence[str]) -> None:
        try_out(self.objects, tasks, torch.eye(len(tasks)), nn.Module.__call__)

    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor | None, Tensor]:
        module, order = self.objects.get(tasks, jacobian)
        rows = jacobian if order == sorted(order) else jacobian[order]
        apply: Any = module.weighting if self.gives_weights else module
        try:
            with self.objects.draws(jacobian.device), torch.no_grad():
                found = apply(rows).to(rows)
        except FAILURES as error:
            told = f"with tasks {', '.join(tasks)} in a step: {one_line(error)}"
            raise ConfigError(f"balancer.method={self.objects.recipe.method} {told}") from error
        self.objects.step += 1
        return (put_back(found, order), found @ rows) if self.gives_weights else (None, found)

    def state_dict(self) -> dict[str, Any]:
        return self.objects.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.objects.load_state_dict(state)


class TorchJDLoss(LossBalancer):
    """Weighs each loss by the derivative of a scalarizer, and trains the scalarizer's own parameters with Adam."""

    def __init__(self, objects: Objects, lr: float) -> None:
        self.objects, self.lr = objects, lr

    def check(self, tasks: Sequence[str]) -> None:
        try_out(self.objects, tasks, torch.ones(len(tasks), dtype=torch.float64), nn.Module.__call__)

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        values = losses.detach().to("cpu", torch.float64)
        module, order = self.objects.get(tasks, values)
        leaf = values[order].requires_grad_()
        with self.objects.draws(values.device), torch.enable_grad():
            total = copy.deepcopy(module)(leaf)  # a copy, since some keep what they are called with
        found = torch.autograd.grad(total, leaf)[0]
        if not bool(found.isfinite().all()):
            raise NonFiniteError(f"torchjd's {self.objects.recipe.method} has no finite weights for these losses")
        return put_back(found, order).to(losses)

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        values = losses.detach().to("cpu", torch.float64)
        module, order = self.objects.get(tasks, values)
        with self.objects.draws(values.device), torch.enable_grad():
            total = module(values[order])
        self.objects.step += 1
        if total.requires_grad:
            self._train(module, total)

    def end_epoch(self) -> None:
        for module in self.objects.modules():
            step = getattr(module, "step", None)  # DWA has one, the end of its epoch
            if callable(step):
                step()

    def _train(self, module: nn.Module, total: Tensor) -> None:
        parameters = list(module.parameters())
        if ADAM not in vars(module):
            vars(module)[ADAM] = torch.optim.Adam(parameters, self.lr)
        for parameter, gradient in zip(parameters, torch.autograd.grad(total, parameters)):
            parameter.grad = gradient
        vars(module)[ADAM].step()
        vars(module)[ADAM].zero_grad()

    def state_dict(self) -> dict[str, Any]:
        return self.objects.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.objects.load_state_dict(state)


class TorchJDObserving(TorchJDLoss):
    """A scalarizer that also wants the losses after the step, as FAMO does."""

    observes = True

    def observe(self, losses: Tensor, tasks: Sequence[str] | None = None) -> None:
        names = tuple(tasks) if tasks is not None else tuple(str(row) for row in range(len(losses)))
        values = losses.detach().to("cpu", torch.float64)
        module, order = self.objects.get(names, values)
        update: Any = module.update
        update(values[order])


def weigh(module: nn.Module, matrix: Tensor) -> Tensor:
    """Weights [T] of a gramian aggregator, or of a bare weighting, from a matrix [T, T]."""
    return getattr(module, "gramian_weighting", module)(matrix)


def put_back(weights: Tensor, order: list[int]) -> Tensor:
    """Weights [T] of an object's rows, in the order of the step's tasks."""
    placed = torch.empty_like(weights)
    placed[order] = weights.detach()
    return placed


def try_out(objects: Objects, tasks: Sequence[str], example: Tensor, call: Any) -> None:
    """Apply a fresh object once, so that what does not suit these tasks is refused before training."""
    recipe = objects.recipe
    recipe.check(tasks)
    module = recipe.build(tuple(tasks), example)
    try:
        with objects.draws(example.device):
            call(module, example)
    except FAILURES as error:
        told = f"with the {len(tasks)} tasks of this run: {one_line(error)}"
        raise ConfigError(f"balancer.method={recipe.method} {told}") from error
