"""The training loop against a hand-written PyTorch loop: same tensors, model, optimizer and number of steps.

    python scripts/bench_loop.py [--steps 100] [--rounds 7] [--threads 2]

MultiMNIST shapes: 1x28x28 inputs in memory, LeNet, batch 256, equal weights, AdamW. Rounds alternate, so that both
loops meet the same machine; the ratio is taken within each round. Pixels are random: values do not change the time.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from pathlib import Path
from typing import cast

import torch
from rich.console import Console
from rich.table import Table
from torch import nn

from mtlrun.backbones.lenet import LeNet
from mtlrun.balancers import load
from mtlrun.data.source import Splits, TensorSource
from mtlrun.gradients.base import ParameterGroups
from mtlrun.gradients.engine import Engine
from mtlrun.loggers.base import NoLogger
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.pools import make_pools
from mtlrun.samplers.proportional import Proportional
from mtlrun.sharing.hard import Hard
from mtlrun.tasks.classification import Classification
from mtlrun.training import devices
from mtlrun.training.batches import BatchLoader
from mtlrun.training.evaluate import Evaluator
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.schedule import Schedule
from mtlrun.training.settings import Clip, DiagnosticsSettings, Precision, TrainerSettings
from mtlrun.training.step import Stepper
from mtlrun.training.trainer import Trainer

ROWS, BATCH = 50_000, 256


def make_model(tasks: dict[str, Classification]) -> MultiTaskModel:
    sharing = Hard(lambda: LeNet(input_shape=(1, 28, 28)), list(tasks))
    return MultiTaskModel(
        sharing, {name: task.make_head(sharing.features, (1, 28, 28)) for name, task in tasks.items()}
    )


def plain_loop(model: MultiTaskModel, images: torch.Tensor, labels: dict[str, torch.Tensor], steps: int) -> float:
    """What one would write by hand; returns seconds."""
    optimizer = torch.optim.AdamW(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    trunk = cast(nn.ModuleDict, model.sharing.trunk)
    heads = {name: model.head(name) for name in labels}
    order, total, start = torch.randperm(len(images)), 0.0, time.perf_counter()
    for step in range(steps):
        first = step * BATCH % (len(images) - BATCH)
        rows = order[first : first + BATCH]
        features = images[rows]
        outputs = []
        for stage in trunk.values():
            features = stage(features)
            outputs.append(features)
        loss = sum(loss_of(head(outputs), labels[name][rows]) for name, head in heads.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    total += loss.item()
    return time.perf_counter() - start


def our_loop(
    model: MultiTaskModel, tasks: dict[str, Classification], source: TensorSource, steps: int, diagnostics: int | None
) -> float:
    """The trainer, with everything that it writes while it trains, but without evaluation; returns seconds."""
    cpu = torch.device("cpu")
    settings = TrainerSettings(epochs=10**6, max_steps=steps, batch_size=BATCH)
    own = {name: model.task_parameters(name) for name in tasks}
    engine = Engine(ParameterGroups(model.sharing.shared_parameters(), own), load("equal"))
    scaler = devices.grad_scaler(cpu, Precision.fp32)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = Schedule(None)
    stepper = Stepper(
        model, model, tasks, engine, optimizer, schedule, scaler, cpu, Precision.fp32, clip_norm=None, clip=Clip.all
    )
    evaluator = Evaluator(model, tasks, cpu, Precision.fp32, 256)
    sampler = BatchSampler(Proportional(), make_pools([source], tasks), list(tasks), BATCH, seed=0)
    few = TensorSource("few", *_numbers(64, tasks))
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(path)
        folder.start(["bench_loop"], seed=0)
        logger = NoLogger(folder=Path(path), config={})
        splits = Splits([source], [few], [few], "")
        trainer = Trainer(
            stepper=stepper,
            sampler=sampler,
            loader=BatchLoader([source], cpu),
            splits=splits,
            evaluator=evaluator,
            settings=settings,
            diagnostics=DiagnosticsSettings(every=diagnostics, gap_rows=0),
            folder=folder,
            logger=logger,
            steps_per_epoch=len(source) // BATCH + 1,
            total_steps=steps,
        )
        start = time.perf_counter()
        trainer.fit()
        return time.perf_counter() - start


def _numbers(rows: int, tasks: dict[str, Classification]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    return torch.rand(rows, 1, 28, 28), {name: torch.randint(0, 10, (rows,)) for name in tasks}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    logging.disable(logging.CRITICAL)
    tasks = {name: Classification(name, classes=10) for name in ("left", "right")}
    images, labels = _numbers(ROWS, tasks)
    source = TensorSource("pairs", images, labels)
    seconds: dict[str, list[float]] = {"plain PyTorch": [], "mtlrun, no diagnostics": [], "mtlrun": []}
    for _ in range(options.rounds + 1):
        seconds["plain PyTorch"].append(plain_loop(make_model(tasks), images, labels, options.steps))
        seconds["mtlrun, no diagnostics"].append(our_loop(make_model(tasks), tasks, source, options.steps, 0))
        seconds["mtlrun"].append(our_loop(make_model(tasks), tasks, source, options.steps, None))
    table = Table("loop", "ms a step (median)", "ratio (median)", "ratios", title=f"LeNet, batch {BATCH}, 2 tasks")
    for name, values in seconds.items():
        ratios = [own / plain for own, plain in zip(values[1:], seconds["plain PyTorch"][1:])]  # the first is warm-up
        milliseconds = 1000 * statistics.median(values[1:]) / options.steps
        shown = " ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
        table.add_row(name, f"{milliseconds:.2f}", f"{statistics.median(ratios):.3f}", shown)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
