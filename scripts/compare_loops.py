"""Balancing in a loop of one's own with mtlrun, TorchJD and LibMTL: time of a step, and whether the updates agree.

    python scripts/compare_loops.py --libmtl CHECKOUT    # a clone of github.com/median-research-group/LibMTL

Steps of the three take turns, so that a machine that is busy for a while slows all of them. Times are medians, on one
thread of the CPU or on the accelerator that torch finds (`--device`).
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
import types
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

import mtlrun

Losses = list[Tensor]
CLASSES = {"pcgrad": "PCGrad", "upgrad": "UPGrad"}
"""What both other packages call the methods."""
Way = Callable[["Network", str, list[str]], Callable[[Losses, Tensor], object]]


class Network(nn.Module):
    """An encoder and a linear head a task."""

    def __init__(self, kind: str, tasks: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.shape: tuple[int, ...]
        if kind == "mlp":
            sizes = [256, 512, 512, 512]
            layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.ReLU())]
            self.encoder, self.shape = nn.Sequential(*layers), (256,)
        else:
            from torchvision.models import resnet18

            body = resnet18(num_classes=512)
            self.encoder, self.shape = nn.Sequential(*body.children(), nn.Flatten()), (3, 64, 64)
            self.encoder[-2] = nn.Flatten()  # in place of the classifier
        self.heads = nn.ModuleList(nn.Linear(512, 1) for _ in range(tasks))

    def losses(self, inputs: Tensor) -> tuple[Losses, Tensor]:
        features = self.encoder(inputs)
        wanted = inputs.flatten(1)[:, : len(self.heads)].T
        return [(head(features)[:, 0] - value).square().mean() for head, value in zip(self.heads, wanted)], features


def with_mtlrun(network: Network, method: str, tasks: list[str]) -> Callable[[Losses, Tensor], object]:
    step = mtlrun.balance(method, shared=network.encoder.parameters())
    return lambda losses, features: step.backward(dict(zip(tasks, losses)))


def with_torchjd(network: Network, method: str, tasks: list[str]) -> Callable[[Losses, Tensor], object]:
    from torchjd import aggregation
    from torchjd.autojac import jac_to_grad, mtl_backward

    aggregator = getattr(aggregation, CLASSES[method])()
    shared = [*network.encoder.parameters()]

    def backward(losses: Losses, features: Tensor) -> None:
        mtl_backward(losses, features=features)
        jac_to_grad(shared, aggregator)

    return backward


def with_libmtl(network: Network, method: str, tasks: list[str]) -> Callable[[Losses, Tensor], object]:
    weighting = getattr(import_module(f"LibMTL.weighting.{CLASSES[method]}"), CLASSES[method])

    class Balanced(weighting):  # type: ignore[misc, valid-type]
        def get_share_params(self) -> object:
            return network.encoder.parameters()

        def zero_grad_share_params(self) -> None:
            network.encoder.zero_grad(set_to_none=False)

    balanced = Balanced()
    balanced.task_name, balanced.task_num, balanced.rep_grad = tasks, len(tasks), False
    balanced.device = next(network.parameters()).device
    balanced.init_param()
    options = {"UPGrad_norm_eps": 1e-4, "UPGrad_reg_eps": 1e-4}  # TorchJD's defaults, which its command line has too
    return lambda losses, features: balanced.backward(losses, **options)


WAYS: dict[str, Way] = {"mtlrun": with_mtlrun, "TorchJD": with_torchjd, "LibMTL": with_libmtl}


def measure(kind: str, tasks: int, method: str, ways: list[str], steps: int, device: str) -> None:
    names = [f"task{number}" for number in range(tasks)]
    networks = {way: Network(kind, tasks).to(device) for way in ways}
    calls: dict[str, Callable[[Losses, Tensor], object]] = {}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for way, network in networks.items():
        calls[way] = WAYS[way](network, method, names)
    for step in range(steps):
        inputs = torch.randn(32, *networks[ways[0]].shape, generator=torch.Generator().manual_seed(step)).to(device)
        for way, network in networks.items():
            network.zero_grad()
            synchronise(device)
            start = time.perf_counter()
            calls[way](*network.losses(inputs))
            synchronise(device)
            times[way].append(time.perf_counter() - start)
    grads = {
        way: torch.cat([p.grad.flatten().double() for p in network.encoder.parameters() if p.grad is not None])
        for way, network in networks.items()
    }
    mine = grads["mtlrun"]
    for way in ways:
        milliseconds = 1000 * statistics.median(times[way][2:])
        angle = float(torch.cosine_similarity(grads[way], mine, 0))
        print(f"{kind:7} T={tasks} {method:7} {way:8} {milliseconds:8.1f} ms  cosine to mtlrun {angle:.6f}", flush=True)


def synchronise(device: str) -> None:
    if device != "cpu":
        torch.accelerator.synchronize()


def find_libmtl(checkout: Path) -> None:
    """Make single weightings importable: the package as a whole imports cvxpy and torch_geometric."""
    for name, folder in (("LibMTL", checkout / "LibMTL"), ("LibMTL.weighting", checkout / "LibMTL" / "weighting")):
        module = types.ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module
    package = import_module("LibMTL.weighting.abstract_weighting")
    sys.modules["LibMTL.weighting"].AbsWeighting = package.AbsWeighting  # type: ignore[attr-defined]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--libmtl", type=Path)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(0)
    ways = [way for way in WAYS if way != "LibMTL" or options.libmtl]
    if options.libmtl:
        find_libmtl(options.libmtl)
    for kind in ("mlp", "resnet"):
        for tasks in (3, 8):
            for method in CLASSES:
                measure(kind, tasks, method, ways, options.steps, options.device)


if __name__ == "__main__":
    main()
