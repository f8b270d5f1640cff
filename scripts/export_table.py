"""What `mtlrun export` makes of every task set with hard sharing, and of every sharing scheme on one set.

    python scripts/export_table.py [--sets driving,text] [--schemes film,ple] [--on driving] [--steps 2]

Each network is trained for a few steps, written as pt2 and onnx, read back, and compared with PyTorch on made-up rows:
the largest difference at batches of 1, 5 and 64, relative to the largest value. Milliseconds are the median of seven
calls with one row. What is refused is a line below the table.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import logging
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

import mtlrun
from mtlrun.errors import MtlrunError
from mtlrun.inference.export import Exported, export
from mtlrun.inference.graph import BATCHES, example, latency
from mtlrun.lines import one_line
from mtlrun.paths import CONF

QUICK = ["trainer.epochs=1", "trainer.device=cpu", "trainer.batch_size=6", "diagnostics=off"]
SMALL = {
    "animals": ["data.num_rows={train: 12, val: 6, test: 6}"],
    "clicks": ["data.num_rows={train: 400, val: 90, test: 90}", "data.users=20", "data.items=40", "data.shops=5"],
    "driving": ["data.num_scenes={train: 12, val: 4, test: 4}", "data.num_signs={train: 8, val: 4, test: 4}"],
    "medical": ["data.num_rows={train: 24, val: 16, test: 16}", "data.size=32"],
    "multidigits": ["data.num_train=32", "data.num_val=16", "data.num_test=16"],
    "presence": ["data.num_scenes={train: 12, val: 6, test: 6}"],
    "study_conflict": ["data.rows=40", "data.held_out=20"],
    "study_scales": ["data.rows=40", "data.held_out=20"],
    "study_scarce": ["data.ample_rows=40", "data.held_out=20"],
    "study_shortcut": ["data.rows=40", "data.held_out=20"],
    "study_subspace": ["data.tasks=3", "data.rows=20", "data.held_out=20"],
    "text": ["data.num_rows={train: 24, val: 8, test: 8}"],
    "toy": ["data.rows=4"],
    "multimnist": ["data.digits=fashion", "data.num_train=24", "data.num_val=8", "data.num_test=8"],
    "qm9": ["data.molecules=60"],
}
"""Settings that make a set small; a set that is not here is tried as it is, and needs data of its own."""
OPTIONS = {"groups": ["sharing.groups=[[lane,drivable],[detection,sign]]"]}
"""What a scheme cannot do without, on `driving`."""
ELSEWHERE = {
    "lora": ("text", []),
    "segnet_mtan": ("medical", ["data.size=32", "backbone=segnet", "trainer.batch_size=4"]),
}
"""Schemes that are tried on another set, and how."""
FORMATS = ("pt2", "onnx")


def people(path: Path) -> list[str]:
    """A table with words, gaps and two columns of labels; the settings that train on it."""
    draw = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "town", "income", "owner"])
        for row in range(120):
            age, town = draw.randint(18, 80), draw.choice(["Rome", "Oslo", "Bern"])
            writer.writerow(["" if row % 9 == 0 else age, town, 100 * age + 5 * len(town), "yes" if age > 40 else "no"])
    return [f"data.path={path}", "data.targets=[income,owner]"]


def cases(options: argparse.Namespace, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, settings) of each network."""
    own = {"table": people(folder / "people.csv")}
    for name in filter(None, options.sets.split(",")):
        yield f"{name} x hard", [f"task={name}", *SMALL.get(name, own.get(name, [])), "sharing=hard"]
    for name in filter(None, options.schemes.split(",")):
        task, more = ELSEWHERE.get(name, (options.on, OPTIONS.get(name, []) if options.on == "driving" else []))
        yield f"{task} x {name}", [f"task={task}", *SMALL.get(task, []), f"sharing={name}", *more]


def exported(settings: list[str], steps: int, folder: Path) -> list[Exported]:
    """Train a little, and export."""
    with contextlib.redirect_stdout(io.StringIO()):  # the lines of its epochs
        mtlrun.run([*QUICK, f"trainer.max_steps={steps}", *settings], folder=folder)
    return export(folder, folder / "export", FORMATS, raw=False, tasks=None)


def milliseconds(made: Exported, run: Path) -> list[float]:
    """Of one row, by format."""
    import onnxruntime

    name = made.folder.name if made.folder.name != "export" else None
    inputs = mtlrun.load(run).network().inputs
    entry = inputs[name] if name else next(entry for entry in inputs.values() if entry.tasks)
    row = example(entry, 1, 5)
    program = torch.export.load(str(made.folder / "model.pt2")).module()
    session = onnxruntime.InferenceSession(str(made.folder / "model.onnx"), providers=["CPUExecutionProvider"])
    with torch.no_grad():
        return [latency(lambda: program(row)), latency(lambda: session.run(None, {"inputs": row.numpy()}))]


def line(name: str, made: Exported, run: Path) -> list[str]:
    """The cells of a row: differences, sizes and times."""
    check: dict[str, Any] = json.loads((made.folder / "check.json").read_text())
    worst = [f"{max(max(check[format][str(rows)].values()) for format in FORMATS):.0e}" for rows in BATCHES]
    sizes = [f"{(made.folder / f'model.{format}').stat().st_size / 1e6:.2f}" for format in FORMATS]
    times = [f"{value:.2f}" for value in milliseconds(made, run)]
    source = f" ({made.folder.name})" if made.folder.name != "export" else ""
    return [name + source, *worst, *sizes, *times]


def main() -> None:
    known = {kind: sorted(path.stem for path in (CONF / kind).glob("*.yaml")) for kind in ("task", "sharing")}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default=",".join(name for name in known["task"] if name != "arrays"))
    parser.add_argument("--schemes", default=",".join(name for name in known["sharing"] if name != "hard"))
    parser.add_argument("--on", default="driving", help="the set that the schemes are tried on")
    parser.add_argument("--steps", type=int, default=2)
    options = parser.parse_args()
    table = Table(*("network", *(f"batch {rows}" for rows in BATCHES), "pt2 MB", "onnx MB", "pt2 ms", "onnx ms"))
    refused: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for place, (name, settings) in enumerate(cases(options, Path(folder))):
            run = Path(folder) / str(place)
            try:
                for made in exported(settings, options.steps, run):
                    table.add_row(*line(name, made, run))
                    print(*line(name, made, run), sep="  ", flush=True)
            except MtlrunError as error:
                refused.append(f"{name}: {one_line(error)}")
                print(refused[-1], flush=True)
    Console(width=140, markup=False).print(table, *refused, sep="\n")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    main()
