"""docs/your_data.md names options that there are, and says of defaults what they are."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

import mtlrun
from mtlrun.config.compose import compose
from mtlrun.data.source import Splits
from mtlrun.instantiate import instantiate

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/your_data.md").read_text()
OPTIONS = yaml.safe_load((ROOT / "conf/data/arrays.yaml").read_text())
OTHERS = [yaml.safe_load((ROOT / f"conf/data/{name}.yaml").read_text()) for name in ("clicks", "pictures", "texts")]
LARGE = "More rows than memory holds"
PARTS = {name: PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0] for name in ("Pictures", "Texts", LARGE)}
PICTURES, TEXTS = OTHERS[1:]


def test_every_option_is_there():
    named = set(re.findall(r"\bdata\.(\w+)(?==)", PAGE))
    assert len(named) > 12
    assert named <= {key for options in (OPTIONS, *OTHERS) for key in options}


@pytest.mark.parametrize(("part", "options"), [("Pictures", PICTURES), ("Texts", TEXTS)])
def test_sections_name_options_of_their_own_set(part, options):
    named = set(re.findall(r"\bdata\.(\w+)(?==)", PARTS[part]))
    assert len(named) > 6
    assert named <= options.keys()


@pytest.mark.parametrize(("part", "file"), [("Pictures", "shapes/labels.csv"), ("Texts", "reviews.csv")])
def test_examples_are_learned_as_they_are_printed(part, file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", PARTS[part], re.MULTILINE | re.DOTALL)
    exec(compile(program, "your_data.md", "exec"), {})
    lines = [line.partition("  #")[0] for line in re.findall(r"^mtlrun (.*)$", PARTS[part], re.MULTILINE)]
    first, *others = [shlex.split(line) for line in lines if file in line]
    small = ["data.size=32", "backbone.channels=[4,4]"] if part == "Pictures" else ["backbone.layers=1"]
    result = mtlrun.run(
        [*first, *small, "trainer.max_steps=1", "diagnostics=off", "trainer.device=cpu"], tmp_path / "run"
    )
    assert {*result.summary["tasks"]} == set(
        {"Pictures": ("ground", "count", "masks", "boxes"), "Texts": ("stars", "kind")}[part]
    )
    for words in others:
        config = compose(words)
        assert instantiate(config.data, "data", Splits).inferred


def test_the_large_example_is_learned_as_it_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"^```python\n(.*?)^```", PARTS[LARGE], re.MULTILINE | re.DOTALL)
    exec(compile(program.replace("20_000", "400").replace("5_000", "100"), "your_data.md", "exec"), {})
    lines = [line.partition("  #")[0] for line in re.findall(r"^mtlrun (.*)$", PARTS[LARGE], re.MULTILINE)]
    first, *others = [shlex.split(line) for line in lines if "data.path=large" in line]
    result = mtlrun.run([*first, "trainer.max_steps=1", "diagnostics=off", "trainer.device=cpu"], tmp_path / "run")
    assert {*result.summary["tasks"]} == {"colour", "weight"}
    assert all(instantiate(compose(words).data, "data", Splits).inferred for words in others)


def test_defaults_are_those_of_the_configuration():
    for name in ("rare", "val", "test", "seed"):
        assert f"data.{name}={OPTIONS[name]}" in PAGE
    for part, options, names in (("Pictures", PICTURES, ["smallest", "memory_mb"]), ("Texts", TEXTS, ["vocabulary"])):
        assert all(f"data.{name}={options[name]}" in PARTS[part] for name in names)


def test_its_tables_are_read_by_their_endings():
    from mtlrun.data.tables.read import TABLES

    assert {".csv", ".tsv", ".txt", ".csv.gz", ".parquet"} <= TABLES.keys()
    assert all(f"`{ending}`" in PAGE for ending in (".csv", ".tsv", ".txt", ".csv.gz", ".parquet"))
