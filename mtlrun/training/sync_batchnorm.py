"""Batch normalisation over the batch of all processes. Shapes: B rows, C channels, `size` processes.

`torch.nn.SyncBatchNorm` knows GPUs only, and no process may have an empty part.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _BatchNorm

from mtlrun.gradients.ranks import Ranks
from mtlrun.sharing.backbone_paths import copy_path


def synchronise(model: nn.Module, ranks: Ranks) -> None:
    """Let every batch-norm layer of the model train on the whole batch, with the parameters and buffers that it has.

    Every process must then pass through the same layers in the same order, if need be with no row.
    """
    if ranks.size == 1:
        return
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, _BatchNorm):
                setattr(module, name, copy_path(GlobalBatchNorm(child, ranks), child))


class GlobalBatchNorm(_BatchNorm):
    """Normalises [B, C, ...] by the mean and variance over all processes in training; as usual in evaluation.

    Where the whole batch has a single value per channel, which has no deviation, the running statistics stand in.

    Args:
        layer: whose parameters, buffers and options it takes over.
        ranks: the processes.
    """

    def __init__(self, layer: _BatchNorm, ranks: Ranks) -> None:
        super().__init__(
            layer.num_features, layer.eps, layer.momentum, layer.weight is not None, layer.track_running_stats
        )
        self._parameters.update(layer._parameters)
        self._buffers.update(layer._buffers)
        self.ranks = ranks
        self.train(layer.training)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions."""

    @torch.compiler.disable
    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        count, mean, variance = batch_statistics(input.detach(), self.ranks)
        lone = count <= 1
        if self.running_mean is not None and self.running_var is not None:
            used_mean = torch.where(lone, self.running_mean, mean)
            used_variance = torch.where(lone, self.running_var, variance)
            self._follow(count, mean, variance, lone)
        else:
            used_mean, used_variance = mean, variance
        scale = (used_variance + self.eps).rsqrt()
        normal: Tensor = _Normalise.apply(input, used_mean, scale, torch.where(lone, 0, 1 / count), self.ranks)
        if self.weight is None:
            return normal
        return torch.addcmul(_wide(self.bias, normal), normal, _wide(self.weight, normal)).to(input.dtype)

    @torch.no_grad()
    def _follow(self, count: Tensor, mean: Tensor, variance: Tensor, lone: Tensor) -> None:
        """Move the running statistics towards those of this batch."""
        assert self.running_mean is not None
        assert self.running_var is not None
        factor: Any = self.momentum
        if self.num_batches_tracked is not None:
            self.num_batches_tracked.add_((~lone).long())
            if factor is None:
                factor = 1 / self.num_batches_tracked.clamp_min(1)
        factor = torch.where(lone, 0, torch.as_tensor(factor, dtype=mean.dtype, device=mean.device))
        unbiased = variance * (count / (count - 1).clamp_min(1))
        self.running_mean.lerp_(mean.to(self.running_mean), factor.to(self.running_mean))
        self.running_var.lerp_(unbiased.to(self.running_var), factor.to(self.running_var))


def batch_statistics(values: Tensor, ranks: Ranks) -> tuple[Tensor, Tensor, Tensor]:
    """(count [], mean [C], biased variance [C]) of [B, C, ...] over all processes; some may have B = 0.

    The parts' centred sums of squares are combined, so that a large mean costs no digits: Chan, Golub and LeVeque,
    "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979.
    """
    columns = _columns(values)  # [C, n]
    here = columns.shape[1]
    mean = columns.sum(1) / max(here, 1)
    squares = (columns - mean[:, None]).square().sum(1)
    parts = ranks.join(torch.cat([mean, squares, mean.new_tensor([float(here)])])).view(ranks.size, -1)
    means, squares, counts = parts.split([len(mean), len(mean), 1], 1)  # [size, C], [size, C], [size, 1]
    count = counts.sum().clamp_min(1)
    whole = (counts * means).sum(0) / count
    variance = (squares + counts * (means - whole).square()).sum(0) / count
    return count, whole, variance


class _Normalise(torch.autograd.Function):
    """(x - mean) * scale, where mean and scale come from the x of all processes.

    `share` is 1 / count, or 0 where mean and scale do not depend on x.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, mean: Tensor, scale: Tensor, share: Tensor, ranks: Ranks) -> Tensor:
        normal = (x.to(mean.dtype) - _wide(mean, x)) * _wide(scale, x)
        ctx.save_for_backward(normal, scale, share)
        ctx.ranks, ctx.dtype = ranks, x.dtype
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        normal, scale, share = ctx.saved_tensors
        sums = torch.cat([_columns(gradient).sum(1), _columns(gradient * normal).sum(1)])
        mean, along = (ctx.ranks.sum(sums) * share).chunk(2)
        found = (gradient - _wide(mean, gradient) - normal * _wide(along, gradient)) * _wide(scale, gradient)
        return found.to(ctx.dtype), None, None, None, None


def _columns(values: Tensor) -> Tensor:
    """[B, C, ...] as [C, n], in float32 or more."""
    full = values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
    return full.transpose(0, 1).flatten(1)


def _wide(channels: Tensor, like: Tensor) -> Tensor:
    """[C] as [1, C, 1, ...]."""
    return channels.view(1, -1, *[1] * (like.dim() - 2))
