"""Parts that break one promise each: the line names the class, the promise and what was found."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchmetrics import Metric

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.mlp import MLP
from mtlrun.balancers.base import GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.contracts.backbone import check_backbone
from mtlrun.contracts.balancer import check_balancer
from mtlrun.contracts.promise import BrokenPromise, Promises, Skipped, demand
from mtlrun.contracts.sampler import check_sampler
from mtlrun.contracts.sharing import check_sharing
from mtlrun.contracts.source import check_source
from mtlrun.contracts.task import check_task
from mtlrun.data.source import TensorSource
from mtlrun.samplers.base import Sampler, TrainingProgress
from mtlrun.samplers.uniform import Uniform
from mtlrun.sharing.hard import Hard
from mtlrun.tasks.regression import Regression
from mtlrun.types import Feature, Rows


class Given(LossBalancer):
    """Whatever a function of the losses says."""

    def __init__(self, answer: Callable[[Tensor], Any]) -> None:
        self.answer = answer

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return self.answer(losses)


class ByPlace(LossBalancer):
    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return torch.arange(1, len(losses) + 1).to(losses)


class Forgetful(LossBalancer):
    """Keeps a number that it does not save."""

    steps = 0

    def weights(self, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return losses.new_full(losses.shape, 1 / (1 + self.steps))

    def learn(self, losses: Tensor, tasks: tuple[str, ...]) -> None:
        self.steps += 1


class Wide(GramBalancer):
    def solve(self, gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
        return gram


class Short(JacobianBalancer):
    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[None, Tensor]:
        return None, jacobian.sum(0)[:-1]


class Silent(JacobianBalancer):
    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[None, Tensor]:
        return None, jacobian.sum(0)


class Denying(JacobianBalancer):
    gives_weights = False

    def direction(self, jacobian: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        return torch.ones_like(losses), jacobian.sum(0)


BALANCERS = {
    "it returns no weights: set gives_weights to False": Silent,
    "it returns weights: leave gives_weights at True": Denying,
    "shape [3, 3] for 3 tasks, not [3]": Wide,
    "has shape [49] for 50 parameters, not [50]": Short,
    "weights() returns a list, not a tensor": lambda: Given(Tensor.tolist),
    "weights() returns torch.float32 for losses of torch.float64": lambda: Given(torch.Tensor.float),
    "weights() returns [-inf": lambda: Given(lambda losses: (0 * losses).log()),
    "it draws from torch's global generator": lambda: Given(torch.rand_like),
    "another update for the same gradients in another order, at step 0": ByPlace,
    "another update from step 5 on": Forgetful,
}


@pytest.mark.parametrize("found", BALANCERS)
def test_balancers(found: str) -> None:
    with pytest.raises(BrokenPromise, match=re.escape(found)) as error:
        check_balancer(BALANCERS[found])
    assert str(error.value).startswith(f"balancer {type(BALANCERS[found]()).__name__} breaks its promise '")


class Answer(Sampler):
    def __init__(self, answer: Callable[[Mapping[str, int], TrainingProgress], dict[str, float]]) -> None:
        self.answer = answer
        self.calls = 0

    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        self.calls += 1
        return self.answer(sizes, progress)


class Counting(Answer):
    def probabilities(self, sizes: Mapping[str, int], progress: TrainingProgress) -> dict[str, float]:
        self.calls += 1
        return {"many": 1.0} if self.calls % 2 else {"few": 1.0}


SAMPLERS = {
    "at step 0 they sum to 0.4": lambda: Answer(lambda sizes, progress: dict.fromkeys(sizes, 0.2)),
    "at step 0 they sum to nan": lambda: Answer(lambda sizes, progress: dict.fromkeys(sizes, float("nan"))),
    "at step 100 they sum to 2": lambda: Answer(
        lambda sizes, progress: dict.fromkeys(sizes, 0.5 if progress.fraction < 0.5 else 1)
    ),
    "at step 0 'man' is none; did you mean 'many'?": lambda: Answer(lambda sizes, progress: {"man": 0.5, "many": 0.5}),
    "another answer at step": lambda: Counting(Uniform().probabilities),
}


@pytest.mark.parametrize("found", SAMPLERS)
def test_samplers(found: str) -> None:
    with pytest.raises(BrokenPromise, match=re.escape(found)):
        check_sampler(SAMPLERS[found], {"many": 900, "few": 100})


class Greedy(Hard):
    """Claims two tensors of the trunk as the first task's own."""

    def task_parameters(self, task: str) -> list[nn.Parameter]:
        mine = [*self.trunk.parameters()][:2] if task == self.tasks[0] and len(self.tasks) > 1 else []
        return [*super().task_parameters(task), *mine]


class Shy(Hard):
    def shared_parameters(self) -> list[nn.Parameter]:
        return super().shared_parameters()[1:]


class AllRows(Hard):
    def forward(self, inputs: Tensor, rows: Rows) -> dict[str, list[Tensor]]:
        return super().forward(inputs, dict.fromkeys(rows))


class Copied(Hard):
    """Uses new modules in place of the backbone's."""

    def __init__(self, backbone: Callable[[], Backbone], tasks: Sequence[str]) -> None:
        super().__init__(backbone, tasks)
        self.trunk = nn.ModuleDict({"layer1": nn.Linear(5, 8), "layer2": nn.Linear(8, 6)})


SCHEMES = {
    "'trunk.layer1.linear.weight' is claimed as the own of 'lane', and influences 'lane' and 'sign'": Greedy,
    "'trunk.layer1.linear.weight' influences 'lane' and 'sign', and is not in shared_parameters()": Shy,
    "stage 'layer1' gives 'lane' 4 rows, not 2": AllRows,
    "none of them is left: wrap them, or copy them with deepcopy": Copied,
}


@pytest.mark.parametrize("found", SCHEMES)
def test_sharing_schemes(found: str) -> None:
    scheme = SCHEMES[found]
    with pytest.raises(BrokenPromise, match=re.escape(found)) as error:
        check_sharing(scheme, lambda: MLP((5,), hidden=[8, 6]), torch.randn(4, 5), ["lane", "sign"])
    assert str(error.value).startswith(f"sharing {scheme.__name__} breaks its promise '")


class Summed(Regression):
    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().default_loss(output, target).sum()


class Detached(Regression):
    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().default_loss(output.detach(), target)


class Entangled(Regression):
    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return super().default_loss(output - output.mean(), target)


class Remembering(Metric):
    """Keeps the largest error of the last rows beside its states."""

    higher_is_better = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")
        self.largest = torch.zeros(())

    def update(self, prediction: Tensor, target: Tensor) -> None:
        self.total += (prediction - target).abs().sum()
        self.largest = torch.maximum(self.largest, (prediction - target).abs().max())

    def compute(self) -> Tensor:
        return self.total + self.largest


class Averaged(Metric):
    """A mean whose parts are added up, however many rows each has."""

    higher_is_better = False

    def __init__(self) -> None:
        super().__init__()
        self.add_state("mean", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("rows", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, prediction: Tensor, target: Tensor) -> None:
        self.mean = (self.mean * self.rows + (prediction - target).abs().sum()) / (self.rows + len(target))
        self.rows += len(target)

    def compute(self) -> Tensor:
        return self.mean


class Forgetful(Regression):
    def default_metrics(self) -> dict[str, Metric]:
        return {"mae": Remembering()}


class Mean(Regression):
    def default_metrics(self) -> dict[str, Metric]:
        return {"mae": Averaged()}


TASKS = {
    "metrics gathered by two processes and put together are those of one": Forgetful,
    "of two: see make_metrics() for what its states may be": Mean,
    "losses() returns shape [] for 4 rows, not [4]": Summed,
    "nothing that learns influences it: is something detached?": Detached,
    "alone": Entangled,
}


@pytest.mark.parametrize("found", TASKS)
def test_tasks(found: str) -> None:
    with pytest.raises(BrokenPromise, match=re.escape(found)) as error:
        check_task(lambda: TASKS[found]("speed"), torch.randn(9), [torch.randn(4, 8)], [Feature("last", 8, None)], (5,))
    assert str(error.value).startswith(f"task {TASKS[found].__name__} 'speed' breaks its promise '")


class NoLabels(TensorSource):
    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return super().fetch(rows)[0], {}


class Sorted(TensorSource):
    def fetch(self, rows: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return super().fetch(rows.sort().values)


class Numbered(TensorSource):
    def labelled(self, task: str) -> Tensor:
        return torch.arange(len(self))


SOURCES = {
    "no targets of 'speed', one of its tasks": NoLabels,
    "has other inputs alone than among others": Sorted,
    "labelled('speed') is torch.int64 [9] on cpu, not torch.bool [9] on cpu": Numbered,
}


@pytest.mark.parametrize("found", SOURCES)
def test_sources(found: str) -> None:
    source = SOURCES[found]("rows", torch.randn(9, 5), {"speed": torch.randn(9)})
    with pytest.raises(BrokenPromise, match=re.escape(found)) as error:
        check_source(source)
    assert str(error.value).startswith(f"source {type(source).__name__} 'rows' breaks its promise '")


class Lying(Backbone):
    """Says that its stage puts out 7 channels, and puts out 6; or has a layer that nothing depends on."""

    def __init__(self, channels: int = 7, idle: bool = False) -> None:
        super().__init__({"layer1": nn.Linear(5, 6)}, [Feature("layer1", channels, None)], fixed_size=True)
        if idle:
            self.idle = nn.Linear(2, 2)


BACKBONES = {
    "stage 'layer1' puts out [4, 6] for 4 rows, its feature says 7 channels": Lying,
    "not 'idle.weight', which the last stage does not depend on": lambda: Lying(6, idle=True),
}


@pytest.mark.parametrize("found", BACKBONES)
def test_backbones(found: str) -> None:
    with pytest.raises(BrokenPromise, match=re.escape(found)):
        check_backbone(BACKBONES[found], torch.randn(4, 5))


class Named:
    name = "Part"


def test_an_error_of_the_part_is_told_as_one() -> None:
    promises: Promises[Named] = Promises("kind")

    @promises("it works")
    def works(subject: Named) -> None:
        raise KeyError("lane")

    @promises("it can be tried")
    def tried(subject: Named) -> None:
        raise Skipped("not here")

    @promises("it is kept")
    def kept(subject: Named) -> None:
        demand(True, "never")

    found = [(verdict.outcome, verdict.found) for verdict in promises.verdicts(Named())]
    assert found == [("broken", "it raised KeyError: 'lane'"), ("skipped", "not here"), ("ok", "")]
    with pytest.raises(BrokenPromise, match=r"^kind Part breaks its promise 'it works': it raised KeyError: 'lane'$"):
        promises.check(Named())


def test_looking_leaves_the_random_numbers_alone() -> None:
    state = torch.get_rng_state()
    check_sampler(Uniform, {"many": 900, "few": 100})
    assert torch.equal(state, torch.get_rng_state())
