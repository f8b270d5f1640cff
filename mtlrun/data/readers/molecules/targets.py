"""The eleven properties of QM9 that multi-task papers learn, in the papers' order and units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

ELECTRONVOLT = 27.211386246
"""One hartree in eV."""

MILLI = 1000 * ELECTRONVOLT
"""One hartree in meV."""

NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}
"""Atomic numbers of the elements of QM9."""


@dataclass(frozen=True, slots=True)
class Target:
    """A property.

    column: of the tables.
    unit: what one unit of the column is in that of the target.
    atoms: the same property of the free atoms, by atomic number and in the column's unit; it is taken off.
    """

    column: str
    unit: float = 1.0
    atoms: dict[int, float] | None = None


def _free_atoms(hydrogen: float, carbon: float, nitrogen: float, oxygen: float, fluorine: float) -> dict[int, float]:
    return {1: hydrogen, 6: carbon, 7: nitrogen, 8: oxygen, 9: fluorine}


# Energies of free atoms in hartree, from the file atomref.txt beside the original data set.
_U0 = _free_atoms(-0.500273, -37.846772, -54.583861, -75.064579, -99.718730)
_U = _free_atoms(-0.498857, -37.845355, -54.582445, -75.063163, -99.717314)
_H = _free_atoms(-0.497912, -37.844411, -54.581501, -75.062219, -99.716370)
_G = _free_atoms(-0.510927, -37.861317, -54.598897, -75.079532, -99.733544)

TARGETS = {
    "mu": Target("Dipole_debye"),  # dipole moment, D
    "alpha": Target("Polarizability_bohr3"),  # isotropic polarisability, a0^3
    "homo": Target("HOMO_au", MILLI),  # energy of the highest occupied orbital, meV
    "lumo": Target("LUMO_au", MILLI),  # energy of the lowest unoccupied orbital, meV
    "r2": Target("R2_bohr2"),  # electronic spatial extent, a0^2
    "zpve": Target("ZPVE_au", MILLI),  # zero-point vibrational energy, meV
    "u0": Target("InternalEnergy_0K_au", MILLI, _U0),  # atomisation energy at 0 K, meV
    "u": Target("InternalEnergy_298K_au", MILLI, _U),  # atomisation energy at 298.15 K, meV
    "h": Target("Enthalphy_298K_au", MILLI, _H),  # atomisation enthalpy at 298.15 K, meV; so spelt in the tables
    "g": Target("GibbsFreeEnergy_298K_au", MILLI, _G),  # atomisation free energy at 298.15 K, meV
    "cv": Target("Heatcapacity_Cv_cal_mol_K"),  # heat capacity at 298.15 K, cal/(mol K)
}


def in_papers_units(columns: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """The targets float32 [N, 11].

    Args:
        columns: the tables' columns float64 [N, 11], in the order of TARGETS.
        numbers: atomic numbers [N, A], 0 for padding.
    """
    found = columns.copy()
    for index, target in enumerate(TARGETS.values()):
        for number, value in (target.atoms or {}).items():
            found[:, index] -= value * (numbers == number).sum(1)
        found[:, index] *= target.unit
    return found.astype(np.float32)
