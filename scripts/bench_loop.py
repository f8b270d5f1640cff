"""The training loop against a hand-written PyTorch loop: same tensors, model, optimizer and number of steps.

    python scripts/bench_loop.py [--case lenet|mlp|toy|molecules] [--balancer equal] [--steps 100] [--rounds 7]

lenet: MultiMNIST shapes, 1x28x28 inputs in memory, batch 256, two tasks. mlp: vectors of 20, two hidden layers of 64,
batch 64, two tasks. toy: the two functions of a point. molecules: the papers' protocol on QM9, their message-passing
network with eleven tasks, batch 120, molecules of as many atoms; "matrix per pair" is the hand-written loop over the
same network with each pair's 64 x 64 matrix in full, as the papers' code has it.

Rounds alternate, so that all loops meet the same machine; the ratio is taken within each round, and with --cpu of
processor time, which other programs disturb less. Inputs are random: values do not change the time. A line per task and
step is written (`trainer.log_every=1`); nothing is evaluated before the end.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.lenet import LeNet
from mtlrun.backbones.mlp import MLP
from mtlrun.backbones.mpnn import ELEMENTS, MPNN, Message
from mtlrun.backbones.point import Point
from mtlrun.balancers import load
from mtlrun.data.readers.molecules.source import BondedMolecules
from mtlrun.data.readers.molecules.targets import TARGETS
from mtlrun.data.sets import toy
from mtlrun.data.source import Splits, TensorSource
from mtlrun.gradients.base import ParameterGroups
from mtlrun.gradients.engine import Engine
from mtlrun.loggers.base import NoLogger
from mtlrun.runs.folder import RunFolder
from mtlrun.samplers.batch_sampler import BatchSampler
from mtlrun.samplers.pools import make_pools
from mtlrun.samplers.proportional import Proportional
from mtlrun.sharing.hard import Hard
from mtlrun.tasks.base import Task
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.objective import Objective
from mtlrun.tasks.regression import Regression
from mtlrun.training import devices
from mtlrun.training.batches import BatchLoader
from mtlrun.training.evaluate import Evaluator
from mtlrun.training.model import MultiTaskModel
from mtlrun.training.schedule import Schedule
from mtlrun.training.settings import Clip, DiagnosticsSettings, Precision, TrainerSettings
from mtlrun.training.step import Stepper
from mtlrun.training.trainer import Trainer

TASKS = ("first", "second")
CPU = torch.device("cpu")
Clock = Callable[[], float]
Loop = Callable[[MultiTaskModel, TensorSource, int, int], None]


@dataclass(frozen=True)
class Case:
    """A network, its data, and the loops that one would write by hand, by name: loop(model, source, steps, batch)."""

    title: str
    shape: tuple[int, ...]
    rows: int
    batch: int
    backbone: Callable[[], Backbone]
    tasks: Mapping[str, Task]
    loops: Mapping[str, Loop]
    draw: Callable[[str, tuple[int, ...], int], TensorSource]

    def model(self) -> MultiTaskModel:
        sharing = Hard(self.backbone, list(self.tasks))
        heads = {name: task.make_head(sharing.features, self.shape) for name, task in self.tasks.items()}
        return MultiTaskModel(sharing, heads)


def digits(name: str, shape: tuple[int, ...], rows: int) -> TensorSource:
    """Random inputs of two labels, one of ten classes each."""
    labels = {task: torch.randint(0, 10, (rows,)) for task in TASKS}
    return TensorSource(name, torch.rand(rows, *shape), labels)


def molecules(name: str, shape: tuple[int, ...], rows: int) -> TensorSource:
    """Random molecules of 18 atoms on average, 29 at most, as in QM9, with eleven numbers each."""
    sizes = (18 + 3 * torch.randn(rows)).round().clamp(3, shape[0])
    real = torch.arange(shape[0]) < sizes[:, None]
    numbers = torch.tensor(ELEMENTS)[torch.randint(len(ELEMENTS), real.shape)].unsqueeze(2)
    atoms = torch.cat([numbers, torch.randn(*real.shape, 3)], 2) * real.unsqueeze(2)
    graphs = torch.randint(0, 2, (rows, shape[0], shape[1] - 4)) * real.unsqueeze(2)
    return BondedMolecules(name, atoms, graphs.to(torch.uint8), {task: torch.randn(rows) for task in TARGETS})


def classify(model: MultiTaskModel, source: TensorSource, steps: int, batch: int) -> None:
    """Shuffled batches, the sum of two cross-entropies, AdamW."""
    inputs, labels = source.fetch(torch.arange(len(source)))
    optimizer = torch.optim.AdamW(model.parameters())
    loss_of = torch.nn.CrossEntropyLoss()
    trunk = cast(torch.nn.ModuleDict, model.sharing.trunk)
    heads = {name: model.head(name) for name in labels}
    order = torch.randperm(len(inputs))
    for step in range(steps):
        first = step * batch % (len(inputs) - batch)
        rows = order[first : first + batch]
        features = inputs[rows]
        outputs = []
        for stage in trunk.values():
            features = stage(features)
            outputs.append(features)
        loss = sum(loss_of(head(outputs), labels[name][rows]) for name, head in heads.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()


def descend(model: MultiTaskModel, source: TensorSource, steps: int, batch: int) -> None:
    """The sum of the two functions of the point, in tensor operations as in the papers' scripts, with the losses of
    each step."""
    point = next(model.parameters())
    optimizer = torch.optim.AdamW([point])
    seen = []
    for _ in range(steps):
        losses = torch.stack([0.1 * in_tensors(point, 1), in_tensors(point, -1)])
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        seen.append(losses.detach().numpy())


def in_tensors(point: Tensor, side: int) -> Tensor:
    """The first (side 1) or second (-1) function of a point."""
    x1, x2 = point
    valley = (0.5 * (x1 + 7 * side) - side * torch.tanh(x2)).abs().clamp(min=toy.NARROWEST).log() + 6
    bowl = ((x1 - 7 * side) ** 2 + 0.1 * (x2 + 8) ** 2) / 10 - 20
    return torch.tanh(x2 / 2).clamp(min=0) * valley + torch.tanh(-x2 / 2).clamp(min=0) * bowl


def regress(model: MultiTaskModel, source: TensorSource, steps: int, batch: int) -> None:
    """Shuffled batches of molecules, the sum of eleven squared errors, AdamW."""
    optimizer = torch.optim.AdamW(model.parameters())
    loss_of = torch.nn.MSELoss()
    graph, fc = cast(torch.nn.ModuleDict, model.sharing.trunk).values()
    heads = {name: model.head(name) for name in TARGETS}
    order = torch.randperm(len(source))
    for step in range(steps):
        first = step * batch % (len(order) - batch)
        inputs, labels = source.fetch(order[first : first + batch])
        pooled = graph(inputs)
        features = [pooled, fc(pooled)]
        loss = sum(loss_of(head(features).squeeze(1), labels[name]) for name, head in heads.items())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    loss.item()


class MatrixPerPair(torch.nn.Module):
    """`Message` as the papers' code computes it: Theta(e_ij) in full for each pair, anew for each of the messages."""

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.message = message

    def edges(self, edges: Tensor, others: Tensor) -> Tensor:
        return edges

    def forward(self, atoms: Tensor, edges: Tensor, others: Tensor) -> Tensor:
        own, (row, hearer, speaker) = self.message, others.nonzero(as_tuple=True)
        count, channels = atoms.shape[1:]
        matrices = own.second(own.first(edges[row, hearer, speaker]).relu()).view(-1, channels, channels)
        heard = torch.bmm(atoms[row, speaker].unsqueeze(1), matrices).squeeze(1)
        total = torch.zeros(len(atoms) * count, channels).index_add(0, row * count + hearer, heard).view_as(atoms)
        mean = total / others.sum(2, keepdim=True).clamp_min(1)
        return mean + own.root(atoms) + own.bias


def regress_by_pairs(model: MultiTaskModel, source: TensorSource, steps: int, batch: int) -> None:
    """`regress` with a matrix per pair."""
    graph = cast(torch.nn.ModuleDict, model.sharing.trunk)["graph"]
    graph.message = MatrixPerPair(cast(Message, graph.message))
    regress(model, source, steps, batch)


DIGITS: dict[str, Task] = {name: Classification(name, classes=10) for name in TASKS}
FUNCTIONS: dict[str, Task] = {
    "first": Objective("first", toy.first, scale=0.1, lower_bound=-21),
    "second": Objective("second", toy.second, lower_bound=-21),
}
CASES = {
    "lenet": Case(
        "LeNet, batch 256, 2 tasks",
        (1, 28, 28),
        50_000,
        256,
        lambda: LeNet(input_shape=(1, 28, 28)),
        DIGITS,
        {"plain PyTorch": classify},
        digits,
    ),
    "mlp": Case(
        "MLP 20-64-64, batch 64, 2 tasks",
        (20,),
        50_000,
        64,
        lambda: MLP(input_shape=(20,), hidden=(64, 64)),
        DIGITS,
        {"plain PyTorch": classify},
        digits,
    ),
    "toy": Case(
        "two functions of a point",
        (1,),
        500,
        1,
        lambda: Point(input_shape=(1,)),
        FUNCTIONS,
        {"plain PyTorch": descend},
        digits,
    ),
    "molecules": Case(
        "MPNN, batch 120, 11 tasks",
        (29, 38),
        10_000,
        120,
        lambda: MPNN(input_shape=(29, 38)),
        {name: Regression(name, standardise=False) for name in TARGETS},
        {"plain PyTorch": regress, "matrix per pair": regress_by_pairs},
        molecules,
    ),
}


def our_loop(
    case: Case, source: TensorSource, steps: int, balancer: str, diagnostics: int | None, clock: Clock
) -> float:
    """The trainer, with everything that it writes while it trains; returns seconds."""
    model, tasks = case.model(), case.tasks
    settings = TrainerSettings(epochs=10**6, max_steps=steps, batch_size=case.batch, log_every=1)
    own = {name: model.task_parameters(name) for name in tasks}
    engine = Engine(ParameterGroups(model.sharing.shared_parameters(), own), load(balancer))
    scaler, schedule = devices.grad_scaler(CPU, Precision.fp32), Schedule(None)
    optimizer = torch.optim.AdamW(model.parameters())
    stepper = Stepper(
        model, model, tasks, engine, optimizer, schedule, scaler, CPU, Precision.fp32, clip_norm=None, clip=Clip.all
    )
    few = case.draw("few", case.shape, 64)
    with tempfile.TemporaryDirectory() as path:
        folder = RunFolder(path)
        folder.start(["bench_loop.py"], seed=0)
        trainer = Trainer(
            stepper=stepper,
            sampler=BatchSampler(Proportional(), make_pools([source], tasks), list(tasks), case.batch, seed=0),
            loader=BatchLoader([source], CPU),
            splits=Splits([source], [few], [few], ""),
            evaluator=Evaluator(model, tasks, CPU, Precision.fp32, 256),
            settings=settings,
            diagnostics=DiagnosticsSettings(every=diagnostics, gap_rows=0),
            folder=folder,
            logger=NoLogger(folder=Path(path), config={}),
            steps_per_epoch=steps,
            total_steps=steps,
        )
        start = clock()
        trainer.fit()
        return clock() - start


def by_hand(case: Case, loop: Loop, source: TensorSource, steps: int, clock: Clock) -> float:
    """Seconds of a hand-written loop."""
    model = case.model()
    start = clock()
    loop(model, source, steps, case.batch)
    return clock() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=[*CASES], default="lenet")
    parser.add_argument("--balancer", default="equal")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    clock = time.process_time if options.cpu else time.perf_counter
    torch.set_num_threads(options.threads)
    logging.disable(logging.CRITICAL)
    case = CASES[options.case]
    source = case.draw("rows", case.shape, case.rows)
    seconds: dict[str, list[float]] = {name: [] for name in (*case.loops, "mtlrun, no diagnostics", "mtlrun")}
    for _ in range(options.rounds + 1):
        for name, loop in case.loops.items():
            seconds[name].append(by_hand(case, loop, source, options.steps, clock))
        for name, every in (("mtlrun, no diagnostics", 0), ("mtlrun", None)):
            seconds[name].append(our_loop(case, source, options.steps, options.balancer, every, clock))
    Console(width=110).print(shown(case, seconds, options.steps))


def shown(case: Case, seconds: Mapping[str, list[float]], steps: int) -> Table:
    """Milliseconds a step, and ratios within each round; the first round is warm-up."""
    table = Table("loop", "ms a step (median)", "ratio (median)", "ratios", title=case.title)
    for name, values in seconds.items():
        ratios = [own / plain for own, plain in zip(values[1:], seconds["plain PyTorch"][1:])]
        milliseconds = 1000 * statistics.median(values[1:]) / steps
        words = " ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
        table.add_row(name, f"{milliseconds:.2f}", f"{statistics.median(ratios):.3f}", words)
    return table


if __name__ == "__main__":
    main()
