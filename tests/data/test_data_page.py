"""docs/data.md speaks of every set that is read from files, and of no other."""

import inspect
import re
from pathlib import Path

import pytest
import yaml
from hydra.utils import get_method

from mtlrun.data.readers import bdd100k_places, celeba_files, conll, digit_folders, squad, sst
from mtlrun.data.sets import chestxray14, medmnist
from mtlrun.paths import CONF

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()
TABLE = PAGE.partition("### Sets, licences, sizes")[2].partition("### Layouts")[0]
NAMED = {*re.findall(r"^\| `(\w+)`", TABLE, re.MULTILINE)}


def reads_files(path: Path) -> bool:
    load = get_method(yaml.safe_load(path.read_text())["_target_"])
    return bool({"root", "ner"} & {*inspect.signature(load).parameters})


def test_every_set_from_files_is_in_the_table() -> None:
    assert {path.stem for path in (CONF / "data").glob("*.yaml") if reads_files(path)} | {"qm9"} == NAMED


@pytest.mark.parametrize(
    "name",
    [
        *(pattern.partition("{}")[0] for patterns in bdd100k_places.PATTERNS.values() for pattern in patterns),
        *(place for places in celeba_files.PLACES.values() for place in places),
        *chestxray14.TABLES,
        *chestxray14.TESTED,
        *(name.strip("*") for name in conll.POS_FILES.values() if "train*" not in name),
        "eng.train",
        *sst.PHRASES,
        *squad.FILES["train"][:1],
        *(f"[{','.join(names)}]" for names in digit_folders.PARTS.values()),
    ],
)
def test_what_is_looked_for_is_on_the_page(name: str) -> None:
    assert name in PAGE


def test_the_sets_of_medmnist_are_counted() -> None:
    assert f"{1 + len(medmnist.CLASSES)} sets of pictures" in TABLE
