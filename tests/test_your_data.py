"""docs/your_data.md names options that there are, and says of defaults what they are."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/your_data.md").read_text()
OPTIONS = yaml.safe_load((ROOT / "conf/data/arrays.yaml").read_text())
OF_CLICKS = yaml.safe_load((ROOT / "conf/data/clicks.yaml").read_text())


def test_every_option_is_there():
    named = set(re.findall(r"\bdata\.(\w+)(?==)", PAGE))
    assert len(named) > 12
    assert named <= OPTIONS.keys() | OF_CLICKS.keys()


def test_defaults_are_those_of_the_configuration():
    for name in ("rare", "val", "test", "seed"):
        assert f"data.{name}={OPTIONS[name]}" in PAGE


def test_its_tables_are_read_by_their_endings():
    from mtlrun.data.tables.read import TABLES

    assert {".csv", ".tsv", ".txt", ".csv.gz", ".parquet"} <= TABLES.keys()
    assert all(f"`{ending}`" in PAGE for ending in (".csv", ".tsv", ".txt", ".csv.gz", ".parquet"))
