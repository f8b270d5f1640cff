"""Eight steps of many configurations; test_ranks.py has them taken by one process, and by each of several."""

import tempfile

import torch
from omegaconf import DictConfig

from mtlrun.config.build import build
from mtlrun.experiment.worker import Worker
from mtlrun.gradients.ranks import Ranks
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.base import TrainingProgress
from mtlrun.training.group import join_in_file
from mtlrun.training.settings import Device
from mtlrun.training.step import train_step

STEPS = 8
EPOCH = 3
"""Steps; in the third epoch a balancer may compare the two before."""


def train(config: DictConfig, ranks: Ranks) -> dict[str, torch.Tensor]:
    """Parameters, losses and weights after eight steps with two epochs' ends."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = build(config, RunFolder(folder), ranks)
        draws = (trainer.sampler.next(TrainingProgress(step, step // EPOCH, step / STEPS)) for step in range(STEPS))
        for step, batch in enumerate(trainer.loader.batches(draws)):
            trace = train_step(trainer.stepper, batch, measure=step % 4 == 2)
            if step % EPOCH == EPOCH - 1:
                trainer.engine.balancer.end_epoch()
        trainer.logger.close()
    flat = [parameter.detach().flatten() for parameter in trainer.model.parameters()]
    weights = torch.zeros(0) if trace.weights is None else trace.weights
    return {"parameters": torch.cat(flat), "losses": trace.losses, "weights": weights}


def train_all(worker: Worker, cases: dict[str, tuple[DictConfig, bool]]) -> list[dict[str, dict[str, torch.Tensor]]]:
    """What each process finds for each case; the second of a pair is whether rows are scattered over the processes."""
    torch.set_num_threads(1)
    joined = join_in_file(worker.meeting, worker.rank, worker.size, Device.cpu)
    found = {}
    for name, (config, scatters) in cases.items():
        found[name] = train(config, Ranks(worker.rank, worker.size, scatters))
    return joined.all_gather_object(found)
