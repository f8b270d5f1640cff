"""CheXpert: radiographs in files, findings in a CSV table.

Irvin et al., "CheXpert" (2019), https://arxiv.org/abs/1901.07031: 224,316 radiographs of 65,240 patients, labels 1, 0,
-1 (uncertain) and blank (not mentioned). No patient is in two splits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch

from mtlrun.data.must_be_named import named_path
from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.plain_files import read_csv
from mtlrun.data.readers.radiograph_labels import Reading
from mtlrun.data.readers.radiograph_tables import Options, RadiographTable, split_patients, splits_of
from mtlrun.data.source import Splits
from mtlrun.data.split_sizes import val_and_test
from mtlrun.errors import DataError
from mtlrun.options import share

FOLDERS = (".", "CheXpert-v1.0-small", "CheXpert-v1.0")
BATCHES = "CheXpert-v1.0 batch *"
"""Folders of the full-size collection: the first has the tables and valid/, the others the patients of train/."""

HOME = "https://aimi.stanford.edu/datasets/chexpert-chest-x-rays"


def load(
    root: str | None = None,
    findings: Mapping[str, str] | None = None,
    size: int = 224,
    frontal: bool = True,
    uncertain: str = "ignore",
    blank: str = "zeros",
    val: float = 0.05,
    test: float | None = 0.05,
    seed: int = 0,
    memory_mb: float = 500,
) -> Splits:
    """One task per finding, targets float32 [N, 1]; pictures uint8 [1, size, size].

    Args:
        root: folder of train.csv and valid.csv, or up to two levels above; with train/ and valid/, or with the four
            batches of the full-size collection as they are unpacked.
        findings: per task the name of its column.
        size: height and width that the pictures are stretched to.
        frontal: whether lateral views are left out.
        uncertain, blank: how labels -1 and empty ones are taken, see `Reading`.
        val, test: shares of the patients of train.csv; test None takes valid.csv, which radiologists have labelled, but
            which is small.
        seed: of the choice of these patients.
        memory_mb: a split that takes at most so many megabytes is kept in memory.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if files are missing or malformed.
    """
    root_path = named_path("chexpert", root)
    options = Options(size, Reading(uncertain, blank), memory_mb)
    shares = [share("data.val", val, empty=False)] if test is None else val_and_test(val, test)
    folder = next((root_path / name for name in FOLDERS if _has_table(root_path / name)), None)
    folder = folder or step_down(root_path, _has_table) or root_path
    missing = [name for name in ("train.csv", "valid.csv") if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"no {' and no '.join(missing)} in {folder}{above(root_path, _has_table)}: CheXpert is train.csv, "
            "valid.csv and the folders train/ and valid/ with patient*/study*/view*.jpg (or the four folders "
            f"'{BATCHES}'), from {HOME}"
        )
    table = read_table(folder / "train.csv", findings or {}, frontal)
    held_out, *more, rest = split_patients(table.patients, shares, seed)
    tested = table.of(more[0]) if more else read_table(folder / "valid.csv", findings or {}, frontal)
    tables = {"train": table.of(rest), "val": table.of(held_out), "test": tested}
    how = f"train.csv by patient (data.seed={seed})" + ("" if more else ", valid.csv for the test")
    return splits_of("chexpert", tables, options, how)


def read_table(path: Path, findings: Mapping[str, str], frontal: bool) -> RadiographTable:
    """The rows of a table, lateral views left out if `frontal`."""
    lines = read_csv(path, ("Path", *(["Frontal/Lateral"] if frontal else []), *findings.values()))
    chosen = [line for line in lines if not frontal or line["Frontal/Lateral"] == "Frontal"]
    parts = [_parts(path, line["Path"]) for line in chosen]
    entries = {
        task: torch.tensor([_entry(path, column, line[column]) for line in chosen]) for task, column in findings.items()
    }
    batches = patients_in_batches(path.parent, parts[0][-4] if parts and len(parts[0]) > 3 else "")
    paths = [_picture(path.parent, names, batches) for names in parts]
    return RadiographTable(paths, entries, [names[-3] for names in parts])


def patients_in_batches(folder: Path, part: str) -> dict[str, Path]:
    """Per patient the folder, where the batches of the full-size collection were not put together; else empty.

    Args:
        folder: of the tables, which is the first batch, or has the batches.
        part: of the collection, train or valid: the name of a folder that may stand between.
    """
    batches = sorted({*folder.glob(BATCHES), *folder.parent.glob(BATCHES)})
    places = [*batches, *(batch / part for batch in batches)]
    return {patient.name: patient for place in places for patient in place.glob("patient*")}


def _picture(folder: Path, names: tuple[str, ...], batches: Mapping[str, Path]) -> Path:
    *_, patient, study, view = names
    return batches[patient] / study / view if patient in batches else folder.joinpath(*names)


def _has_table(folder: Path) -> bool:
    return (folder / "train.csv").is_file()


def _parts(path: Path, text: str) -> tuple[str, ...]:
    """train, patient, study and view; before them a path has the name of the collection, as CheXpert-v1.0-small/."""
    names = Path(text).parts[-4:]
    if len(names) < 3:
        raise DataError(
            f"{path}, column 'Path': expected .../train/patient00001/study1/view1_frontal.jpg, found '{text}'"
        )
    return names


def _entry(path: Path, column: str, text: str) -> float:
    """1, 0, -1, or NaN for blank."""
    if not text.strip():
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if value not in (1.0, 0.0, -1.0):
        raise DataError(f"{path}, column '{column}': labels should be 1, 0, -1 or blank, found '{text}'")
    return value
