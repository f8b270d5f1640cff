"""Twenty steps of many configurations in one process of several; run by test_ranks.py, and imported for one process.

usage: ranks_worker.py RANK SIZE STORE CASES RESULTS
"""

import json
import sys
import tempfile
from pathlib import Path

import torch

from mtlrun.config.build import build
from mtlrun.config.compose import compose
from mtlrun.config.composed import without_hydra
from mtlrun.gradients.ranks import Ranks
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress
from mtlrun.training.step import train_step

STEPS = 20


def train(overrides: list[str], ranks: Ranks) -> dict[str, torch.Tensor]:
    """Parameters, losses and weights after 20 steps with two epochs' ends."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = build(without_hydra(compose(overrides)), RunFolder(folder), ranks)
        draws = (trainer.sampler.next(TrainingProgress(step, step // 8, step / STEPS)) for step in range(STEPS))
        for step, batch in enumerate(trainer.loader.batches(draws)):
            trace = train_step(trainer.stepper, batch, measure=step % 7 == 3)
            if step % 8 == 7:
                trainer.engine.balancer.end_epoch()
        trainer.logger.close()
    flat = [parameter.detach().flatten() for parameter in trainer.model.parameters()]
    weights = torch.zeros(0) if trace.weights is None else trace.weights
    return {"parameters": torch.cat(flat), "losses": trace.losses, "weights": weights}


def main() -> None:
    rank, size, store, cases, results = sys.argv[1:]
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{store}", rank=int(rank), world_size=int(size))
    found = {}
    for name, (overrides, scatters) in json.loads(Path(cases).read_text()).items():
        found[name] = train(overrides, Ranks(int(rank), int(size), scatters))
    torch.save(found, f"{results}.{rank}")
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
