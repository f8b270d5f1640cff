"""Small runs, each trained once for all tests of this folder, and their data."""

import shutil

import numpy as np
import pytest
from PIL import Image

import mtlrun

PEOPLE = "age,town,code,since,member,size,income,owner,grade"
QUIET = ["trainer.epochs=1", "diagnostics=off", "trainer.device=cpu", "seed=3"]


def columns(draw, rows):
    """Three tasks of different kinds; large numbers that vary little, which float32 would round."""
    inputs = draw.normal(size=(rows, 6)) + np.array([0, 0, 0, 0, 0, 1.7e9])
    return {
        "inputs": inputs,
        "shape": (inputs[:, 0] > 0).astype(np.int64),
        "length": 3 * inputs[:, 1] - inputs[:, 0] + 20,
        "marks": (inputs[:, 2:4] > 0.2).astype(np.float32),
    }


def pixels(draw, rows):
    """Bright squares: where they are, and whether they are in the left half."""
    images = draw.integers(0, 60, size=(rows, 16, 16, 3), dtype=np.uint8)
    masks = np.zeros((rows, 16, 16), np.uint8)
    at = draw.integers(0, 11, size=(rows, 2))
    for row, (top, left) in enumerate(at):
        images[row, top : top + 5, left : left + 5] += 190
        masks[row, top : top + 5, left : left + 5] = 1
    return {"inputs": images, "where": masks, "left": (at[:, 1] < 6).astype(np.int64)}


def trained(folder, arrays, *settings):
    """A run with the test rows in a file of their own, which lies in the folder that it was started in."""
    draw = np.random.default_rng(0)
    for name, rows in (("train", 80), ("test", 30)):
        np.savez(folder / f"{name}.npz", **arrays(draw, rows))
    paths = ["data.path=train.npz", "data.test_path=test.npz"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = mtlrun.run(["task=arrays", *paths, *QUIET, *settings], folder=folder / "run")
    return result


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("table"), columns, "sharing=mmoe")


@pytest.fixture(scope="session")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    result = trained(folder, pixels, "backbone=cnn", "backbone.channels=[4,8]", "sharing=film")
    (folder / "pictures").mkdir()
    for row, image in enumerate(np.load(folder / "test.npz")["inputs"][:3]):
        Image.fromarray(image).save(folder / "pictures" / f"{row}.png")
    return result


@pytest.fixture(scope="session")
def texts(tmp_path_factory):
    settings = ["task=text", "data.num_rows={train: 60, val: 20, test: 20}", "backbone.layers=1", *QUIET]
    return mtlrun.run(settings, folder=tmp_path_factory.mktemp("texts") / "run")


@pytest.fixture(scope="session")
def people(tmp_path_factory):
    """A table with words, dates, truth values, numbers as words, and gaps; words that look like something else."""
    folder, draw = tmp_path_factory.mktemp("people"), np.random.default_rng(0)
    for name, rows in (("train", 120), ("test", 40)):
        age, town = draw.integers(18, 80, rows), draw.choice(["Rome", "Oslo", "Bern"], rows)
        code, since = draw.choice([101, 2.5, 303], rows), draw.integers(10, 28, rows)
        more = zip(code, [f"2020-01-{day}" for day in since], draw.choice(["true", "false"], rows))
        size, grade = draw.choice(["1.50", "true", "XL"], rows), draw.choice(["1", "2", "x"], rows)
        income = 1e6 + age * 100 + 500 * (town == "Oslo") + 10 * code + draw.normal(size=rows)
        ages = ["" if row % 9 == 0 else str(value) for row, value in enumerate(age)]
        owner = ["" if row % 7 == 0 else ("yes" if value > 1006500 else "no") for row, value in enumerate(income)]
        cells = zip(ages, town, *zip(*more), size, income, owner, grade)
        lines = [",".join(map(str, row)) for row in cells]
        (folder / f"{name}.csv").write_text("\n".join([PEOPLE, *lines]) + "\n")
    paths = ["data.path=train.csv", "data.test_path=test.csv", "data.targets=[income,owner,grade]", "backbone=tabular"]
    paths += ["data.categories=[code]", "backbone.hidden=[16]"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return mtlrun.run(["task=arrays", *paths, *QUIET], folder=folder / "run")


@pytest.fixture
def moved(tmp_path, monkeypatch):
    """moved(run, kind) -> its scores. The run folder is alone in an empty folder, beside its test rows, new.KIND."""

    def move(run, kind):
        shutil.copytree(run.folder, tmp_path / "run")
        shutil.copy(run.folder.parent / f"test.{kind}", tmp_path / f"new.{kind}")
        monkeypatch.chdir(tmp_path)
        return run.summary["tasks"]

    return move
