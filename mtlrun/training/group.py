"""Joining the process group of a run, and what its processes agree on while they build their parts."""

from __future__ import annotations

import atexit
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist

from mtlrun import torchrun
from mtlrun.errors import MtlrunError
from mtlrun.gradients.ranks import Ranks
from mtlrun.training import devices
from mtlrun.training.settings import Device

T = TypeVar("T")


def join_in_file(meeting: Path, rank: int, size: int, device: Device) -> Ranks:
    """Meet the other processes of this machine in a file: unlike a port, nobody else can have taken it.

    Raises:
        ConfigError: if there are too few GPUs.
    """
    loopback = next((name for _, name in socket.if_nameindex() if name.startswith("lo")), None)
    if loopback is not None:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback)  # else gloo depends on what the host's name resolves to
    return _join(devices.take(device, rank, size), f"file://{meeting}", rank, size)


def join_torchrun(device: Device) -> Ranks:
    """Meet the processes that torchrun has started; joins once, however often it is called. Alone without torchrun.

    Raises:
        ConfigError: if there are too few GPUs, or the environment is not that of torchrun.
    """
    torchrun.check()
    if torchrun.size() == 1:
        return Ranks()
    taken = devices.take(device, torchrun.local_rank(), torchrun.local_size())
    if dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size(), devices.scatters(taken))
    return _join(taken, "env://", torchrun.rank(), torchrun.size())


def _join(device: torch.device, meeting: str, rank: int, size: int) -> Ranks:
    dist.init_process_group(devices.backend(device), meeting, rank=rank, world_size=size)
    atexit.register(_leave)
    return Ranks(rank, size, devices.scatters(device))


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def first_goes_ahead(ranks: Ranks) -> Iterator[None]:
    """The first process does what is inside before the others, which then find what it has downloaded or drawn."""
    if not ranks.first:
        ranks.broadcast_object(None)
    try:
        yield
    finally:
        if ranks.first:
            ranks.broadcast_object(None)


def agreed(ranks: Ranks, build: Callable[[], T]) -> T:
    """What `build` returns; a mistake that one process finds is raised in all of them, so that none waits for it."""
    found: T | MtlrunError
    try:
        found = build()
    except MtlrunError as error:
        found = error
    mistakes = ranks.all_gather_object(found if isinstance(found, MtlrunError) else None)
    first = next((mistake for mistake in mistakes if mistake is not None), None)
    if first is not None:
        raise first
    assert not isinstance(found, MtlrunError)
    return found
