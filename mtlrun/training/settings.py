"""Settings of training and diagnostics: the typed nodes `trainer` and `diagnostics`. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Optional


class Device(Enum):
    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class Precision(Enum):
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


@dataclass
class TrainerSettings:
    # passes over the training rows (all sources together)
    epochs: int = 10
    # stop after this many steps, whatever the epoch; null for no such limit
    max_steps: Optional[int] = None  # noqa: UP045 (OmegaConf reads the annotations)
    # rows per optimizer step, over all sources
    batch_size: int = 64
    # split each batch into this many parts, one after the other, to save memory
    accumulate: int = 1
    # auto takes cuda, then mps, then cpu
    device: Device = Device.auto
    # processes on this machine that share each batch: one per GPU, or several on the CPU's cores
    devices: int = 1
    # autocast of the forward pass
    precision: Precision = Precision.fp32
    # torch.compile the network
    compile: bool = False
    # with several processes: batch norm over the whole batch, not over each process's part
    sync_batchnorm: bool = False
    # NHWC memory layout for images
    channels_last: bool = False
    # largest norm of the whole gradient; null for no clipping
    clip_norm: Optional[float] = None  # noqa: UP045
    # evaluate on validation data each n epochs
    eval_every: int = 1
    # score the test data after each of the last n epochs and average, beside the best and the last
    test_last: int = 1
    # rows per forward pass in evaluation
    eval_batch_size: int = 256
    # also save a checkpoint each n steps; null for once an epoch
    checkpoint_every: Optional[int] = None  # noqa: UP045
    # write a line per task into tasks.csv each n steps
    log_every: int = 1
    # stop after n evaluations without a better score; null for never
    patience: Optional[int] = None  # noqa: UP045
    # what the best epoch is chosen by: TASK/METRIC on validation data, or null for the geometric mean over the tasks
    monitor: Optional[str] = None  # noqa: UP045
    # processes that read file-based sources; in-memory data needs none
    workers: int = 0


@dataclass
class DiagnosticsSettings:
    # measure the tasks' gradients each n steps; null chooses n so that it costs under 5 %; 0 for never
    every: Optional[int] = None  # noqa: UP045
    # training rows of each source that are evaluated too, for the generalisation gap; 0 for none
    gap_rows: int = 256
    # test rows shown with labels and predictions in plots/; 0 for none
    pictures: int = 6
    # draw plots/ at the end
    plots: bool = True
