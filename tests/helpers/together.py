"""What the processes of test_worker_group.py and test_sync_batchnorm.py do; they import it as `together`."""

import logging
import os
import signal
import tempfile
import time

from mtlrun.errors import ConfigError, Interrupted, ProcessLost
from mtlrun.training.interrupt import Interrupt, exit_code


class Knotty(Exception):
    def __init__(self, one, other):
        super().__init__(f"{one} {other}")


def names(worker, *words):
    return worker.rank, worker.size, words, os.environ["OMP_NUM_THREADS"]


def fail(worker, error):
    if worker.rank == 1:
        raise error
    time.sleep(60)


def fail_all(worker):
    raise ConfigError(f"found by {worker.rank}")


def fail_unsendably(worker):
    raise Knotty("a", "b")


def die(worker, number):
    if worker.rank == 1:
        os.kill(os.getpid(), number)
    time.sleep(60)


def die_all(worker):
    os.kill(os.getpid(), signal.SIGKILL)


def die_and_be_missed(worker):
    if worker.rank == 1:
        time.sleep(0.3)
        os._exit(3)
    raise ProcessLost("another one is gone")


def log(worker):
    logger = logging.getLogger("mtlrun.somewhere")
    logger.debug("too much")
    logger.info("seen by %d", worker.rank)
    logger.warning("strange for %s", worker.rank)


def show(worker):
    with worker.progress(20, ["left", "right"], 8, start=3) as progress:
        for step in range(4, 11):
            progress.update(step, 0, {"left": 0.5})
        progress.report_epoch(0, {"left": ("accuracy", 0.25)}, 0.75, 1.5)


def obey(worker, ready):
    with Interrupt() as interrupt:
        ready.with_suffix(f".{worker.rank}").touch()
        while interrupt.received is None:
            time.sleep(0.01)
    assert interrupt.received == signal.SIGTERM
    raise Interrupted(exit_code(interrupt.received))


def finish_anyway(worker, ready):
    with Interrupt() as interrupt:
        ready.with_suffix(f".{worker.rank}").touch()
        while interrupt.received is None:
            time.sleep(0.01)
    return "done"


def sleep_soundly(worker, ready):
    with Interrupt():
        ready.with_suffix(f".{worker.rank}").touch()
        time.sleep(60)


def join(worker):
    import torch

    from mtlrun.training.group import join_in_file
    from mtlrun.training.settings import Device

    torch.set_num_threads(1)
    return join_in_file(worker.meeting, worker.rank, worker.size, Device.cpu)


def do(worker, work, *arguments):
    """`work(ranks, *arguments)` in each process; all their results."""
    ranks = join(worker)
    return ranks.all_gather_object(work(ranks, *arguments))


def built(ranks, config):
    from mtlrun.config.build import build
    from mtlrun.runs.folder import RunFolder

    with tempfile.TemporaryDirectory() as folder:
        return build(config, RunFolder(folder, writes=False), ranks)


def everything(ranks, cases):
    return {"mistake": disagree(ranks), "draws": draws(ranks), "scores": scores(ranks, cases)}


def scores(ranks, cases):
    """Everything that is evaluated, for each case's fresh network."""
    found = {}
    for name, config in cases.items():
        trainer = built(ranks, config)
        if not ranks.first:
            for buffer in trainer.model.buffers():
                buffer.add_(1)  # running statistics are the first process's
        evaluator, splits = trainer.evaluator, trainer.splits
        losses = {source.name: evaluator.row_losses(source) for source in splits.train}
        found[name] = evaluator.evaluate(splits.val), evaluator.evaluate(splits.train, 7), losses
    return found


def disagree(ranks):
    """A mistake that one process finds, told to all; then a value that one has."""
    from mtlrun.training.group import agreed, first_goes_ahead

    def build():
        with first_goes_ahead(ranks):
            if ranks.rank == 0:
                raise ConfigError("only here")

    try:
        agreed(ranks, build)
    except ConfigError as error:
        return str(error)


def draws(ranks):
    """Random numbers of two steps, and of one of them again."""
    import torch

    from mtlrun.training.devices import reseed

    found = []
    for step in (4, 5, 4):
        reseed(3, step, ranks.rank)
        found.append(torch.rand(3).tolist())
    return found


def batch_norm_and_steps(ranks, layers, trainings, count):
    return batch_norm(ranks, layers), steps(ranks, trainings, count)


def batch_norm(ranks, cases):
    """Per case output, gradients and state of a layer that has seen its part of two batches."""
    import torch
    from torch import nn

    from mtlrun.training.sync_batchnorm import synchronise

    found = {}
    for name, (layer, batches, dtype) in cases.items():
        model = nn.Sequential(layer)
        synchronise(model, ranks)
        outputs = []
        for batch in batches:
            part = batch[ranks.rank :: ranks.size].to(dtype).requires_grad_()
            output = model(part)
            weight = torch.arange(output.numel(), dtype=dtype).view(output.shape).cos()
            if ranks.size == 1:  # so that both processes' parts have the weights of their rows
                weight = torch.cat([torch.arange(o.numel(), dtype=dtype).view(o.shape).cos() for o in halves(output)])
                weight = weight[undeal(len(output))]
            (output * weight).sum().backward()
            outputs.append((output.detach(), part.grad))
        parameters = [parameter.grad for parameter in model.parameters()]
        for gradient in parameters:
            ranks.sum(gradient)
        found[name] = outputs, parameters, {key: value.clone() for key, value in model.state_dict().items()}
    return found


def halves(values):
    return values[0::2], values[1::2]


def undeal(count):
    """Puts rows 0, 2, ..., 1, 3, ... back into order."""
    import torch

    return torch.cat([torch.arange(count)[0::2], torch.arange(count)[1::2]]).argsort()


def steps(ranks, cases, count):
    """Parameters, buffers and losses after some steps of training, and how many parts without a row there were."""
    from mtlrun.samplers.base import TrainingProgress
    from mtlrun.training.step import train_step

    found = {}
    for name, config in cases.items():
        trainer, empty = built(ranks, config), 0
        draws = (trainer.sampler.next(TrainingProgress(step, 0, step / count)) for step in range(count))
        for step, batch in enumerate(trainer.loader.batches(draws)):
            trace = train_step(trainer.stepper, batch, measure=step % 3 == 1)
            pieces = [piece for micro_batches in batch.micro for pieces in micro_batches for piece in pieces]
            empty += sum(len(targets) == 0 for piece in pieces for targets in piece.targets.values())
        found[name] = dict(trainer.model.state_dict()), trace.losses, empty
    return found
