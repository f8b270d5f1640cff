"""docs/architecture.md speaks of what is there, and its picture shows what is imported."""

import ast
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text()
NAMED = sorted(set(re.findall(r"`([\w/.]+\.py(?::\w+)?|[\w/]+/)`", PAGE)))
ELSEWHERE = ("conf/", "tests/", "scripts/")


@pytest.fixture(scope="module")
def drawing():
    spec = importlib.util.spec_from_file_location("draw_architecture", ROOT / "scripts/draw_architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_names_files():
    assert len(NAMED) > 40


@pytest.mark.parametrize("name", NAMED)
def test_what_it_names_is_there(name):
    path, _, member = name.partition(":")
    data = ROOT / "mtlrun/data" / path
    file = ROOT / path if path.startswith(ELSEWHERE) else ROOT / "mtlrun" / path
    assert file.exists() or data.exists(), name
    if member:
        assert re.search(rf"^class {member}\b", file.read_text(), re.MULTILINE), name


def test_its_rooms_are_those_of_the_package(drawing):
    rooms = PAGE.partition("## Rooms")[2].partition("## A start")[0]
    assert {room for room in drawing.rooms() if f"`{room}/`" not in rooms} == {drawing.LEAVES}


def test_a_batch_passes_through_at_most_fifteen_files():
    steps = PAGE.partition("## A batch")[2].partition("\nThen")[0]
    assert len(re.findall(r"^\d+\. ", steps, re.MULTILINE)) <= 15


def test_the_picture_is_that_of_the_code(drawing):
    assert drawing.PICTURE.read_text() == drawing.draw(), "python scripts/draw_architecture.py draws it anew"


RETIRED = {"Moment", "Drawer", "Walk", "Deal", "Told", "Feeding", "told_by_first", "GramFirst", "HeldWeights", "Team"}


def test_words_that_were_given_up_stay_so():
    used = {name for path in (ROOT / "mtlrun").rglob("*.py") for name in _names(ast.parse(path.read_text()))}
    assert not RETIRED & used


def _names(tree):
    """Of classes and functions, and of whatever is used."""
    words = (
        getattr(node, "name", None) or getattr(node, "attr", None) or getattr(node, "id", None)
        for node in ast.walk(tree)
    )
    return {word for word in words if isinstance(word, str)}


def test_a_class_name_stands_once():
    """A word has one meaning in the whole package; sets and readers know nothing of one another."""
    places: dict[str, list[str]] = {}
    for path in (ROOT / "mtlrun").rglob("*.py"):
        for name in re.findall(r"^class ([A-Za-z]\w+)", path.read_text(), re.MULTILINE):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert not {name: where for name, where in places.items() if len(where) > 1}
