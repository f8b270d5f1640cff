"""Imports point one way: a module imports only from layers below its own, or from its own package."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mtlrun"

# Low to high. Packages on one line do not import each other.
LAYERS = [
    [
        "types",
        "errors",
        "paths",
        "version",
        "lines",
        "commands",
        "atomic",
        "seeds",
        "troubles",
    ],  # leaves
    ["blame"],  # which part an error came from
    ["instantiate", "options", "torchrun", "linalg", "runs"],
    ["published"],  # numbers of papers, which reports show beside those of runs
    ["reporting", "balancers", "tasks", "data", "backbones", "loggers"],
    ["samplers", "sharing"],  # samplers draw from sources, sharing schemes are built from backbones
    ["gradients", "diagnostics"],
    ["training"],
    ["contracts"],
    ["config"],
    ["inference"],  # trained networks without their data
    ["experiment"],  # what runs a configuration
    ["advice"],  # what to train, by what was measured
    ["cli"],
    ["__init__", "__main__"],
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
SETTINGS = "mtlrun.training.settings"  # plain dataclasses: whoever has no torch may read them
NO_TORCH = ("torch", "torchvision", "torchmetrics")

MODULES = sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    """'mtlrun.cli.run' for mtlrun/cli/run.py, 'mtlrun.cli' for mtlrun/cli/__init__.py."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def part_of(module: str) -> str:
    """'cli' for 'mtlrun.cli.run'; '__init__' for 'mtlrun' itself."""
    return [*module.split("."), "__init__"][1]


NAMES = {name_of(path) for path in MODULES}


@cache
def imports(path: Path, everywhere: bool = True) -> frozenset[str]:
    """Modules that a file imports: anywhere, or only while it is loaded; imports for types do not count."""
    return frozenset(target for node in _statements(_without_docstrings(path), everywhere) for target in _targets(node))


def _statements(tree: ast.AST, everywhere: bool) -> list[ast.AST]:
    found: list[ast.AST] = []
    for node in ast.iter_child_nodes(tree):
        typing_only = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not typing_only and (everywhere or not inside):
            found += [node, *_statements(node, everywhere)]
    return found


def _targets(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in NAMES else node.module for name in whole]
    return []


def own(path: Path, everywhere: bool = True) -> set[str]:
    return {target for target in imports(path, everywhere) if target.split(".")[0] == "mtlrun"}


# The rooms of data/, low to high. What is not in a room is the contract, below all of them.
DATA_ROOMS = ["text", "drawn", "readers", "tables", "pictures", "arrays", "sets"]


def test_every_package_has_a_layer():
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    assert parts == set(RANK)


def files_of(part: str) -> list[Path]:
    return [path for path in MODULES if part == (part_of(name_of(path)) if path.parent != PACKAGE else path.stem)]


def test_every_file_is_of_a_part():
    assert sorted(path for part in RANK for path in files_of(part)) == MODULES


@pytest.mark.parametrize("part", RANK)
def test_imports_point_down(part):
    for path in files_of(part):
        wrong = {
            target
            for target in own(path)
            if part_of(target) != part and RANK[part_of(target)] >= RANK[part] and target != "mtlrun"
        }
        assert not wrong, f"{name_of(path)} must not import {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("part", RANK)
def test_names_in_strings_point_down(part):
    """A class that is built by its path is an arrow like an import."""
    for path in files_of(part):
        wrong = {target for target in named(path) if part_of(target) != part and RANK[part_of(target)] >= RANK[part]}
        assert not wrong, f"{name_of(path)} must not name {', '.join(sorted(wrong))}"


def named(path: Path) -> set[str]:
    """Modules and classes of ours that stand in a file's strings, docstrings apart."""
    texts = [node.value for node in ast.walk(_without_docstrings(path)) if isinstance(node, ast.Constant)]
    paths = {found for text in texts if isinstance(text, str) for found in re.findall(r"\bmtlrun(?:\.\w+)+", text)}
    return {found for found in paths if part_of(found) in RANK}


def room_of(module: str) -> str:
    """'readers' for 'mtlrun.data.readers.npz', '' for the contract."""
    room = module.removeprefix("mtlrun.data.").partition(".")[0]
    return room if room in DATA_ROOMS else ""


def test_rooms_of_data_point_down():
    ranks = {room: rank for rank, room in enumerate(["", *DATA_ROOMS])}
    for path in (PACKAGE / "data").rglob("*.py"):
        room = room_of(name_of(path))
        for target in {target for target in own(path) if target.startswith("mtlrun.data.")}:
            beside = room_of(target) == room != "sets"  # sets know nothing of one another
            assert beside or ranks[room_of(target)] < ranks[room], f"{name_of(path)} must not import {target}"


@pytest.mark.parametrize(
    ("part", "allowed"),
    [
        ("runs", {"errors", "atomic", "troubles"}),
        ("published", {"errors", "runs"}),
        ("reporting", {"commands", "errors", "lines", "published", "runs"}),
        *((part, set()) for part in LAYERS[0]),
    ],
)
def test_low_parts_import_little(part, allowed):
    for path in [path for path in MODULES if part in (path.relative_to(PACKAGE).parts[0], path.stem)]:
        if part_of(name_of(path)) == part:
            assert {part_of(target) for target in own(path)} <= allowed | {part}, name_of(path)


def test_no_cycles():
    graph = {name_of(path): own(path, everywhere=False) - {name_of(path)} for path in MODULES}
    while leaves := [name for name, targets in graph.items() if not targets & set(graph)]:
        for name in leaves:
            del graph[name]
    assert not graph, f"these modules import each other: {', '.join(sorted(graph))}"


@pytest.mark.parametrize(
    "part", ["runs", "published", "reporting", *sorted({*LAYERS[0]} - {"types"}), "instantiate", "options"]
)
def test_no_torch_in(part):
    paths = [path for path in MODULES if part_of(name_of(path)) == part]
    assert paths
    for path in paths:
        assert not {target.split(".")[0] for target in imports(path)} & set(NO_TORCH), name_of(path)


def test_the_device_is_named_in_one_file():
    found = {
        name_of(path)
        for path in MODULES
        if "cuda" in path.read_text() and re.search(r"\bcuda\b", "\n".join(_code_lines(path)))
    }  # fmt: skip
    assert found <= {"mtlrun.training.devices", SETTINGS, "mtlrun.cli.usages"}  # the last tells what can be typed


def _code_lines(path: Path) -> list[str]:
    """The code without comments and docstrings, which may speak of anything."""
    return ast.unparse(_without_docstrings(path)).splitlines()


@cache
def _without_docstrings(path: Path) -> ast.AST:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant("")
    return tree


def test_files_stay_small():
    long = {name_of(path): size for path in MODULES if (size := len(path.read_text().splitlines())) > 350}
    assert not long
