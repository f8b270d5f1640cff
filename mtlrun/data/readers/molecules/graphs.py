"""Bonds of QM9's molecules, and facts of their atoms that follow from bonds, read from SMILES by rdkit.

The tables give each molecule's SMILES; its atoms stand in the order of the heavy atoms among the coordinates. A
hydrogen is bound to the nearest heavy atom.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mtlrun.data.readers.molecules.tables import MOST_ATOMS, read_columns
from mtlrun.errors import DataError

FACTS = 5
"""Aromatic, sp, sp2, sp3, number of hydrogens."""
GRAPH = (MOST_ATOMS, FACTS + MOST_ATOMS)
"""Per atom its facts, then its bond to each atom: 0 none, 1 single, 2 double, 3 triple, 4 aromatic."""
AROMATIC = 4


def read_graphs(paths: Sequence[Path], atoms: np.ndarray) -> np.ndarray:
    """Graphs uint8 [N, 29, 34] of all molecules in the tables' order.

    Args:
        paths: the tables.
        atoms: float32 [N, 29, 4], as read from them.

    Raises:
        DataError: if rdkit is not installed, or a molecule's SMILES names other atoms than its coordinates.
    """
    chemistry = _rdkit()
    texts = [text for path in paths for text in read_columns(path, ["SMILES", "N_atoms"])[0]]
    graphs = np.zeros((len(texts), *GRAPH), np.uint8)
    for row, text in enumerate(texts):
        _fill(graphs[row], atoms[row], _heavy(chemistry, text, atoms[row], row))
    return graphs


def _rdkit() -> Any:
    try:
        from rdkit import Chem, RDLogger  # here: reading molecules without bonds does without
    except ImportError as error:
        raise DataError(
            "data.bonds=true reads SMILES by rdkit, which is not installed: pip install 'mtlrun[qm9]'"
        ) from error
    RDLogger.DisableLog("rdApp.*")
    return Chem


def _heavy(chemistry: Any, text: str, atoms: np.ndarray, row: int) -> Any:
    """The molecule of a SMILES, without hydrogens."""
    molecule = chemistry.MolFromSmiles(text)
    found = None if molecule is None else [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    numbers = atoms[:, 0].astype(int)
    if found is None or found != numbers[numbers > 1].tolist():
        raise DataError(f"molecule {row + 1}: SMILES {text!r} does not name the heavy atoms that its coordinates have")
    return molecule


def _fill(graph: np.ndarray, atoms: np.ndarray, molecule: Any) -> None:
    """Write facts and bonds of one molecule."""
    numbers, bonds = atoms[:, 0].astype(int), graph[:, FACTS:]
    heavy, hydrogens = np.flatnonzero(numbers > 1), np.flatnonzero(numbers == 1)
    for bond in molecule.GetBonds():
        first, second = heavy[bond.GetBeginAtomIdx()], heavy[bond.GetEndAtomIdx()]
        kind = AROMATIC if bond.GetIsAromatic() else int(bond.GetBondTypeAsDouble())
        bonds[first, second] = bonds[second, first] = kind
    for atom, place in zip(molecule.GetAtoms(), heavy):
        graph[place, 0] = atom.GetIsAromatic()
        hybridisation = str(atom.GetHybridization())
        graph[place, 1:4] = [hybridisation == name for name in ("SP", "SP2", "SP3")]
    distances = np.linalg.norm(atoms[hydrogens, None, 1:] - atoms[None, heavy, 1:], axis=2)
    nearest = heavy[distances.argmin(1)]
    bonds[hydrogens, nearest] = bonds[nearest, hydrogens] = 1
    np.add.at(graph[:, 4], nearest, 1)
