"""QM9: eleven properties of small organic molecules, computed from quantum mechanics.

Ramakrishnan et al., "Quantum chemistry structures and properties of 134 kilo molecules", Scientific Data 1,
140022 (2014), https://doi.org/10.1038/sdata.2014.22; the tables are those of its authors' package qm9pack. They
hold 130,831 of the 133,885 molecules: the 3,054 whose relaxed structure is another molecule are left out, as in
PyTorch Geometric's QM9 and so in the papers.

Targets, units and split are those of Navon et al., "Multi-Task Learning as a Bargaining Game" (2022),
https://arxiv.org/abs/2202.01017, and of the papers after it: the orbital gap is not learned, the four energies
are atomisation energies, all energies are in meV; of the shuffled molecules the first 10,000 are the test, the
next 10,000 the validation rows, the other 110,831 are trained on. Deviations: the shuffle is that of `seed` and
not of the run (`seed: ${seed}`); targets are standardised with the statistics of the training rows, where the papers'
code takes those of all molecules (`Regression(statistics=...)`); inputs are atoms and their positions, without the
bonds that the papers' network reads, unless `bonds` is set.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.readers.molecules.cache import cached, cached_graphs
from mtlrun.data.readers.molecules.source import BondedMolecules
from mtlrun.data.readers.molecules.tables import find_tables
from mtlrun.data.readers.molecules.targets import TARGETS
from mtlrun.data.source import Splits, TensorSource
from mtlrun.errors import ConfigError
from mtlrun.options import flag, is_whole

ALL = 130_831
HELD_OUT = 10_000
"""Molecules of the whole data set, and those among them that validation, and as many that test, has to itself."""

FEWEST = 3


def load(
    root: str | None = None,
    molecules: int | None = None,
    seed: int = 0,
    cache: str | None = "~/.cache/mtlrun",
    bonds: bool = False,
) -> Splits:
    """Eleven numbers per molecule, named as in TARGETS, from its atoms float32 [N, 29, 4], or [N, 29, 38] with bonds.

    An atom is its atomic number and its position in angstrom; padding is zero. With bonds follow 1 where it is
    aromatic, sp, sp2, sp3, its number of hydrogens, and its bond to each atom (0 none, 1 single, 2 double, 3 triple, 4
    aromatic).

    Args:
        root: folder of the tables qm9_part1.csv to qm9_part3.csv; None for those of the package qm9pack.
        molecules: how many to use, in the proportions of the whole; None for all. Each split is then a part of
            the whole data set's split.
        seed: of the shuffle.
        cache: folder in which the tables are kept as arrays (subfolder qm9); None reads the text at each start.
        bonds: read the bonds too, from the tables' SMILES by rdkit (some minutes, then kept in the cache).

    Raises:
        ConfigError: if an option is out of range.
        DataError: if the tables are absent or malformed.
    """
    if molecules is not None and (not is_whole(molecules) or molecules < FEWEST):
        raise ConfigError(f"data.molecules should be null or a whole number from {FEWEST} to {ALL}, found {molecules}")
    flag("data.bonds", bonds)
    tables = find_tables(Path(root).expanduser() if root else None)
    folder = Path(cache).expanduser() / "qm9" if cache else None
    arrays = cached(folder, tables)
    graphs = torch.from_numpy(cached_graphs(folder, tables, arrays["atoms"])) if bonds else None
    atoms, targets = torch.from_numpy(arrays["atoms"]), torch.from_numpy(arrays["targets"])
    parts = split_rows(len(atoms), molecules, seed)
    train, val, test = (source(atoms, targets, rows, graphs) for rows in parts)
    sizes = "/".join(str(len(rows)) for rows in parts)
    return Splits(
        [train],
        [val],
        [test],
        f"{sizes} of the {len(atoms)} molecules of QM9 for train/val/test, shuffled with data.seed={seed}",
    )


def split_rows(total: int, molecules: int | None, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Disjoint rows for training, validation and test, each the first ones of the whole data set's.

    Args:
        total: molecules that there are.
        molecules: how many to use; None for all.
        seed: of the shuffle.

    Raises:
        ConfigError: if there are fewer.
    """
    wanted = total if molecules is None else molecules
    if not FEWEST <= wanted <= total:
        raise ConfigError(f"data.molecules={wanted}: the tables hold {total}, choose a number from {FEWEST} to {total}")
    order = torch.randperm(total, generator=torch.Generator().manual_seed(seed))
    held_out, few = _held_out(total), _held_out(wanted)
    test, val, train = order.split([held_out, held_out, total - 2 * held_out])
    return train[: wanted - 2 * few], val[:few], test[:few]


def source(atoms: Tensor, targets: Tensor, rows: Tensor, graphs: Tensor | None = None) -> TensorSource:
    """The given rows, with one target [n] per task."""
    columns = targets.index_select(0, rows).unbind(1)
    named = {name: column.clone() for name, column in zip(TARGETS, columns)}
    if graphs is None:
        return TensorSource("qm9", atoms.index_select(0, rows), named)
    return BondedMolecules("qm9", atoms.index_select(0, rows), graphs.index_select(0, rows), named)


def _held_out(molecules: int) -> int:
    return max(round(molecules * HELD_OUT / ALL), 1)
