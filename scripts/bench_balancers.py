"""What balancing costs, as ratios within one run.

    python scripts/bench_balancers.py                      # every table; some minutes
    python scripts/bench_balancers.py --case resnet lenet --rounds 5 --only cagrad,mgda

floor(T) is one forward pass and T backward passes through the shared part with `torch.autograd.grad`, and nothing else.
The sum is one forward and one backward pass of the plain sum of the losses. Neither updates the parameters, and neither
does the measured step: it ends where every shared and task parameter has its `.grad`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.profiler import profile

from mtlrun.backbones.lenet import LeNet
from mtlrun.backbones.resnet import ResNet
from mtlrun.balancers import load
from mtlrun.balancers.base import Balancer, GramBalancer
from mtlrun.gradients.base import EngineSettings, FeatureTap, ParameterGroups
from mtlrun.gradients.engine import Engine
from mtlrun.paths import CONF

NAMES = sorted(path.stem for path in (CONF / "balancer").glob("*.yaml"))
CLASSES = 10


class Network(nn.Module):
    """A trunk, a linear head per task and fixed random data."""

    def __init__(self, trunk: nn.ModuleDict, features: int, tasks: int, shape: tuple[int, ...]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trunk = trunk
        self.heads = nn.ModuleDict({str(task): nn.Linear(features, CLASSES) for task in range(tasks)})
        self.inputs = torch.randn(*shape)
        self.labels = {task: torch.randint(CLASSES, (shape[0],)) for task in self.heads}

    def losses(self) -> dict[str, Tensor]:
        features = self.inputs
        for stage in self.trunk.values():
            features = stage(features)
        features = features if features.dim() == 2 else features.mean((2, 3))
        return {task: F.cross_entropy(head(features), self.labels[task]) for task, head in self.heads.items()}

    def groups(self, gradients: str = "parameters") -> ParameterGroups:
        last = [*self.trunk.values()][-1]
        own = {task: [*head.parameters()] for task, head in self.heads.items()}
        tap = FeatureTap(last) if gradients == "features" else None
        return ParameterGroups([*self.trunk.parameters()], own, [*last.parameters()], tap)


def resnet(tasks: int) -> Network:
    return Network(ResNet((3, 64, 64), depth=18, small_input=False).stages, 512, tasks, (32, 3, 64, 64))


def lenet(tasks: int) -> Network:
    backbone = LeNet((1, 28, 28))
    return Network(backbone.stages, backbone.features[-1].channels, tasks, (256, 1, 28, 28))


def floor(network: Network) -> Callable[[], object]:
    parameters = [*network.trunk.parameters()]

    def run() -> None:
        for loss in network.losses().values():
            torch.autograd.grad(loss, parameters, retain_graph=True)

    return run


def plain(network: Network) -> Callable[[], object]:
    def run() -> None:
        network.zero_grad()
        torch.stack([*network.losses().values()]).sum().backward()

    return run


def balanced(network: Network, balancer: Balancer, settings: EngineSettings | None = None) -> Callable[[], object]:
    settings = settings or EngineSettings()
    engine = Engine(network.groups(settings.gradients), balancer, settings)

    def run() -> None:
        network.zero_grad()
        engine.backward((network.losses() for _ in range(balancer.batches)), [*network.heads])
        if balancer.observes:
            with torch.no_grad():
                balancer.observe(torch.stack([*network.losses().values()]), [*network.heads])

    return run


def ratios(base: Callable[[], object], others: dict[str, Callable[[], object]], rounds: int, steps: int) -> Table:
    """Median over interleaved rounds of each function's time over the base's, which is measured right before it."""
    found: dict[str, list[float]] = {name: [] for name in others}
    for function in (base, *others.values()):
        function()
    for _ in range(rounds):
        for name, function in others.items():
            reference = seconds(base, steps)
            found[name].append(seconds(function, steps) / reference)
    table = Table("method", "median", "lowest", "highest", title_justify="left")
    for name, values in found.items():
        table.add_row(name, *(f"{value:.2f}" for value in (statistics.median(values), min(values), max(values))))
    return table


def seconds(function: Callable[[], object], steps: int) -> float:
    start = time.perf_counter()
    for _ in range(steps):
        function()
    return time.perf_counter() - start


def gram_table(make: Callable[[int], Network], tasks: int, names: Iterable[str], rounds: int, steps: int) -> Table:
    network = make(tasks)
    kinds = {name: load(name) for name in names}
    others = {
        name: balanced(network, balancer)
        for name, balancer in kinds.items()
        if balancer.reads != "losses" and balancer.batches == 1
    }
    return ratios(floor(network), others, rounds, steps)


def loss_table(make: Callable[[int], Network], tasks: int, names: Iterable[str], rounds: int, steps: int) -> Table:
    network = make(tasks)
    others = {name: balanced(network, load(name)) for name in names if load(name).reads == "losses"}
    return ratios(plain(network), others, rounds, steps)


def cheap_table(rounds: int) -> Table:
    """Ways of paying less: over ten steps, against the plain sum."""
    network = resnet(10)
    others = {
        "every=10": balanced(network, load("cagrad"), EngineSettings(every=10)),
        "gradients=features": balanced(network, load("cagrad"), EngineSettings(gradients="features")),
        "gradients=last_stage": balanced(network, load("cagrad"), EngineSettings(gradients="last_stage")),
        "every=1": balanced(network, load("cagrad")),
        "memory=gramian": balanced(network, load("cagrad"), EngineSettings(memory="gramian")),
    }
    return ratios(plain(network), others, rounds, steps=10)


def solve_table(names: Iterable[str], repeats: int = 30) -> Table:
    """Milliseconds of one solve, median over fresh random gradients."""
    table = Table("method", "T = 10", "T = 40")
    for name in names:
        balancer = load(name)
        if isinstance(balancer, GramBalancer):
            table.add_row(name, *(f"{_solve_ms(name, tasks, repeats):.2f} ms" for tasks in (10, 40)))
    return table


def _solve_ms(name: str, tasks: int, repeats: int) -> float:
    balancer = load(name)
    assert isinstance(balancer, GramBalancer)
    times = []
    for seed in range(repeats):
        rows = torch.randn(tasks * balancer.batches, 1000, generator=torch.Generator().manual_seed(seed)).double()
        rows = rows + 0.1 * rows[0]
        gram, losses = rows @ rows.T, torch.rand(tasks, dtype=torch.float64) + 0.5
        start = time.perf_counter()
        balancer.weights(gram, losses, tuple(map(str, range(tasks))))
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def memory_table(tasks: int) -> Table:
    """Largest allocation during a step above the plain sum's, in units of the shared gradient (P x 4 bytes)."""
    network = resnet(tasks)
    size = 4 * sum(parameter.numel() for parameter in network.trunk.parameters())
    base = peak(plain(network))
    table = Table("method", "above the plain sum", "bound")
    for title, function, bound in (
        ("memory=buffer", balanced(network, load("cagrad")), f"T + 2 = {tasks + 2}"),
        ("memory=gramian", balanced(network, load("cagrad"), EngineSettings(memory="gramian")), "3"),
    ):
        table.add_row(title, f"{(peak(function, fresh=True) - base) / size:.2f}", bound)
    return table


def peak(function: Callable[[], object], fresh: bool = False) -> int:
    """Largest sum of live allocations during one call; during the first call if `fresh`, buffers included."""
    if not fresh:
        function()
    with profile(profile_memory=True) as profiler:
        function()
    assert profiler.profiler is not None
    results = profiler.profiler.kineto_results
    events = [event for event in results.events() if event.name() == "[memory]"]
    total = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        total += event.nbytes()
        highest = max(highest, total)
    return highest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", nargs="*", default=["solve", "memory", "lenet", "losses", "cheap", "resnet"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(NAMES), help="balancers, by comma")
    options = parser.parse_args()
    names, rounds, console = options.only.split(","), options.rounds, Console()
    tables: dict[str, list[tuple[str, Callable[[], Table]]]] = {
        "solve": [("one solve", lambda: solve_table(names))],
        "memory": [("memory, ResNet-18, T = 10", lambda: memory_table(10))],
        "lenet": [
            (
                f"LeNet, batch 256, T = {t}, over floor({t})",
                partial(gram_table, lenet, t, names, rounds, 1 + 20 // t),
            )
            for t in (2, 10, 40)
        ],
        "losses": [
            ("LeNet, batch 256, T = 10, over the sum", lambda: loss_table(lenet, 10, names, rounds, 20)),
            ("ResNet-18, T = 10, over the sum", lambda: loss_table(resnet, 10, names, rounds, 3)),
        ],
        "cheap": [("ResNet-18, T = 10, CAGrad, over the sum", lambda: cheap_table(rounds))],
        "resnet": [
            (f"ResNet-18, 64x64, T = {t}, over floor({t})", partial(gram_table, resnet, t, names, rounds, 1))
            for t in (3, 10)
        ],
    }
    for case in options.case:
        for title, make in tables[case]:
            table = make()
            table.title = title
            console.print(table)


if __name__ == "__main__":
    main()
