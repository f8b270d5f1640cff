"""What every backbone promises: stages in order, each of which puts out what its feature says."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.backbones.base import Backbone
from mtlrun.contracts.promise import Promises, Skipped, demand, near
from mtlrun.types import Feature

PART = "backbone"
STAGES = "each stage puts out what its feature says"


@dataclass(frozen=True)
class BackboneSubject:
    """A backbone to look at. make: builds a fresh one. inputs: [B, ...] as its first stage takes them."""

    make: Callable[[], Backbone]
    inputs: Tensor

    @property
    def name(self) -> str:
        return type(self.make()).__name__

    def network(self) -> Backbone:
        torch.manual_seed(0)
        return self.make()


PROMISES: Promises[BackboneSubject] = Promises(PART)


def check_backbone(make: Callable[[], Backbone], inputs: Tensor) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the backbone breaks.

    Args:
        make: builds a fresh backbone at each call.
        inputs: [B, ...] as its first stage takes them, B >= 2.
    """
    PROMISES.check(BackboneSubject(make, inputs))


@PROMISES("it is a Backbone with a feature for each stage, in order")
def features_are_stages(subject: BackboneSubject) -> None:
    network = subject.network()
    demand(isinstance(network, Backbone), "it does not subclass mtlrun.backbones.base.Backbone")
    demand(len(network.features) > 0, "it has no stages")
    others = [type(feature).__name__ for feature in network.features if not isinstance(feature, Feature)]
    demand(not others, f"features holds a {others[:1]}, not only mtlrun.types.Feature")
    names = [feature.name for feature in network.features]
    demand(names == [*network.stages], f"features {names} for stages {[*network.stages]}")


@PROMISES(STAGES)
def features_describe_the_outputs(subject: BackboneSubject) -> None:
    network, rows = subject.network(), len(subject.inputs)
    outputs = network(subject.inputs)
    demand(len(outputs) == len(network.features), f"{len(outputs)} outputs for {len(network.features)} features")
    for feature, output in zip(network.features, outputs):
        shape, channels = list(output.shape), feature.channels + feature.carried
        fits = output.shape[:2] == (rows, channels)
        demand(fits, f"stage '{feature.name}' puts out {shape} for {rows} rows, its feature says {channels} channels")
        vectors = output.dim() == 2
        said = "vectors" if feature.stride is None else f"maps at a stride of {feature.stride}"
        demand(vectors == (feature.stride is None), f"stage '{feature.name}' puts out {shape}, its feature says {said}")
        if feature.stride and not network.fixed_size and subject.inputs.dim() == 4:
            wanted = [-(-side // feature.stride) for side in subject.inputs.shape[2:]]
            demand(shape[2:] == wanted, f"stage '{feature.name}' puts out {shape}, its feature says {said}")


@PROMISES("every parameter that learns gets a gradient, even from a single row in training")
def trains_on_one_row(subject: BackboneSubject) -> None:
    network = subject.network().train()
    network(subject.inputs[:1])[-1].float().sum().backward()
    idle = [name for name, value in network.named_parameters() if value.requires_grad and value.grad is None]
    demand(not idle, f"not '{idle[0] if idle else ''}', which the last stage does not depend on")


@PROMISES("the same seed gives the same parameters, and two of them share none")
def fresh_each_time(subject: BackboneSubject) -> None:
    one, other = subject.network(), subject.network()
    demand(not {*one.parameters()} & {*other.parameters()}, "two of them have a tensor in common")
    first, second = one.state_dict(), other.state_dict()
    wrong = next((key for key in first if not torch.equal(first[key], second[key])), None)
    demand(wrong is None, f"'{wrong}' differs: draw from torch's global generator")


@PROMISES("its state loads into a fresh one, which then gives the same")
def state_loads(subject: BackboneSubject) -> None:
    network, file = subject.network().eval(), io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    torch.manual_seed(1)
    fresh = subject.make().eval()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    for feature, one, other in zip(network.features, network(subject.inputs), fresh(subject.inputs)):
        demand(near(one, other), f"stage '{feature.name}' puts out something else: register what is kept as a buffer")


@PROMISES("a row's output does not depend on the other rows in evaluation")
def rows_stand_alone(subject: BackboneSubject) -> None:
    if len(subject.inputs) < 2:
        raise Skipped("one row was given")
    network = subject.network().eval()
    whole, alone = network(subject.inputs), network(subject.inputs[:1])
    for feature, one, other in zip(network.features, whole, alone):
        demand(near(one[:1], other, 1e-3), f"stage '{feature.name}' puts out something else for a row by itself")
