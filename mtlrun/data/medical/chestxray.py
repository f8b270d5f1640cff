"""ChestX-ray14 and CheXpert: radiographs in files, findings in a CSV table.

Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks" (2017),
https://arxiv.org/abs/1705.02315: 112,120 frontal radiographs of 30,805 patients with the official test list; its 14
findings do not include fractures. Irvin et al., "CheXpert" (2019), https://arxiv.org/abs/1901.07031: 224,316
radiographs of 65,240 patients, labels 1, 0, -1 (uncertain) and blank (not mentioned). No patient is in two splits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch

from mtlrun.data.options import some, val_and_test
from mtlrun.data.readers.plain_files import folder_of, read_csv, read_text
from mtlrun.data.readers.radiograph_labels import Reading
from mtlrun.data.readers.radiograph_tables import Options, Table, split_patients, splits_of
from mtlrun.data.source import Splits
from mtlrun.errors import DataError

NIH_TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv")
NIH_LISTS = ("train_val_list.txt", "test_list.txt")
NIH_HOME = "https://nihcc.app.box.com/v/ChestXray-NIHCC"
CHEXPERT_FOLDERS = (".", "CheXpert-v1.0-small", "CheXpert-v1.0")
CHEXPERT_HOME = "https://aimi.stanford.edu/datasets/chexpert-chest-x-rays"


def load_chestxray14(
    root: str | None = None,
    findings: Mapping[str, str] | None = None,
    size: int = 224,
    val: float = 0.1,
    seed: int = 0,
    partial: bool = False,
    memory_mb: float = 500,
) -> Splits:
    """One task per finding, targets float32 [N, 1]; pictures uint8 [1, size, size].

    Args:
        root: folder of the table, the two lists and the pictures.
        findings: per task the name of its finding in the table.
        size: height and width that the pictures are stretched to.
        val: share of the patients outside the official test list that validation has to itself.
        seed: of the choice of these patients.
        partial: whether to do with the pictures that are there, if only some archives are unpacked.
        memory_mb: a split that takes at most so many megabytes is kept in memory.

    Raises:
        ConfigError: if an option is missing or out of range.
        DataError: if files are missing or malformed.
    """
    folder = folder_of(root, "the folder of ChestX-ray14")
    options = Options(size, Reading(), memory_mb)
    table_path = next((folder / name for name in NIH_TABLES if (folder / name).is_file()), folder / NIH_TABLES[0])
    missing = [path.name for path in (table_path, *(folder / name for name in NIH_LISTS)) if not path.is_file()]
    places = {
        path.name: path for pattern in ("images/*", "images_*/images/*", "*.png") for path in folder.glob(pattern)
    }
    if missing or not places:
        raise DataError(
            f"no {', '.join([*missing, *([] if places else ['pictures'])])} in {folder}: ChestX-ray14 is "
            f"{' (or '.join(NIH_TABLES)}), {', '.join(NIH_LISTS)} and images/*.png (or images_001/images/*.png to "
            f"images_012/images/*.png), from {NIH_HOME}"
        )
    table = nih_table(table_path, places, findings or {}, partial)
    official = set(read_text(folder / NIH_LISTS[1]).split())
    inside = table.take([row for row, path in enumerate(table.paths) if path.name not in official])
    test = table.take([row for row, path in enumerate(table.paths) if path.name in official])
    held_out, rest = split_patients(inside.patients, [some("val", val)], seed)
    tables = {"train": inside.of(rest), "val": inside.of(held_out), "test": test}
    return splits_of("chestxray14", tables, options, f"by patient (data.seed={seed}) and the official test list")


def nih_table(path: Path, places: Mapping[str, Path], findings: Mapping[str, str], partial: bool) -> Table:
    """The rows of the table that have a picture."""
    lines = read_csv(path, ("Image Index", "Finding Labels", "Patient ID"))
    there = [line for line in lines if line["Image Index"] in places]
    if not there or (len(there) < len(lines) and not partial):
        raise DataError(
            f"{len(lines) - len(there)} of the {len(lines)} pictures in {path} are not there: unpack all archives, or "
            "do with those that are with data.partial=true"
        )
    named = [set(line["Finding Labels"].split("|")) for line in there]
    known = sorted(set().union(*named))
    for task, finding in findings.items():
        if finding not in known:
            raise DataError(f"data.findings.{task}: no row of {path} has '{finding}' (there are: {', '.join(known)})")
    entries = {task: torch.tensor([float(finding in names) for names in named]) for task, finding in findings.items()}
    return Table([places[line["Image Index"]] for line in there], entries, [line["Patient ID"] for line in there])


def load_chexpert(
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
        root: folder of train.csv and valid.csv, or the one above it.
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
    above = folder_of(root, "the folder of CheXpert")
    options = Options(size, Reading(uncertain, blank), memory_mb)
    shares = [some("val", val)] if test is None else val_and_test(val, test)
    folder = next((above / name for name in CHEXPERT_FOLDERS if (above / name / "train.csv").is_file()), above)
    missing = [name for name in ("train.csv", "valid.csv") if not (folder / name).is_file()]
    if missing:
        raise DataError(
            f"no {' and no '.join(missing)} in {folder}: CheXpert is train.csv, valid.csv and the folders train/ and "
            f"valid/ with patient*/study*/view*.jpg, from {CHEXPERT_HOME}"
        )
    table = chexpert_table(folder / "train.csv", findings or {}, frontal)
    held_out, *more, rest = split_patients(table.patients, shares, seed)
    tested = table.of(more[0]) if more else chexpert_table(folder / "valid.csv", findings or {}, frontal)
    tables = {"train": table.of(rest), "val": table.of(held_out), "test": tested}
    how = f"train.csv by patient (data.seed={seed})" + ("" if more else ", valid.csv for the test")
    return splits_of("chexpert", tables, options, how)


def chexpert_table(path: Path, findings: Mapping[str, str], frontal: bool) -> Table:
    """The rows of a table, lateral views left out if `frontal`."""
    lines = read_csv(path, ("Path", *(["Frontal/Lateral"] if frontal else []), *findings.values()))
    chosen = [line for line in lines if not frontal or line["Frontal/Lateral"] == "Frontal"]
    parts = [_parts(path, line["Path"]) for line in chosen]
    entries = {
        task: torch.tensor([_entry(path, column, line[column]) for line in chosen]) for task, column in findings.items()
    }
    return Table([path.parent.joinpath(*names) for names in parts], entries, [names[-3] for names in parts])


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
