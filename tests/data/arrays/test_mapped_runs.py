"""A run on a folder of files has the scores of the run on the same arrays, or the same table, in memory."""

import json

import numpy as np
import pytest

import mtlrun
from mtlrun.cli.main import main

SETTINGS = ["task=arrays", "trainer.epochs=2", "trainer.batch_size=32", "trainer.device=cpu", "diagnostics=off"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, draw = tmp_path_factory.mktemp("mapped"), np.random.default_rng(0)
    inputs = draw.normal(size=(160, 6)) + np.array([0, 0, 0, 0, 0, 1.7e9])
    labels = {"length": 3 * inputs[:, 1] + 20, "shape": (inputs[:, 0] > 0).astype(np.int64)}  # as files are listed
    labels["length"][::5] = np.nan
    (folder / "mine").mkdir()
    for name, values in {"inputs": inputs, **labels}.items():
        np.save(folder / "mine" / f"{name}.npy", values)
    np.savez(folder / "mine.npz", inputs=inputs, **labels)
    return folder


@pytest.fixture(scope="module")
def held(folder):
    return mtlrun.run([*SETTINGS, f"data.path={folder}/mine.npz"], folder=folder / "held")


def numbers(values):
    """Nested results whose numbers may differ in their last digits."""
    if isinstance(values, dict):
        return {name: numbers(value) for name, value in values.items()}
    return pytest.approx(values, rel=1e-5) if isinstance(values, float) else values


@pytest.mark.parametrize("workers", [0, 2])
def test_equal_scores(folder, held, workers):
    run = folder / f"mapped{workers}"
    mapped = mtlrun.run([*SETTINGS, f"data.path={folder}/mine", f"trainer.workers={workers}"], folder=run)
    assert len(held.summary["tasks"]) == 2
    assert mapped.summary["tasks"] == numbers(held.summary["tasks"])


def test_a_folder_of_new_rows_is_scored(folder, held, capsys):
    found = []
    for place in ("mine.npz", "mine"):
        assert main(["eval", str(held.folder), f"data.test_path={folder / place}", "--json"]) == 0
        [record] = json.loads(capsys.readouterr().out)
        found.append(record["tasks"])
    assert found[1] == numbers(found[0])


def test_shards_have_the_scores_of_the_table(tmp_path, monkeypatch, capsys):
    """With workers, resumed, and scored on new shards."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    draw, rows = np.random.default_rng(0), 160
    size, town = draw.normal(size=rows).round(3), draw.choice(["Rome", "Oslo", "Bern"], rows)
    price = (size * 3 + (town == "Oslo") * 2 + 40).round(3)
    gaps = [None if row % 9 == 0 else value for row, value in enumerate(size.tolist())]
    table = pyarrow.table({"size": gaps, "town": town, "price": price, "dear": np.where(price > 40, "yes", "no")})
    (tmp_path / "shards").mkdir()
    for number in range(4):
        parquet.write_table(table.slice(40 * number, 40), tmp_path / "shards" / f"{number}.parquet")
    lines = [",".join("" if cell is None else str(cell) for cell in row.values()) for row in table.to_pylist()]
    (tmp_path / "mine.csv").write_text("\n".join([",".join(table.column_names), *lines]) + "\n")
    monkeypatch.setenv("MTLRUN_DATA", str(tmp_path / "cache"))
    words = [*SETTINGS, "data.targets=[price,dear]", "backbone=tabular", "backbone.hidden=[16]"]
    held = mtlrun.run([*words, f"data.path={tmp_path}/mine.csv"], folder=tmp_path / "held")
    run = tmp_path / "mapped"
    mtlrun.run([*words, f"data.path={tmp_path}/shards", "trainer.workers=1", "trainer.epochs=1"], folder=run)
    assert main(["resume", str(run), "trainer.epochs=2"]) == 0
    assert json.loads((run / "summary.json").read_text())["tasks"] == numbers(held.summary["tasks"])
    capsys.readouterr()
    scored = [evaluated(run, tmp_path / place, capsys) for place in ("mine.csv", "shards")]
    assert scored[1] == numbers(scored[0])


def evaluated(run, path, capsys):
    assert main(["eval", str(run), f"data.test_path={path}", "--json"]) == 0
    [record] = json.loads(capsys.readouterr().out)
    return record["tasks"]
