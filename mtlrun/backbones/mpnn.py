"""The message-passing network over atoms and bonds with which multi-task papers learn QM9."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from mtlrun.backbones.base import Backbone
from mtlrun.backbones.input_shape import suited
from mtlrun.backbones.weights import load_weights
from mtlrun.errors import ConfigError, choose
from mtlrun.options import whole
from mtlrun.types import Feature

ELEMENTS = (1, 6, 7, 8, 9)
BOND_TYPES = 4
"""Single, double, triple, aromatic: 1 to 4; 0 is none."""
PLACE, FACTS = 4, 5
"""Numbers of an atom: atomic number and position; aromatic, sp, sp2, sp3 and its hydrogens. Its bonds follow."""
INPUTS = len(ELEMENTS) + 1 + FACTS
AGGREGATIONS = ("mean", "sum")


class MPNN(Backbone):
    """Stages graph: vectors [B, 2 C]; and fc: vectors [B, C].

    Gilmer et al., "Neural Message Passing for Quantum Chemistry", ICML 2017, arXiv:1704.01212, in the form of Navon et
    al., "Multi-Task Learning as a Bargaining Game", ICML 2022, arXiv:2202.01017, and the papers after it: eleven facts
    of an atom to C features; three times a message, which a matrix made from bond type and distance draws from every
    other atom of the molecule, into a gated recurrent unit; Set2Set over the atoms; a layer. 617,675 parameters with
    eleven linear heads.

    The matrix of a pair is linear in the `edge_hidden` units of its edge network, so a molecule's messages are summed
    unit by unit before the matrices are applied: the same numbers at about a tenth of the cost.

    Args:
        input_shape: (A, A + 9): per atom its number, 0 for padding, x, y, z in angstrom, 1 where aromatic, sp, sp2,
            sp3, its number of hydrogens, and its bond to each atom (0 none, 1 single, 2 double, 3 triple, 4 aromatic).
        channels: C.
        edge_hidden: units of the edge network.
        steps: messages.
        readout_steps: of Set2Set.
        aggregation: mean or sum of the messages of the other atoms.
        weights: file of a state dict to start from.

    Raises:
        ConfigError: if the rows are no such molecules, or an option is none of these.
    """

    def __init__(
        self,
        input_shape: Sequence[int],
        channels: int = 64,
        edge_hidden: int = 128,
        steps: int = 3,
        readout_steps: int = 3,
        aggregation: str = "mean",
        weights: str | None = None,
    ) -> None:
        _check_shape(input_shape)
        whole("backbone.channels", channels)
        whole("backbone.edge_hidden", edge_hidden)
        whole("backbone.steps", steps)
        whole("backbone.readout_steps", readout_steps)
        choose(aggregation, AGGREGATIONS, "backbone.aggregation")
        message = Message(channels, edge_hidden, aggregation == "mean")
        graph = _Graph(channels, message, steps, Set2Set(channels, readout_steps))
        fc = OrderedDict[str, nn.Module](linear=nn.Linear(2 * channels, channels), relu=nn.ReLU(inplace=True))
        features = [Feature("graph", 2 * channels, None), Feature("fc", channels, None)]
        super().__init__({"graph": graph, "fc": nn.Sequential(fc)}, features, fixed_size=True)
        load_weights(self, weights)


class Message(nn.Module):
    """What each atom hears from the others: [B, A, C] -> [B, A, C].

    NNConv of Gilmer et al. and PyTorch Geometric: W x_i + b + the mean (or sum) over j of x_j Theta(e_ij), where
    Theta(e) = W2 relu(W1 e + b1) + b2 as a C x C matrix.
    """

    def __init__(self, channels: int, hidden: int, mean: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(BOND_TYPES + 1, hidden), nn.Linear(hidden, channels * channels)
        self.root = nn.Linear(channels, channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.mean = mean

    def edges(self, edges: Tensor, others: Tensor) -> Tensor:
        """Units [B, A, hidden, A] of the edge network, 0 for pairs that do not exist."""
        return (self.first(edges).relu() * others.unsqueeze(3)).transpose(2, 3)

    def forward(self, atoms: Tensor, units: Tensor, others: Tensor) -> Tensor:
        """Messages.

        Args:
            atoms: [B, A, C]
            units: of `edges`.
            others: [B, A, A], 1 for the pairs that exist.
        """
        channels = atoms.shape[2]
        matrices = self.second.weight.view(channels, channels, -1).permute(2, 0, 1).flatten(0, 1)
        by_unit = units @ atoms.unsqueeze(1)  # [B, A, hidden, C]
        heard = by_unit.flatten(2) @ matrices + (others @ atoms) @ self.second.bias.view(channels, channels)
        if self.mean:
            heard = heard / others.sum(2, keepdim=True).clamp_min(1)
        return heard + self.root(atoms) + self.bias


class Set2Set(nn.Module):
    """Atoms [B, A, C] -> [B, 2 C]. Vinyals, Bengio & Kudlur, "Order Matters", ICLR 2016, arXiv:1511.06391, eq. 3-7."""

    def __init__(self, channels: int, steps: int) -> None:
        super().__init__()
        self.cell, self.steps = nn.LSTMCell(2 * channels, channels), steps

    def forward(self, atoms: Tensor, real: Tensor) -> Tensor:
        """`real`, bool [B, A], leaves padding out; a row without an atom reads zeros."""
        answer = atoms.new_zeros(atoms.shape[0], 2 * atoms.shape[2])
        state = (answer[:, : atoms.shape[2]], answer[:, : atoms.shape[2]])
        lowest = torch.finfo(torch.float32).min
        for _ in range(self.steps):
            query, memory = self.cell(answer, state)
            state = (query, memory)
            energies = (atoms * query.unsqueeze(1)).sum(2).float().masked_fill(~real, lowest)
            shares = (energies.softmax(1) * real).to(atoms.dtype)
            answer = torch.cat([query, (shares.unsqueeze(2) * atoms).sum(1).to(query.dtype)], 1)
        return answer


class _Graph(nn.Module):
    """Rows of molecules -> [B, 2 C]."""

    def __init__(self, channels: int, message: Message, steps: int, readout: Set2Set) -> None:
        super().__init__()
        self.embedding, self.message = nn.Linear(INPUTS, channels), message
        self.cell, self.steps, self.readout = nn.GRUCell(channels, channels), steps, readout

    def forward(self, rows: Tensor) -> Tensor:
        rows = _trimmed(rows)
        real = rows[:, :, 0] > 0
        others = (real[:, :, None] & real[:, None, :]).to(rows.dtype)
        others = others * (1 - torch.eye(rows.shape[1], device=rows.device, dtype=rows.dtype))
        units = self.message.edges(edges_of(rows), others)
        atoms = self.embedding(facts_of(rows)).relu()
        for _ in range(self.steps):
            heard = self.message(atoms, units, others).relu()
            atoms = self.cell(heard.flatten(0, 1), atoms.flatten(0, 1)).unflatten(0, real.shape)
        return self.readout(atoms, real)


def facts_of(rows: Tensor) -> Tensor:
    """[B, A, 11]: element (one of five), atomic number, and the five facts, as PyTorch Geometric's QM9 has them."""
    numbers = rows[:, :, :1]
    elements = (numbers == rows.new_tensor(ELEMENTS)).to(rows.dtype)
    return torch.cat([elements, numbers, rows[:, :, PLACE : PLACE + FACTS]], 2)


def edges_of(rows: Tensor) -> Tensor:
    """[B, A, A, 5]: type of the bond (one of four, or none of them) and distance in angstrom."""
    places, count = rows[:, :, 1:PLACE], rows.shape[1]
    bonds = rows[:, :, PLACE + FACTS : PLACE + FACTS + count].long().clamp(0, BOND_TYPES)
    distances = torch.linalg.vector_norm(places[:, :, None] - places[:, None], dim=3)
    return torch.cat([one_hot(bonds, BOND_TYPES + 1)[..., 1:].to(rows.dtype), distances.unsqueeze(3)], 3)


def _trimmed(rows: Tensor) -> Tensor:
    """Without the atoms that are padding in every row: columns of bonds follow them and are cut where they are read."""
    if rows.is_meta or _is_exporting():  # how many there are is not known, and it costs time alone
        return rows
    present = (rows[:, :, 0] > 0).any(0).nonzero()
    return rows[:, : int(present.max()) + 1] if len(present) else rows[:, :1]


def _is_exporting() -> bool:
    told = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)  # the first is not in torch 2.4
    return bool(told())


def _check_shape(input_shape: Sequence[int]) -> None:
    shape = tuple(input_shape)
    if len(shape) != 2 or shape[1] != shape[0] + PLACE + FACTS:
        raise ConfigError(
            f"backbone=mpnn takes molecules with their bonds (A, A + {PLACE + FACTS}; data.bonds=true), found rows of "
            f"shape {shape}: choose backbone={suited(shape)}"
        )
