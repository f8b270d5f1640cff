"""Bonds of QM9's molecules, and facts of their atoms that follow from bonds, read from SMILES by rdkit.

The tables give each molecule's SMILES; its atoms stand in the order of the heavy atoms among the coordinates. In a few
molecules they do not: there the skeleton of bonds is laid on the atoms that are close to each other. A hydrogen is
bound to the nearest heavy atom.
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
LONGEST = 1.95
"""Of a bond between heavy atoms in angstrom: nearly all have 1.1 to 1.7, and atoms two bonds apart 2.1 or more."""


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
        molecule = chemistry.MolFromSmiles(text)
        heavy = _places(chemistry, molecule, atoms[row])
        if heavy is None:
            raise DataError(f"molecule {row + 1}: SMILES {text!r} does not name the heavy atoms of its coordinates")
        _fill(graphs[row], atoms[row], molecule, heavy)
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


def _places(chemistry: Any, molecule: Any, atoms: np.ndarray) -> np.ndarray | None:
    """Per atom of the SMILES its place among the atoms [29, 4]; None if it names others.

    Where the orders agree but a bond would be long, as in strained cages, the order holds unless distances tell
    another.
    """
    if molecule is None:
        return None
    numbers = atoms[:, 0].astype(int)
    heavy = np.flatnonzero(numbers > 1)
    named = [atom.GetAtomicNum() for atom in molecule.GetAtoms()]
    pairs = np.array([(bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()) for bond in molecule.GetBonds()], int).reshape(
        -1, 2
    )
    alike = named == numbers[heavy].tolist()
    ends = atoms[heavy[pairs], 1:] if alike else None
    if ends is not None and (np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1) < LONGEST).all():
        return heavy
    near = np.linalg.norm(atoms[heavy, None, 1:] - atoms[None, heavy, 1:], axis=2) < LONGEST
    seen = _skeleton(chemistry, numbers[heavy].tolist(), np.argwhere(np.triu(near, 1)))
    match = seen.GetSubstructMatch(_skeleton(chemistry, named, pairs))
    if len(match) == len(heavy):
        return heavy[list(match)]
    return heavy if alike else None


def _skeleton(chemistry: Any, numbers: Sequence[int], pairs: np.ndarray) -> Any:
    """Atoms and which of them are bound, without kinds of bonds."""
    skeleton = chemistry.RWMol()
    for number in numbers:
        skeleton.AddAtom(chemistry.Atom(number))
    for first, second in pairs.tolist():
        skeleton.AddBond(first, second, chemistry.BondType.SINGLE)
    return skeleton


def _fill(graph: np.ndarray, atoms: np.ndarray, molecule: Any, heavy: np.ndarray) -> None:
    """Write facts and bonds of one molecule; `heavy` are the places of its SMILES' atoms."""
    numbers, bonds = atoms[:, 0].astype(int), graph[:, FACTS:]
    hydrogens = np.flatnonzero(numbers == 1)
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
