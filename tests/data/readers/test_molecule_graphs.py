"""Bonds and facts of molecules, from SMILES and places."""

from pathlib import Path

import numpy as np
import pytest
import torch

from mtlrun.data.readers.molecules.graphs import FACTS, read_graphs
from mtlrun.data.readers.molecules.source import BondedMolecules
from mtlrun.errors import DataError

pytest.importorskip("rdkit")
METHANAL = ("C=O", [(6, 0, 0, 0), (8, 1.2, 0, 0), (1, -0.6, 0.9, 0), (1, -0.6, -0.9, 0)])
WATER = ("O", [(8, 0, 0, 0), (1, 0.9, 0, 0), (1, -0.3, 0.9, 0)])
PYRROLE_RING = ("c1cc[nH]c1", [(6, 0, 0, 0), (6, 1, 1, 0), (6, 2, 0, 0), (7, 2, -1, 0), (6, 0, -1, 0), (1, 2.5, -2, 0)])


def graphs_of(folder: Path, *molecules) -> np.ndarray:
    atoms = np.zeros((len(molecules), 29, 4), np.float32)
    for row, (_, places) in zip(atoms, molecules):
        row[: len(places)] = places
    table = folder / "table.csv"
    lines = [f"{smiles},{len(places)}" for smiles, places in molecules]
    table.write_text("\n".join(["SMILES,N_atoms", *lines]) + "\n")
    return read_graphs([table], atoms)


def test_bonds_hydrogens_and_hybridisation(tmp_path: Path) -> None:
    methanal, water, ring = graphs_of(tmp_path, METHANAL, WATER, PYRROLE_RING)
    bonds = methanal[:, FACTS:]
    assert bonds[:4, :4].tolist() == [[0, 2, 1, 1], [2, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0]]
    assert methanal[:4, :FACTS].tolist() == [[0, 0, 1, 0, 2], [0, 0, 1, 0, 0], [0] * 5, [0] * 5]
    assert water[0, :FACTS].tolist() == [0, 0, 0, 1, 2]
    assert ring[:5, 0].tolist() == [1] * 5
    assert ring[0, FACTS + 1] == 4
    assert ring[3, FACTS + 5] == ring[5, FACTS + 3] == 1
    assert not methanal[4:].any()


def test_a_smiles_of_other_atoms_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="molecule 2: SMILES 'CN' does not name the heavy atoms"):
        graphs_of(tmp_path, WATER, ("CN", METHANAL[1]))


def test_atoms_in_another_order_than_their_smiles_are_matched_by_their_distances(tmp_path: Path) -> None:
    propynal = [(8, 0, 0, 0), (6, 1.2, 0, 0), (6, 2.6, 0, 0), (6, 3.8, 0, 0), (1, 0.9, 0.9, 0), (1, 4.8, 0, 0)]
    alike = [(6, 1.3, 0, 0), (6, 0, 0, 0), (6, 3.9, 0, 0), (6, 2.6, 0, 0)]  # C#CC#C begins at the second
    methanal, triple, diyne = graphs_of(tmp_path, ("C=O", METHANAL[1][::-1]), ("C#CC=O", propynal), ("C#CC#C", alike))
    assert methanal[2, FACTS + 3] == methanal[3, FACTS + 2] == 2
    assert [triple[row, FACTS + row + 1] for row in range(3)] == [2, 1, 3]
    assert [diyne[first, FACTS + second] for first, second in ((1, 0), (0, 3), (3, 2), (0, 1))] == [3, 1, 3, 3]


def test_the_source_puts_bonds_behind_atoms() -> None:
    atoms, graphs = torch.randn(3, 2, 4), torch.arange(3 * 2 * 7, dtype=torch.uint8).view(3, 2, 7)
    source = BondedMolecules("qm9", atoms, graphs, {"mu": torch.arange(3.0)}).to(torch.device("cpu"))
    inputs, targets = source.fetch(torch.tensor([2, 0]))
    assert source.input_shape == tuple(inputs.shape[1:]) == (2, 11)
    assert torch.equal(inputs, torch.cat([atoms[[2, 0]], graphs[[2, 0]].float()], 2))
    assert targets["mu"].tolist() == [2, 0]
    assert source.nbytes() == 3 * 2 * (4 * 4 + 7) + 3 * 4
