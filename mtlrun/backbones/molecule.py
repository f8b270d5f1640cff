"""SchNet: a network over the atoms of molecules that sees nothing but their elements and distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.id_bounds import IdBounds
from mtlrun.backbones.input_shape import suited
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import ConfigError, choose
from mtlrun.options import number, whole
from mtlrun.types import Feature

FACTS = 4
"""Numbers that say all of an atom: its atomic number, 0 for padding, and x, y, z."""

ELEMENTS = 100
"""Atomic numbers below this one have an embedding."""

READOUTS = ("sum", "mean")

NEGLIGIBLE = -40.0
"""Least exponent of a Gaussian: below about -87 its values are subnormal, which slows a CPU down tenfold."""


class Molecule(Backbone):
    """Stages embedding, interaction1, interaction2, ...: maps [B, C + 4, 1, A]; and readout: vectors [B, C].

    Schütt et al., "SchNet: A continuous-filter convolutional neural network for modeling quantum interactions",
    NeurIPS 2017, arXiv:1706.08566. A map's pixels are the atoms. Its last four channels are the atoms themselves,
    which every later stage needs and hands on. What `readout` puts out does not change when the molecule is turned,
    moved or mirrored, nor with the order of its atoms or with padding, whatever the sharing scheme.

    Deviations: filters fade out towards a cutoff with a cosine, and their generator ends in a linear layer, both as
    in the authors' SchNetPack (2018); heads are linear on the pooled features, where the paper halves their number
    before it sums; the sum is scaled.

    Args:
        input_shape: (A, 4): atomic number and position of each atom in angstrom, zero for padding; other A may
            follow.
        channels: features of an atom.
        interactions: number of interaction stages.
        gaussians: number of Gaussians that a distance is expanded in.
        cutoff: distance in angstrom from which atoms do not see each other directly.
        readout: sum or mean over the atoms. The sum is divided by the A of `input_shape`, or it would start some
            twenty times as large as heads expect.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no molecules, or an option is none of these; in training, if an atom has another
            number.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: int = 64,
        interactions: int = 3,
        gaussians: int = 40,
        cutoff: float = 10.0,
        readout: str = "sum",
        weights: str | None = None,
    ) -> None:
        _check_shape(input_shape)
        whole("backbone.channels", channels)
        whole("backbone.interactions", interactions)
        whole("backbone.gaussians", gaussians, 2)
        number("backbone.cutoff", cutoff, 0.1)
        choose(readout, READOUTS, "backbone.readout")
        stages: dict[str, nn.Module] = {"embedding": _AtomEmbedding(channels)}
        for count in range(1, interactions + 1):
            stages[f"interaction{count}"] = _Interaction(channels, gaussians, float(cutoff))
        features = [Feature(name, channels, 1, carried=FACTS) for name in stages]
        stages["readout"] = _Readout(channels, None if readout == "mean" else input_shape[0])
        super().__init__(stages, [*features, Feature("readout", channels, None)])
        load_weights(self, weights)


@dataclass(frozen=True, slots=True)
class AtomPairs:
    """Pairs of atoms that see each other, each pair once.

    first, second: [P], positions among all B * A atoms of the batch.
    distances: [P], in angstrom.
    """

    first: Tensor
    second: Tensor
    distances: Tensor


def find_pairs(atoms: Tensor, cutoff: float) -> AtomPairs:
    """The pairs within each molecule that are closer than `cutoff`; atoms [B, A, 4]."""
    real = atoms[:, :, 0] > 0
    present = real[:, :, None] & real[:, None, :]
    row, first, second = present.triu(1).nonzero(as_tuple=True)
    first, second = first + row * atoms.shape[1], second + row * atoms.shape[1]
    positions = atoms[:, :, 1:].flatten(0, 1)
    distances = torch.linalg.vector_norm(positions.index_select(0, first) - positions.index_select(0, second), dim=1)
    near = (distances < cutoff).nonzero().squeeze(1)
    return AtomPairs(*(values.index_select(0, near) for values in (first, second, distances)))


class _AtomEmbedding(nn.Module):
    """Atoms [B, A, 4] -> map, with the features of their elements and positions relative to their mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.elements = nn.Embedding(ELEMENTS, channels, padding_idx=0)
        self.known = IdBounds(ELEMENTS, "atomic number", "leave molecules with other atoms out of the data")

    def forward(self, atoms: Tensor) -> Tensor:
        numbers, positions = atoms[:, :, 0], atoms[:, :, 1:]
        self.known.check(numbers.detach())
        real = _is_real(atoms)
        centre = (positions * real).sum(1, keepdim=True) / real.sum(1, keepdim=True).clamp_min(1)
        centred = torch.cat([numbers.unsqueeze(2), (positions - centre) * real], 2)
        return _join(self.elements(numbers.long()), centred)


class _Interaction(nn.Module):
    """Map -> map: adds to each atom's features what the atoms around it make of theirs."""

    def __init__(self, channels: int, gaussians: int, cutoff: float) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.expansion = _Gaussians(gaussians, cutoff)
        self.filters = nn.Sequential(_dense(gaussians, channels), _ShiftedSoftplus(), _dense(channels, channels))
        self.inward = _dense(channels, channels, bias=False)
        self.outward = nn.Sequential(_dense(channels, channels), _ShiftedSoftplus(), _dense(channels, channels))

    def forward(self, values: Tensor) -> Tensor:
        features, atoms = _take_apart(values)
        pairs = find_pairs(atoms, self.cutoff)
        fading = 0.5 * (torch.cos(pairs.distances * (math.pi / self.cutoff)) + 1)
        filters = self.filters(self.expansion(pairs.distances)) * fading[:, None]
        change = self.outward(_convolve(self.inward(features), filters, pairs))
        return _join(features + change * _is_real(atoms), atoms)


def _convolve(features: Tensor, filters: Tensor, pairs: AtomPairs) -> Tensor:
    """Sum over the others in its pairs of their features times the pair's filter: [B, A, C] -> [B, A, C].

    Args:
        features: [B, A, C]
        filters: [P, C]; a pair has the same one in both directions.
        pairs: P of them.
    """
    flat = features.flatten(0, 1)
    sums = flat.new_zeros(flat.shape, dtype=filters.dtype)
    sums = sums.index_add(0, pairs.first, flat.index_select(0, pairs.second) * filters)
    sums = sums.index_add(0, pairs.second, flat.index_select(0, pairs.first) * filters)
    return sums.unflatten(0, features.shape[:2])


class _Readout(nn.Module):
    """Map -> vectors [B, C]: a layer on each atom, then the sum over a molecule's atoms, divided.

    Args:
        channels: C.
        divisor: of the sum; None for the number of its atoms.
    """

    def __init__(self, channels: int, divisor: int | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(_dense(channels, channels), _ShiftedSoftplus())
        self.divisor = divisor

    def forward(self, values: Tensor) -> Tensor:
        features, atoms = _take_apart(values)
        real = _is_real(atoms)
        total = (self.layers(features) * real).sum(1)
        return total / (self.divisor or real.sum(1).clamp_min(1))


class _Gaussians(nn.Module):
    """Distances [P] -> [P, K]: Gaussians on a regular grid from 0 to the cutoff, as wide as they are apart."""

    centres: Tensor

    def __init__(self, count: int, cutoff: float) -> None:
        super().__init__()
        self.register_buffer("centres", torch.arange(count, dtype=torch.float32), persistent=False)
        self.width = cutoff / (count - 1)

    def forward(self, distances: Tensor) -> Tensor:
        offsets = (distances / self.width)[:, None] - self.centres
        return torch.exp((-0.5 * offsets.square()).clamp_min(NEGLIGIBLE))


class _ShiftedSoftplus(nn.Module):
    """ln(1 + e^x) - ln 2, which is 0 at 0."""

    def forward(self, values: Tensor) -> Tensor:
        return functional.softplus(values) - math.log(2)


def _dense(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer as SchNetPack starts it: Glorot & Bengio's weights, no bias."""
    layer = nn.Linear(inputs, outputs, bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def _is_real(atoms: Tensor) -> Tensor:
    """1 for atoms and 0 for padding: [B, A, 1]."""
    return (atoms[:, :, :1] > 0).to(atoms.dtype)


def _join(features: Tensor, atoms: Tensor) -> Tensor:
    """Features [B, A, C] and the atoms [B, A, 4] as a map [B, C + 4, 1, A], without moving them once more."""
    return torch.cat([features.to(atoms.dtype), atoms], 2).transpose(1, 2).unsqueeze(2)


def _take_apart(values: Tensor) -> tuple[Tensor, Tensor]:
    """The features [B, A, C] and the atoms [B, A, 4] in a map."""
    last = values.squeeze(2).transpose(1, 2)
    return last[:, :, :-FACTS], last[:, :, -FACTS:]


def _check_shape(input_shape: Sequence[int]) -> None:
    shape = tuple(input_shape)
    if len(shape) != 2 or shape[1] != FACTS:
        raise ConfigError(
            f"backbone=molecule takes molecules (A, {FACTS}), the number and position of each atom, found rows of "
            f"shape {shape}: choose backbone={suited(shape)}"
        )
