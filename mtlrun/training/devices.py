"""Devices, precision and seeds: the only file that names an accelerator."""

from __future__ import annotations

import random
import re
import resource
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtlrun.data.source import Source, TensorSource
from mtlrun.errors import ConfigError
from mtlrun.seeds import mixed_seed
from mtlrun.training.settings import Device, Precision

FITS = 0.5
"""Data moves to the accelerator if it takes at most this share of its free memory."""


def resolve(device: Device) -> torch.device:
    """The device to train on.

    Raises:
        ConfigError: if it is asked for by name and absent.
    """
    kind = _kind(device)
    return torch.device(kind, torch.cuda.current_device()) if kind == "cuda" else torch.device(kind)


def take(device: Device, local_rank: int, local_size: int) -> torch.device:
    """The device of one of several processes on this machine: each has a GPU of its own.

    Raises:
        ConfigError: if there are fewer GPUs than processes.
    """
    kind = _kind(device)
    there = {"cuda": torch.cuda.device_count(), "mps": 1}.get(kind, local_size)
    if local_size > there:
        raise ConfigError(
            f"{local_size} processes on this machine need a GPU each, and there is {there}: "
            f"start at most {there}, or choose trainer.device=cpu"
        )
    if kind == "cuda":
        torch.cuda.set_device(local_rank)
    return resolve(device)


def _kind(device: Device) -> str:
    """'auto' as what there is; a device that is absent raises ConfigError."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    present = [name for name, there in available.items() if there]
    name = present[0] if device is Device.auto else device.value
    if name not in present:
        raise ConfigError(f"trainer.device={name} is not available here; there is: {', '.join(present)}, auto")
    return name


def backend(device: torch.device) -> str:
    """What processes talk through: NCCL for tensors on GPUs; gloo on the CPU, where also objects travel."""
    return "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"


def scatters(device: torch.device) -> bool:
    """Whether the backend has a reduce-scatter of its own."""
    return device.type == "cuda"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """Mixed precision for the forward pass; does nothing for fp32."""
    if precision is Precision.fp32:
        return nullcontext()
    return torch.autocast(device.type, torch.bfloat16 if precision is Precision.bf16 else torch.float16)


def grad_scaler(device: torch.device, precision: Precision) -> torch.amp.GradScaler:
    """Loss scaling for fp16; passes everything through otherwise."""
    scaler = torch.amp.GradScaler(device.type, enabled=precision is Precision.fp16)
    scaler.scale(torch.ones((), device=device))  # makes its tensors now: the engine scales the losses itself
    return scaler


def on_device(sources: list[Source], device: torch.device) -> list[Source]:
    """Keep in-memory sources on the device when they fit together; otherwise leave them where they are."""
    if device.type != "cuda":
        return [source.to(device) for source in sources]
    if not all(source.in_memory for source in sources):
        return sources  # workers will fetch from all of them, and cannot touch the accelerator
    needed = sum(source.nbytes() for source in sources if isinstance(source, TensorSource))
    free, _ = torch.cuda.mem_get_info(device)
    return [source.to(device) for source in sources] if needed <= FITS * free else sources


def to_device(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Copy without waiting: through pinned memory where that exists."""
    if values.device == device:
        return values
    if device.type == "cuda" and values.device.type == "cpu" and not values.is_pinned():
        values = values.pin_memory()
    return values.to(device, non_blocking=True)


def pins_memory(device: torch.device) -> bool:
    """Whether data workers should hand over pinned memory."""
    return device.type == "cuda"


def seed_everything(seed: int) -> None:
    """Python, NumPy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def reseed(seed: int, step: int, rank: int) -> None:
    """Give a process random draws of its own, a pure function of the arguments."""
    seed_everything(mixed_seed(seed, step, rank))


def rng_state() -> dict[str, torch.Tensor]:
    """States of torch's global generators."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_rng_state(state: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(state["cpu"].cpu())
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"].cpu())


def forget_peak_memory(device: torch.device) -> None:
    """Count the largest memory anew: a process may train many runs, and each has its own.

    Where the system cannot (outside of Linux), a run without an accelerator is told the largest of its process so far.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory_bytes(device: torch.device) -> int:
    """Largest memory in use since `forget_peak_memory`: the accelerator's where that is counted, else the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        return int(kilobytes) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def all_finite(module: torch.nn.Module) -> bool:
    """Whether every parameter is finite; waits for the device once."""
    return bool(torch.stack([parameter.isfinite().all() for parameter in module.parameters()]).all())
