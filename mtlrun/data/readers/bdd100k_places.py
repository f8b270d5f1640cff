"""Where the files of BDD100K lie: in the folders of 2020, in those of 2018, or in a folder for each archive."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from mtlrun.data.readers.folders import above, step_down
from mtlrun.errors import DataError

SCENE_TASKS = ("detection", "drivable", "lane")
PARTS = ("train", "val")
HOME = "http://bdd-data.berkeley.edu"

PATTERNS = {
    "pictures": ("images/100k/{}",),
    "detection": (
        "labels/det_20/det_{}.json",
        "labels/bdd100k_labels_images_{}.json",
        "bdd100k_labels_images_{}.json",
    ),
    "drivable": ("labels/drivable/masks/{}", "drivable_maps/labels/{}"),
    "lane": ("labels/lane/masks/{}",),
}
"""Where each kind of file lies, {} for the part: in 2020, then in 2018."""

SINGLE = "labels/100k/{}"
"""A file for each picture, in another archive of 2018."""

WANTED = {
    "pictures": "images/100k/{train,val}/*.jpg (100K Images)",
    "detection": "labels/det_20/det_{train,val}.json (Detection 2020 Labels; or of 2018 "
    "labels/bdd100k_labels_images_{train,val}.json)",
    "drivable": "labels/drivable/masks/{train,val}/*.png (Drivable Area; or of 2018 "
    "drivable_maps/labels/{train,val}/*_drivable_id.png)",
    "lane": "labels/lane/masks/{train,val}/*.png (Lane Marking)",
}


@dataclass(frozen=True)
class BDD100KPlaces:
    """Where the parts lie; what no task needs is None.

    maps_of_2018: whether the masks of the drivable area are those of 2018, with other numbers and names.
    """

    pictures: dict[str, Path]
    detection: dict[str, Path] | None = None
    drivable: dict[str, Path] | None = None
    lane: dict[str, Path] | None = None

    @property
    def maps_of_2018(self) -> bool:
        return self.drivable is not None and "drivable_maps" in self.drivable["train"].parts


def find_places(root: Path, tasks: Collection[str]) -> BDD100KPlaces:
    """Where the pictures are, and the labels of the tasks.

    Args:
        root: that the user names: of the data set, above it, or with a folder for each unpacked archive.
        tasks: of SCENE_TASKS; the files of the others are not looked for.

    Raises:
        DataError: if something is not there; the line says which other layout was found.
    """
    kinds = ["pictures", *(task for task in SCENE_TASKS if task in tasks)]
    found = {kind: _parts(root, *PATTERNS[kind]) for kind in kinds}
    there = {kind: paths for kind, paths in found.items() if paths is not None}
    missing = [
        PATTERNS[kind][0].format(part)
        for part in PARTS
        for kind in kinds
        if kind not in there or not there[kind][part].exists()
    ]
    if missing:
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        wanted = ", ".join(WANTED[kind] for kind in kinds)
        raise DataError(f"no {missing[0]}{more} in {root}{_hint(root, found)}: BDD100K is {wanted}, from {HOME}")
    return BDD100KPlaces(**there)


def _parts(root: Path, *patterns: str) -> dict[str, Path] | None:
    """The paths of both parts by the first pattern of which one is there."""
    for pattern in patterns:
        paths = [pattern.format(part) for part in PARTS]
        folder = step_down(root, lambda folder: any((folder / path).exists() for path in paths))  # noqa: B023
        if folder is not None:
            return {part: folder / path for part, path in zip(PARTS, paths)}
    return None


def _hint(root: Path, found: Mapping[str, dict[str, Path] | None]) -> str:
    """What is there instead, and what to do about it."""
    lacking = [kind for kind, paths in found.items() if paths is None]
    if "pictures" in lacking:
        return above(root, lambda folder: (folder / PATTERNS["pictures"][0].format("train")).is_dir())
    if "detection" in lacking and _parts(root, SINGLE):
        return " (labels/100k has a file for each picture, which is not read: fetch the archive with one file for all)"
    if "lane" in lacking and (_parts(root, *PATTERNS["detection"][1:]) or _parts(root, PATTERNS["drivable"][1])):
        return " (the labels of 2018 have lanes as lines, not as masks: leave lane out, tasks=[detection,drivable])"
    return ""
