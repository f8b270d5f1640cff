"""The processes that train together, and what they have to tell each other. Alone, every method returns at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mtlrun.errors import ProcessLost

T = TypeVar("T")


class Ranks:
    """A view of the process group, which must have been set up if `size` is above 1.

    Args:
        rank: number of this process, from 0.
        size: number of processes.
        scatters: whether a row's sum is left in shards, one per process. That halves the traffic where the backend has
            a reduce-scatter of its own (NCCL); gloo's is a slower all-reduce.

    Raises:
        ProcessLost: from any method, if another process has gone.
    """

    def __init__(self, rank: int = 0, size: int = 1, scatters: bool = False) -> None:
        self.rank, self.size, self.scatters = rank, size, scatters

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Add up over the processes, in place; returns `values`."""
        if self.size > 1:
            guarded(dist.all_reduce, values)
        return values

    def start_sum(self, row: Tensor) -> Callable[[], object]:
        """Begin to add up over the processes, in place; call the result to wait for it."""
        work = guarded(dist.all_reduce, row, async_op=True)
        return lambda: guarded(work.wait)

    def start_scatter(self, row: Tensor, shard: Tensor) -> Callable[[], object]:
        """Begin to add up a row [P] such that only this process's part of it arrives, in `shard` [P / size]."""
        work = guarded(_single("reduce_scatter"), shard, row, async_op=True)
        return lambda: guarded(work.wait)

    def join(self, shard: Tensor) -> Tensor:
        """All processes' shards [P / size] one after the other, [P]."""
        if self.size == 1:
            return shard
        whole = shard.new_empty(self.size * len(shard))
        guarded(_single("all_gather"), whole, shard.contiguous())
        return whole

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up `.grad` over the processes; a parameter stays without one only if it has none in any process."""
        wanted = [parameter for parameter in parameters if parameter.requires_grad]
        if self.size == 1 or not wanted:
            return
        present = wanted[0].new_tensor([float(parameter.grad is not None) for parameter in wanted])
        parts = [(p.new_zeros(p.numel()) if p.grad is None else p.grad.flatten()) for p in wanted]
        sums = self.sum(torch.cat([present, *parts])).split([len(wanted), *map(Tensor.numel, parts)])
        for parameter, count, values in zip(wanted, sums[0].tolist(), sums[1:]):
            parameter.grad = values.view_as(parameter) if count else None

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in some process. Goes through the CPU, so no accelerator is waited for."""
        return (self.size > 1 and bool(self.sum(torch.tensor([float(flag)])).item())) or flag

    def any_each(self, flags: Sequence[bool], parameters: Sequence[nn.Parameter]) -> list[bool]:
        """For each parameter whether its flag is set in some process; travels as gradients do."""
        if self.size == 1 or not flags:
            return [*flags]
        return [count > 0 for count in self.sum(parameters[0].new_tensor([*map(float, flags)])).tolist()]

    def copy_from_first(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors with those of process 0."""
        for tensor in tensors if self.size > 1 else ():
            guarded(dist.broadcast, tensor, src=0)

    def broadcast_object(self, value: T) -> T:
        """The value that process 0 has, any picklable one."""
        values = [value]
        if self.size > 1:
            guarded(dist.broadcast_object_list, values, src=0)
        return values[0]

    def all_gather_object(self, value: T) -> list[T]:
        """Every process's value, in order of rank."""
        values: list[Any] = [value] * self.size
        if self.size > 1:
            guarded(dist.all_gather_object, values, value)
        return values


def guarded(operation: Callable[..., T], *arguments: Any, **options: Any) -> T:
    """Run a collective operation; a lost peer surfaces as the RuntimeError of whatever backend it was."""
    try:
        return operation(*arguments, **options)
    except RuntimeError as error:
        raise ProcessLost(f"another process of this run is gone ({' '.join(str(error).split())[:120]})") from error


def _single(name: str) -> Callable[..., Any]:
    """`reduce_scatter` or `all_gather` of flat tensors, whose names changed after torch 2.10."""
    old = {"reduce_scatter": "reduce_scatter_tensor", "all_gather": "all_gather_into_tensor"}
    return getattr(dist, f"{name}_single", None) or getattr(dist, old[name])
