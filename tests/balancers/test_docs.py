"""docs/balancers.md names every balancer, and its options as they are."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

from mtlrun.gradients.base import EngineSettings
from mtlrun.paths import CONF

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "mtlrun" / "balancers", ROOT / "mtlrun")
NAMES = sorted(path.stem for path in (CONF / "balancer").glob("*.yaml"))


def tables():
    """Of each table whose rows name balancers: name -> cells."""
    found = [{}]
    for line in (ROOT / "docs" / "balancers.md").read_text().splitlines():
        row = re.match(r"\| `(\w+)` \|(.*)\|$", line)
        if row:
            found[-1][row[1]] = [cell.strip() for cell in row[2].split(" |")]
        elif found[-1]:
            found.append({})
    return [table for table in found if "equal" in table]


def words(cell):
    return set(re.findall(r"`(\w+)`", cell))


def options(name):
    settings = yaml.safe_load((CONF / "balancer" / f"{name}.yaml").read_text())
    return set(settings) - {"defaults", "_target_"} - {setting.name for setting in fields(EngineSettings)}


@pytest.mark.parametrize("table", [0, 1])
def test_every_balancer_has_a_row(table):
    assert sorted(tables()[table]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_options_and_files_are_those_of_the_balancer(name):
    advice, reference = (table[name] for table in tables())
    assert words(reference[2]) == options(name)
    assert words(advice[3]) <= options(name)
    files = re.findall(r"`([\w/]+\.py)`", reference[1])
    assert files
    assert all(any((folder / file).exists() for folder in FOLDERS) for file in files)
    assert all(reference), "a cell is empty"
