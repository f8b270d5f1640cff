"""ChestMNIST, from small files in the format of the real ones."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mtlrun.config.build_data import build_data
from mtlrun.config.compose import compose
from mtlrun.data.sets.medmnist import FINDINGS, load
from mtlrun.errors import ConfigError, DataError

CONF = Path(__file__).parents[3] / "conf" / "data"
ASKED = {"pneumonia": "pneumonia", "pleural_effusion": "effusion"}
COUNTS = {"train": 30, "val": 5, "test": 7}


def write(folder: Path, size: int = 28) -> Path:
    generator = np.random.default_rng(0)
    arrays = {}
    for split, count in COUNTS.items():
        arrays[f"{split}_images"] = generator.integers(0, 256, (count, size, size), dtype=np.uint8)
        arrays[f"{split}_labels"] = generator.integers(0, 2, (count, len(FINDINGS)), dtype=np.uint8)
    path = folder / ("chestmnist.npz" if size == 28 else f"chestmnist_{size}.npz")
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return path


def test_yaml_states_every_option_with_its_default() -> None:
    stated = yaml.safe_load((CONF / "medmnist.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.medmnist.load"
    defaults = {name: value.default for name, value in inspect.signature(load).parameters.items()}
    assert set(stated.pop("findings").values()) <= set(FINDINGS)
    assert defaults.pop("findings") is None
    assert stated.pop("root") == "${oc.env:MTLRUN_DATA,null}"
    assert defaults.pop("root") is None
    assert defaults.pop("cache") in stated.pop("cache")
    assert stated.pop("tasks") == "${tasks}"
    assert defaults.pop("tasks") is None
    assert tuple(stated.pop("sets")) == defaults.pop("sets")
    assert stated == defaults


@pytest.mark.parametrize("size", [28, 64])
def test_rows_are_those_of_the_file(tmp_path: Path, size: int) -> None:
    with np.load(write(tmp_path, size)) as archive:
        splits = load(str(tmp_path), ASKED, size=size)
        for split, part in (("train", splits.train), ("val", splits.val), ("test", splits.test)):
            inputs, targets = part[0].fetch(torch.arange(COUNTS[split]))
            assert np.array_equal(inputs[:, 0].numpy(), archive[f"{split}_images"])
            for task, finding in ASKED.items():
                column = archive[f"{split}_labels"][:, FINDINGS.index(finding)]
                assert targets[task].dtype == torch.float32
                assert np.array_equal(targets[task][:, 0].numpy(), column)


def test_large_files_are_unpacked_once_and_read_row_by_row(tmp_path: Path) -> None:
    path, cache = write(tmp_path), tmp_path / "cache"
    lazy = load(str(tmp_path), ASKED, memory_mb=0.001, cache=str(cache))
    held = load(str(tmp_path), ASKED)
    assert not lazy.train[0].in_memory
    assert held.train[0].in_memory
    rows = torch.tensor([7, 0, 29])
    assert torch.equal(lazy.train[0].fetch(rows)[0], held.train[0].fetch(rows)[0])
    assert torch.equal(lazy.train[0].fetch(rows)[1]["pneumonia"], held.train[0].fetch(rows)[1]["pneumonia"])
    files = sorted((cache / "medmnist").iterdir())
    assert len(files) == 3
    assert all(path.stem in file.name for file in files)
    times = [file.stat().st_mtime_ns for file in files]
    load(str(tmp_path), ASKED, memory_mb=0.001, cache=str(cache))
    assert [file.stat().st_mtime_ns for file in sorted((cache / "medmnist").iterdir())] == times


@pytest.mark.parametrize("memory_mb", [0.001, 1000])
def test_damaged_files_are_named_in_one_line(tmp_path: Path, memory_mb: float) -> None:
    path = write(tmp_path)
    raw = path.read_bytes()
    end = raw.index(b"train_images.npy") + 70  # among the compressed bytes, of which no block begins with ones
    path.write_bytes(raw[: end - 40] + b"\xff" * 40 + raw[end:])
    with pytest.raises(DataError, match=r"train_images.* of .*chestmnist\.npz") as caught:
        load(str(tmp_path), ASKED, memory_mb=memory_mb, cache=str(tmp_path / "cache"))
    assert "\n" not in str(caught.value)
    assert not [*tmp_path.glob("cache/medmnist/*")]


@pytest.mark.parametrize("memory_mb", [0.001, 1000])
@pytest.mark.parametrize(
    ("split", "images", "message"),
    [
        (
            "train",
            np.zeros((30, 64, 64), np.uint8),
            r"train_images.* should be uint8 \[N, 28, 28\], found uint8 \[30, 64",
        ),
        ("val", np.zeros((5, 27, 28), np.uint8), r"val_images.* should be uint8 .* found uint8 \[5, 27, 28\]"),
        ("test", np.zeros((7, 28, 28)), r"test_images.* should be uint8 .* found float64"),
        ("val", np.zeros((5, 28, 28), object), r"val_images.*(holds Python objects|no array of pictures)"),
        ("test", np.zeros((3, 28, 28), np.uint8), r"3 (inputs|pictures) but 7 labels"),
    ],
)
def test_other_pictures_are_refused(
    tmp_path: Path, memory_mb: float, split: str, images: np.ndarray, message: str
) -> None:
    with np.load(write(tmp_path)) as archive:
        arrays = {**archive, f"{split}_images": images}
    np.savez_compressed(tmp_path / "chestmnist.npz", **arrays)
    with pytest.raises(DataError, match=message):
        load(str(tmp_path), ASKED, memory_mb=memory_mb, cache=str(tmp_path / "cache"))


def test_a_file_that_may_not_be_read_is_not_called_damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path)
    options = {"root": str(tmp_path), "findings": ASKED, "memory_mb": 0.001, "cache": str(tmp_path / "cache")}
    load(**options)  # type: ignore[arg-type]
    numpy_load = np.load

    def denied(path: Path, **how: object) -> object:
        if path.suffix == suffix:
            raise PermissionError(13, "Permission denied", str(path))
        return numpy_load(path, **how)  # type: ignore[call-overload]

    monkeypatch.setattr(np, "load", denied)
    for suffix in (".npy", ".npz"):
        with pytest.raises(DataError, match=rf"\{suffix} may not be read: let its owner permit it"):
            load(**options)  # type: ignore[arg-type]


def test_an_absent_file_is_named_with_its_home(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no .*chestmnist_224\.npz: fetch chestmnist_224\.npz from https://zenodo"):
        load(str(tmp_path), ASKED, size=224)


def test_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "chestmnist.npz", inputs=np.zeros(3))
    with pytest.raises(DataError, match=r"no array 'train_labels': it is not of MedMNIST"):
        load(str(tmp_path), ASKED)
    np.savez(tmp_path / "chestmnist.npz", train_labels=np.zeros((3, 1)))
    with pytest.raises(DataError, match=r"train_labels of .* should be \[N, 14\], found \[3, 1\]"):
        load(str(tmp_path), ASKED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": None}, "data.root is not set"),
        ({"size": 32}, "no data.size '32'"),
        ({"findings": {"fracture": "fracture"}}, "no data.findings.fracture 'fracture'"),
        ({"findings": {"x": "efusion"}}, "did you mean 'effusion'"),
        ({"memory_mb": 0.001, "cache": None}, "larger than data.memory_mb"),
    ],
)
def test_impossible_options_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    write(tmp_path)
    with pytest.raises(ConfigError, match=message):
        load(**{"root": str(tmp_path), "findings": ASKED, **changes})


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00v\x00{'descr': '|u1', 'shape': (30, 28", b"PK\x03\x04"])
def test_unpacked_pictures_that_are_damaged_are_unpacked_again(tmp_path: Path, content: bytes) -> None:
    write(tmp_path)
    options = {"root": str(tmp_path), "findings": ASKED, "memory_mb": 0.001, "cache": str(tmp_path / "cache")}
    rows = torch.arange(5)
    before = load(**options).val[0].fetch(rows)[0]
    for path in (tmp_path / "cache" / "medmnist").iterdir():
        path.write_bytes(content)
    assert torch.equal(load(**options).val[0].fetch(rows)[0], before)


def write_set(folder: Path, name: str, classes: int, shape: tuple[int, ...], size: int = 28) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(classes)
    arrays = {}
    for split, count in COUNTS.items():
        arrays[f"{split}_images"] = generator.integers(0, 256, (count, *shape), dtype=np.uint8)
        arrays[f"{split}_labels"] = generator.integers(0, classes, (count, 1), dtype=np.uint8)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / (f"{name}.npz" if size == 28 else f"{name}_{size}.npz"), **arrays)  # type: ignore[arg-type]
    return arrays


@pytest.mark.parametrize("memory_mb", [0.001, 1000])
def test_other_sets_are_a_task_each(tmp_path: Path, memory_mb: float) -> None:
    """Grey pictures get three channels beside coloured ones."""
    blood = write_set(tmp_path / "medmnist", "bloodmnist", 8, (28, 28, 3))
    organs = write_set(tmp_path / "medmnist", "organamnist", 11, (28, 28))
    options = {"root": str(tmp_path), "memory_mb": memory_mb, "cache": str(tmp_path / "cache")}
    splits = load(sets=["bloodmnist", "organamnist"], **options)  # type: ignore[arg-type]
    assert [source.tasks for source in splits.train] == [("bloodmnist",), ("organamnist",)]
    assert {source.in_memory for source in splits.train} == {memory_mb > 1}
    assert splits.inferred["organamnist"] == {"kind": "Classification", "classes": 11}
    for arrays, source in zip((blood, organs), splits.val):
        inputs, targets = source.fetch(torch.arange(5))
        pictures = arrays["val_images"]
        expected = pictures.transpose(0, 3, 1, 2) if pictures.ndim == 4 else np.repeat(pictures[:, None], 3, 1)
        assert np.array_equal(inputs.numpy(), expected)
        assert targets[source.name].dtype == torch.int64
        assert np.array_equal(targets[source.name].numpy(), arrays["val_labels"][:, 0])
    assert "30/5/7 pictures of bloodmnist.npz, 30/5/7 pictures of organamnist.npz" in splits.statement
    (grey,) = load(sets=["organamnist"], **options).test  # type: ignore[arg-type]
    assert grey.input_shape == (1, 28, 28)


def test_chestmnist_may_be_among_them_and_only_the_files_of_the_tasks_are_needed(tmp_path: Path) -> None:
    write(tmp_path), write_set(tmp_path, "breastmnist", 2, (28, 28))
    sets = ["chestmnist", "breastmnist", "octmnist"]
    splits = load(str(tmp_path), ASKED, sets=sets, tasks=["pneumonia", "breastmnist"])
    assert [source.tasks for source in splits.train] == [tuple(ASKED), ("breastmnist",)]
    assert splits.inferred["pneumonia"] == {"kind": "MultiLabel", "labels": ["pneumonia"]}
    (tmp_path / "chestmnist.npz").unlink()
    assert [source.name for source in load(str(tmp_path), ASKED, sets=sets, tasks=["breastmnist"]).train] == [
        "breastmnist"
    ]
    with pytest.raises(DataError, match=r"no .*octmnist\.npz: fetch"):
        load(str(tmp_path), ASKED, sets=sets, tasks=["octmnist"])


def test_the_task_set_builds_what_the_data_names(tmp_path: Path) -> None:
    write_set(tmp_path, "bloodmnist", 8, (28, 28, 3)), write_set(tmp_path, "pathmnist", 9, (28, 28, 3))
    config = compose(["task=medmnist", f"data.root={tmp_path}", "data.sets=[bloodmnist,pathmnist]"])
    splits, tasks = build_data(config)
    assert {name: task.outputs for name, task in tasks.items()} == {"bloodmnist": 8, "pathmnist": 9}
    assert len(splits.test) == 2


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["bloodminst"], "did you mean 'bloodmnist'"),
        (["organmnist3d"], "data.sets: organmnist3d holds volumes, which are not read: choose chestmnist, pathmnist"),
        ([], "data.sets is empty"),
        ("bloodmnist", r"data.sets should be a list, found 'bloodmnist': write data.sets=\[bloodmnist\]"),
        (["bloodmnist", "bloodmnist"], "data.sets has 'bloodmnist' twice"),
    ],
)
def test_sets_that_are_not_read(tmp_path: Path, sets: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(str(tmp_path), sets=sets)


def test_another_size_and_a_folder_too_low_are_told(tmp_path: Path) -> None:
    write_set(tmp_path, "bloodmnist", 8, (64, 64, 3), size=64)
    with pytest.raises(DataError, match=r"\(there is bloodmnist_64\.npz: set data\.size=64\)"):
        load(str(tmp_path), sets=["bloodmnist"])
    (tmp_path / "inner").mkdir()
    with pytest.raises(DataError, match=rf"\(but in {tmp_path}: set data\.root={tmp_path}\)"):
        load(str(tmp_path / "inner"), sets=["bloodmnist"], size=64)


def test_pictures_of_another_set_are_refused(tmp_path: Path) -> None:
    write_set(tmp_path, "bloodmnist", 8, (28, 28))
    with pytest.raises(DataError, match=r"train_images.* should be uint8 \[N, 28, 28, 3\], found uint8 \[30, 28, 28\]"):
        load(str(tmp_path), sets=["bloodmnist"])
