"""Settings of training and diagnostics: the typed nodes `trainer` and `diagnostics`. Imports no torch.

The home of each default, its meaning and its bound: conf/trainer and conf/diagnostics repeat the first two for readers,
and a test holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Optional


class Device(Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(Enum):
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


class Clip(Enum):
    all = "all"
    shared = "shared"


class Select(Enum):
    geometric = "geometric"
    arithmetic = "arithmetic"
    delta_m = "delta_m"
    delta_p = "delta_p"
    last = "last"


class SelectOn(Enum):
    val = "val"
    test = "test"


def setting(default: Any, meaning: str, at_least: int | None = None) -> Any:
    """A field with its meaning and, for numbers, the smallest value that is allowed."""
    return field(default=default, metadata={"meaning": meaning, "at_least": at_least})


@dataclass
class TrainerSettings:
    # Optional and not "| None": OmegaConf reads the annotations.
    epochs: int = setting(10, "passes over the training rows (all sources together)", 1)
    max_steps: Optional[int] = setting(None, "stop after this many steps, whatever the epoch", 1)  # noqa: UP045
    batch_size: int = setting(64, "rows per optimizer step, over all sources", 1)
    drop_last: bool = setting(
        False, "leave out the rows of each epoch that do not fill a batch, and begin the next one with all rows"
    )
    accumulate: int = setting(1, "split each batch into this many parts, one after the other, to save memory", 1)
    device: Device = setting(Device.auto, "auto (cuda, then mps, then cpu), cpu, cuda or mps")
    devices: int = setting(
        1, "processes on this machine that share each batch: one per GPU, or several on the CPU's cores", 1
    )
    precision: Precision = setting(Precision.fp32, "of the forward pass: fp32, bf16 or fp16 (autocast)")
    compile: bool = setting(False, "torch.compile the network")
    sync_batchnorm: bool = setting(
        False, "with several processes: batch norm over the whole batch, not over each process's part"
    )
    channels_last: bool = setting(False, "NHWC memory layout for images")
    clip_norm: Optional[float] = setting(None, "largest norm of the gradient; null for no clipping")  # noqa: UP045
    clip: Clip = setting(Clip.all, "the gradient that clip_norm bounds: of all parameters, or of the shared ones only")
    eval_every: int = setting(1, "epochs between two evaluations on validation data", 1)
    test_last: int = setting(
        1, "score the test data after each of the last n epochs and average, beside the best and the last", 1
    )
    eval_batch_size: int = setting(256, "rows per forward pass in evaluation", 1)
    checkpoint_every: Optional[int] = setting(  # noqa: UP045
        None, "also save a checkpoint each n steps; one is saved each epoch anyway", 1
    )
    log_every: Optional[int] = setting(  # noqa: UP045
        None, "steps between two lines per task in tasks.csv; null for as few as give 10,000 lines at most", 1
    )
    patience: Optional[int] = setting(  # noqa: UP045
        None, "stop after this many evaluations without a better score", 1
    )
    monitor: Optional[str] = setting(  # noqa: UP045
        None, "what the best epoch is chosen by: TASK/METRIC, or null for a score over all tasks, see select"
    )
    select: Select = setting(
        Select.geometric,
        "the score over all tasks: geometric or arithmetic mean, delta_m or delta_p against reference; or last epoch",
    )
    reference: Any = setting(
        None, "of delta_m and delta_p: {task: {metric: value}}, a run folder, or first (the first evaluation)"
    )
    select_on: SelectOn = setting(
        SelectOn.val, "split that chooses the best epoch; test only to repeat papers that did so, and reports say it"
    )
    workers: int = setting(0, "processes that read file-based sources; in-memory data needs none", 0)


@dataclass
class DiagnosticsSettings:
    every: Optional[int] = setting(  # noqa: UP045
        None, "steps between two measurements of the tasks' gradients; null costs under 5 %; 0 for never", 0
    )
    gap_rows: int = setting(
        256, "training rows of each source that are evaluated too, for the generalisation gap; 0 for none", 0
    )
    pictures: int = setting(6, "test rows shown with labels and predictions in plots/; 0 for none", 0)
    plots: bool = setting(True, "draw plots/ at the end")
