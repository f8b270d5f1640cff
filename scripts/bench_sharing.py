"""What sharing schemes cost: parameters, and the time of a training step as a ratio to `hard`.

    python scripts/bench_sharing.py [--task driving] [--rounds 7] [--only hard,mtan] [SETTING ...]

A step is a whole one: forward, backward, balancing and optimizer, on batches drawn beforehand. Settings such as
`backbone=resnet18` or `balancer=pcgrad` hold for all schemes. The time of `hard` is taken right before each scheme's.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from rich.console import Console
from rich.table import Table

from mtlrun.config.build import build
from mtlrun.config.schema import register_schema
from mtlrun.errors import MtlrunError
from mtlrun.paths import CONF
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress
from mtlrun.training.step import train_step
from mtlrun.training.trainer import Trainer

SCHEMES = sorted(path.stem for path in (CONF / "sharing").glob("*.yaml"))
STEPS = 3


def make(settings: list[str], folder: Path) -> Trainer:
    with initialize_config_dir(str(CONF), job_name="bench", version_base="1.3"):
        config = compose("config", settings)
    folder.mkdir(exist_ok=True)
    return build(config, RunFolder(folder))


def stepping(trainer: Trainer) -> Callable[[], None]:
    """Some training steps, on the same rows at each call."""
    draws = [trainer.sampler.next(TrainingProgress(step, 0, 0.0)) for step in range(STEPS)]
    batches = [*trainer.loader.batches(iter(draws))]

    def run() -> None:
        for batch in batches:
            train_step(trainer.stepper, batch, measure=False)

    run()
    return run


def seconds(function: Callable[[], None]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def count(trainer: Trainer) -> tuple[int, int]:
    """(all parameters, shared ones)."""
    model = trainer.model
    shared = model.sharing.shared_parameters()
    return sum(p.numel() for p in model.parameters()), sum(p.numel() for p in shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", help="for all schemes, such as backbone=resnet18")
    parser.add_argument("--task", default="driving")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default=",".join(SCHEMES), help="schemes, by comma")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    register_schema()
    table = Table("scheme", "parameters", "x hard", "shared", "step x hard", "lowest", "highest")
    refused = []
    with tempfile.TemporaryDirectory() as folder:
        common = [f"task={options.task}", *options.settings]
        hard = make([*common, "sharing=hard"], Path(folder) / "hard")
        base, size = stepping(hard), count(hard)[0]
        for scheme in options.only.split(","):
            try:
                trainer = make([*common, f"sharing={scheme}"], Path(folder) / "scheme")
            except MtlrunError as error:
                refused.append(f"{scheme}: {error}")
                continue
            other, (parameters, shared) = stepping(trainer), count(trainer)
            pairs = [(seconds(base), seconds(other)) for _ in range(options.rounds)]
            ratios = [mine / theirs for theirs, mine in pairs]
            times = (statistics.median(ratios), min(ratios), max(ratios))
            table.add_row(
                scheme, f"{parameters:,}", f"{parameters / size:.2f}", f"{shared:,}", *(f"{x:.2f}" for x in times)
            )
    table.title = f"task={options.task}, {torch.get_num_threads()} threads"
    Console(width=100).print(table, *refused, sep="\n")


if __name__ == "__main__":
    main()
