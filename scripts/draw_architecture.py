"""Draw the rooms of the package and what each imports, from the code: docs/architecture.svg.

    python scripts/draw_architecture.py

An arrow that follows from two others is left out, so that A -> B -> C is not crossed by A -> C.
"""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mtlrun"
PICTURE = ROOT / "docs" / "architecture.svg"
LEAVES = "leaves"
"""Modules of the package's own folder: one room together."""
WIDTH, BOX, GAP, FLOOR = 940, (120, 34), 26, 78

Imports = dict[str, set[str]]


@cache
def rooms() -> Imports:
    """Room -> rooms that it imports, wherever in its files; imports for types alone do not count."""
    found: Imports = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name in ("__init__.py", "__main__.py") and path.parent == PACKAGE:
            continue
        room = _room(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
        found.setdefault(room, set()).update(_room(name) for name in _imported(ast.parse(path.read_text())))
    return {room: {other for other in others if other != room} for room, others in found.items()}


def floors(imports: Imports) -> list[list[str]]:
    """Rooms by floor, from the ground up: each stands above all that it imports."""
    levels: dict[str, int] = {}

    def level(room: str) -> int:
        if room not in levels:
            levels[room] = 1 + max((level(other) for other in imports[room]), default=-1)
        return levels[room]

    highest = max(level(room) for room in imports)
    return [sorted(room for room in imports if levels[room] == floor) for floor in range(highest + 1)]


def reduced(imports: Imports) -> Imports:
    """Without the arrows that follow from others."""
    reach: Imports = {}
    for floor in floors(imports):
        for room in floor:
            reach[room] = imports[room].union(*(reach[other] for other in imports[room]))
    return {
        room: {other for other in others if not any(other in reach[between] for between in others)}
        for room, others in imports.items()
    }


def draw() -> str:
    """The picture as SVG, legible on light and dark pages."""
    arrows = reduced(rooms())
    stack = floors(arrows)
    corner: dict[str, tuple[float, float]] = {}
    for row, floor in enumerate(reversed(stack)):
        for place, room in enumerate(sorted(floor, key=lambda room: _above(room, arrows, corner))):
            corner[room] = _corner(len(floor), place, row)
    lines = [_arrow(corner[room], corner[other]) for room in sorted(arrows) for other in sorted(arrows[room])]
    boxes = [_box(room, *corner[room]) for room in sorted(corner)]
    height = len(stack) * FLOOR
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 {WIDTH + 8} {height}" font-family="sans-serif">',
            "<title>The rooms of mtlrun and what they import</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#8a94a6"/></marker></defs>',
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def _imported(tree: ast.AST) -> set[str]:
    """Parts of the package that a file imports."""
    found: set[str] = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "mtlrun":
            found |= {
                alias.name
                for alias in node.names
                if (PACKAGE / f"{alias.name}.py").exists() or (PACKAGE / alias.name).is_dir()
            }
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mtlrun."):
            found.add(str(node.module).split(".")[1])
        found |= _imported(node)
    return found


def _room(part: str) -> str:
    return part if (PACKAGE / part).is_dir() else LEAVES


def _above(room: str, arrows: Imports, corner: dict[str, tuple[float, float]]) -> float:
    """Where those that import a room stand on average: below them it crosses the fewest arrows."""
    lefts = [corner[other][0] for other, others in arrows.items() if room in others]
    return sum(lefts) / max(len(lefts), 1)


def _corner(size: int, place: int, row: int) -> tuple[float, float]:
    """Upper left corner of a box: one of so many on its floor, which is centred."""
    left = (WIDTH - size * (BOX[0] + GAP) + GAP) / 2
    return left + place * (BOX[0] + GAP), row * FLOOR


def _box(room: str, x: float, y: float) -> str:
    middle = f'x="{x + BOX[0] / 2:g}" y="{y + BOX[1] / 2 + 4.5:g}"'
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{BOX[0]}" height="{BOX[1]}" rx="6" fill="#eef3fb" stroke="#3b5b92"/>'
        f'<text {middle} text-anchor="middle" font-size="13" fill="#1c2b45">{room}</text>'
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    """From the lower edge of one box to the upper edge of another."""
    (x1, y1), (x2, y2) = start, end
    lean = max(-0.4, min(0.4, (x2 - x1) / WIDTH))  # arrows of one box leave and arrive apart from one another
    left, right = x1 + BOX[0] * (0.5 + lean), x2 + BOX[0] * (0.5 - lean)
    return (
        f'<line x1="{left:g}" y1="{y1 + BOX[1]:g}" x2="{right:g}" y2="{y2 - 1:g}" stroke="#8a94a6" '
        'stroke-width="1.2" marker-end="url(#tip)"/>'
    )


if __name__ == "__main__":
    PICTURE.write_text(draw())
