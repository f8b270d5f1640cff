"""Bonds of QM9's molecules, and facts of their atoms that follow from bonds, read from SMILES by rdkit.

The tables give each molecule's SMILES; its atoms stand in the order of the heavy atoms among the coordinates, in all
but a few. A hydrogen is bound to the nearest heavy atom.
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
BONDED = 1.9
"""Angstrom within which two heavy atoms may have a bond."""


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
        from rdkit import Chem, rdBase  # here: reading molecules without bonds does without
    except ImportError as error:
        raise DataError(
            "data.bonds=true reads SMILES by rdkit, which is not installed: pip install 'mtlrun[qm9]'"
        ) from error
    rdBase.DisableLog("rdApp.*")
    return Chem


def _heavy(chemistry: Any, text: str, atoms: np.ndarray, row: int) -> Any:
    """The molecule of a SMILES, without hydrogens, its atoms in the order of the coordinates."""
    molecule = chemistry.MolFromSmiles(text)
    placed = None if molecule is None else _in_order(chemistry, molecule, atoms[atoms[:, 0] > 1])
    if placed is None:
        raise DataError(f"molecule {row + 1}: SMILES {text!r} does not name the heavy atoms that its coordinates have")
    return placed


def _in_order(chemistry: Any, molecule: Any, heavy: np.ndarray) -> Any:
    """The molecule with its atoms numbered as the coordinates [H, 4]; None if these are of another one.

    Where the two orders differ, as in six of QM9's molecules, atoms are matched by who is near whom.
    """
    numbers = heavy[:, 0].astype(int).tolist()
    near = np.linalg.norm(heavy[:, None, 1:] - heavy[None, :, 1:], axis=2) < BONDED
    named = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    bonds = [(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()]
    if named == numbers and all(near[pair] for pair in bonds):
        return molecule
    found = _skeleton(chemistry, numbers, [*zip(*np.triu(near, 1).nonzero())])
    match = found.GetSubstructMatch(_skeleton(chemistry, named, bonds))
    if len(match) == len(numbers):
        return chemistry.RenumberAtoms(molecule, np.argsort(match).tolist())
    return molecule if named == numbers else None


def _skeleton(chemistry: Any, numbers: Sequence[int], pairs: Sequence[tuple[int, int]]) -> Any:
    """Atoms of these numbers, and the same bond between each pair."""
    made = chemistry.RWMol()
    for number in numbers:
        made.AddAtom(chemistry.Atom(number))
    for first, second in pairs:
        made.AddBond(int(first), int(second), chemistry.BondType.SINGLE)
    return made


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
