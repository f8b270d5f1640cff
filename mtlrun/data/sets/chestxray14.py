"""ChestX-ray14: radiographs in files, findings in a CSV table.

Wang et al., "ChestX-ray8: Hospital-scale Chest X-ray Database and Benchmarks" (2017),
https://arxiv.org/abs/1705.02315: 112,120 frontal radiographs of 30,805 patients with the official test list; its 14
findings do not include fractures. No patient is in two splits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from mtlrun.data.must_be_named import named_path
from mtlrun.data.readers.folders import above, step_down
from mtlrun.data.readers.plain_files import read_csv, read_text
from mtlrun.data.readers.radiograph_labels import Reading
from mtlrun.data.readers.radiograph_tables import Options, RadiographTable, split_patients, splits_of
from mtlrun.data.source import Splits
from mtlrun.errors import DataError
from mtlrun.options import share

TABLES = ("Data_Entry_2017.csv", "Data_Entry_2017_v2020.csv")
TESTED = ("test_list.txt", "test_list_NIH.txt")
PICTURES = (
    "images-224/*.png", "images-224/images-224/*.png", "images/images/*.png", "images/*", "images_*/images/*", "*.png",
)  # fmt: skip
"""Of a copy in 224 pixels, then of the original; where a name occurs twice the last one counts."""

HOME = "https://nihcc.app.box.com/v/ChestXray-NIHCC"


def load(
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
        root: folder of the table, the official test list and the pictures, or up to two levels above.
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
    above_all = named_path("chestxray14", root)
    options = Options(size, Reading(), memory_mb)
    folder = step_down(above_all, lambda folder: _first(folder, TABLES) is not None) or above_all
    table_path, tested = _first(folder, TABLES), _first(folder, TESTED)
    pictures = {path.name: path for pattern in PICTURES for path in folder.glob(pattern)}
    if table_path is None or tested is None or not pictures:
        there = {TABLES[0]: table_path, TESTED[0]: tested, "pictures": pictures}
        hint = above(above_all, lambda folder: _first(folder, TABLES) is not None)
        raise DataError(
            f"no {', '.join(name for name, found in there.items() if not found)} in {folder}{hint}: ChestX-ray14 is "
            f"{' (or '.join(TABLES)}), {TESTED[0]} beside train_val_list.txt, and images/*.png (or images_001/images/"
            f"*.png to images_012/images/*.png, or images-224/*.png of a copy in 224 pixels), from {HOME}"
        )
    table = read_table(table_path, pictures, findings or {}, partial)
    official = set(read_text(tested).split())
    inside = table.take([row for row, path in enumerate(table.paths) if path.name not in official])
    test = table.take([row for row, path in enumerate(table.paths) if path.name in official])
    held_out, rest = split_patients(inside.patients, [share("data.val", val, empty=False)], seed)
    tables = {"train": inside.of(rest), "val": inside.of(held_out), "test": test}
    return splits_of("chestxray14", tables, options, f"by patient (data.seed={seed}) and the official test list")


def read_table(path: Path, pictures: Mapping[str, Path], findings: Mapping[str, str], partial: bool) -> RadiographTable:
    """The rows of the table that have a picture."""
    lines = read_csv(path, ("Image Index", "Finding Labels", "Patient ID"))
    there = [line for line in lines if line["Image Index"] in pictures]
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
    return RadiographTable(
        [pictures[line["Image Index"]] for line in there], entries, [line["Patient ID"] for line in there]
    )


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_file()), None)
