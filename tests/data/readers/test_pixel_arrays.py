import inspect
import itertools
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
import yaml

from mtlrun.data.fingerprint import difference, fingerprint
from mtlrun.data.sets import cityscapes, nyuv2
from mtlrun.data.source import Fingerprint, Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.paths import CONF
from mtlrun.tasks.segmentation import Segmentation

SIZE = (6, 8)
FOLDERS = {nyuv2: ("image", "label", "depth", "normal"), cityscapes: ("image", "label_7", "depth")}


def write(root: Path, module: ModuleType, counts: tuple[int, int] = (7, 3)) -> Path:
    """Row n of a part: a picture of n / 10, class n % 7 with one unlabelled pixel, depth n + 1 without one pixel."""
    for part, count in zip(("train", "val"), counts):
        for folder in FOLDERS[module]:
            (root / part / folder).mkdir(parents=True, exist_ok=True)
        for row in range(count):
            labels, depth, normals = np.full(SIZE, row % 7.0), np.full((*SIZE, 1), row + 1.0), np.zeros((*SIZE, 3))
            labels[0, 0], depth[1, 1], normals[..., 2] = -1, 0, 1
            arrays = [np.full((*SIZE, 3), row / 10), labels, depth, normals]
            for folder, values in zip(FOLDERS[module], arrays):
                np.save(root / part / folder / f"{row}.npy", values)
    return root


def rows_of(splits: Splits, split: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    [source] = getattr(splits, split)
    return source.fetch(torch.arange(len(source)))


@pytest.mark.parametrize("module", FOLDERS)
def test_yaml_states_every_option_with_its_default(module: ModuleType) -> None:
    name = module.__name__.rpartition(".")[2]
    stated = yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text())
    assert stated.pop("_target_") == f"{module.__name__}.load"
    assert stated.pop("root") == "${oc.env:MTLRUN_DATA,null}"
    defaults = {option: p.default for option, p in inspect.signature(module.load).parameters.items()}
    assert defaults.pop("root") is None
    assert stated.pop("tasks") == "${tasks}"
    assert defaults.pop("tasks") is None
    assert stated == defaults


@pytest.mark.parametrize("module", FOLDERS)
def test_tasks_of_the_yaml_are_those_of_the_source(module: ModuleType, tmp_path: Path) -> None:
    name = module.__name__.rpartition(".")[2]
    kinds = yaml.safe_load((CONF / "task" / f"{name}.yaml").read_text())["task"]["tasks"]
    [source] = module.load(str(write(tmp_path, module))).test
    assert tuple(kinds) == source.tasks
    assert len(kinds["segmentation"]["classes"]) == {"nyuv2": 13, "cityscapes": 7}[name]


def test_rows_hold_what_the_files_hold(tmp_path: Path) -> None:
    inputs, targets = rows_of(nyuv2.load(str(write(tmp_path, nyuv2)), augment=False), "train")
    assert inputs.shape == (7, 3, *SIZE)
    assert inputs.dtype == torch.float32
    torch.testing.assert_close(inputs[:, 0, 0, 0], torch.arange(7) / 10)
    assert targets["segmentation"].dtype == torch.uint8
    assert targets["segmentation"][:, 0, 0].tolist() == [255] * 7
    assert targets["segmentation"][:, 3, 3].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert targets["depth"].shape == (7, *SIZE)
    assert targets["depth"][2, 0, 0] == 3
    assert targets["depth"][2, 1, 1] == 0
    assert targets["normals"].shape == (7, 3, *SIZE)
    assert targets["normals"][0, :, 2, 2].tolist() == [0, 0, 1]


@pytest.mark.parametrize("module", FOLDERS)
def test_a_folder_of_the_data_set_s_name_is_found(module: ModuleType, tmp_path: Path) -> None:
    write(tmp_path / module.__name__.rpartition(".")[2], module)
    assert len(module.load(str(tmp_path)).test[0]) == 3


def test_as_in_the_papers_all_rows_are_trained_on(tmp_path: Path) -> None:
    splits = nyuv2.load(str(write(tmp_path, nyuv2)))
    assert [len(part[0]) for part in (splits.train, splits.val, splits.test)] == [7, 7, 3]
    assert "the same for validation, 3 of" in splits.statement
    assert torch.equal(rows_of(splits, "val")[0], rows_of(splits, "val")[0])  # not augmented


def test_held_out_rows_are_not_trained_on(tmp_path: Path) -> None:
    splits = nyuv2.load(str(write(tmp_path, nyuv2, (20, 3))), val=0.3, augment=False)
    train, val = (rows_of(splits, split)[1]["depth"][:, 0, 0].tolist() for split in ("train", "val"))
    assert len(val) == 6
    assert sorted(train + val) == [row + 1 for row in range(20)]
    assert "6 of it, drawn with data.seed=0, for validation" in splits.statement


def test_labels_for_constants_are_a_sample(tmp_path: Path) -> None:
    [source] = nyuv2.load(str(write(tmp_path, nyuv2, (150, 1)))).train
    depths = source.targets("depth")[:, 0, 0]
    assert len(depths) == 64
    assert (depths.min(), depths.max()) == (1, 148)


def test_augmentation_follows_the_seed_and_the_rows(tmp_path: Path) -> None:
    [source] = nyuv2.load(str(write(tmp_path, nyuv2))).train
    rows = torch.tensor([1, 2])

    def fetched(seed: int, rows: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(seed)
        return source.fetch(rows)[1]["depth"]

    assert torch.equal(fetched(0, rows), fetched(0, rows))
    assert any(not torch.equal(fetched(0, rows), fetched(seed, rows)) for seed in range(1, 6))
    assert torch.equal(fetched(0, rows)[1:], fetched(0, rows[1:]))  # in whatever company


@pytest.mark.parametrize("module", FOLDERS)
def test_absent_files_are_named_with_the_remedy(module: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        module.load(str(tmp_path))
    line, name = str(caught.value), module.__name__.rpartition(".")[2]
    assert "\n" not in line
    assert f"expected {tmp_path / name}/{{train,val}}/{{{','.join(FOLDERS[module])}}}/N.npy; get {name}" in line
    assert "https://github.com/lorenmt/mtan" in line


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("train/depth/3.npy", np.zeros((5, 8)), r"3\.npy should hold an array of 6x8, found 5x8"),
        ("train/normal/3.npy", np.zeros(SIZE), r"should hold an array of 6x8x3, found 6x8"),
        ("train/image/3.npy", np.zeros((6, 9, 3)), r"should hold a picture of 6x8x3, found 6x9x3"),
        ("train/label/3.npy", None, r"label/3\.npy is damaged, or no \.npy file of numbers"),
        ("train/depth/3.npy", np.full(SIZE, "1.5"), r"depth/3\.npy is no \.npy file of numbers"),
        ("train/label/3.npy", np.full(SIZE, 300.0), r"label/3\.npy should hold whole numbers up to 255, .* found 300"),
        ("train/label/3.npy", np.full(SIZE, 300), r"found 300"),
        ("train/label/3.npy", np.full(SIZE, 2.7), r"found 2\.7"),
        ("train/label/3.npy", np.full(SIZE, np.nan), r"found nan"),
    ],
)
def test_damaged_files_are_named(file: str, values: np.ndarray | None, message: str, tmp_path: Path) -> None:
    write(tmp_path, nyuv2)
    if values is None:
        (tmp_path / file).write_bytes(b"\x93NUMPY cut")
    else:
        np.save(tmp_path / file, values)
    with pytest.raises(DataError, match=message):
        rows_of(nyuv2.load(str(tmp_path)), "train")


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float64])
def test_classes_may_be_of_any_numeric_type(dtype: type, tmp_path: Path) -> None:
    labels = np.zeros(SIZE, dtype)
    labels[0, 0], labels[0, 1] = (255 if dtype is np.uint8 else -1), 12
    np.save(write(tmp_path, nyuv2) / "train/label/0.npy", labels)
    _, targets = rows_of(nyuv2.load(str(tmp_path), augment=False), "train")
    assert targets["segmentation"][0, 0, :3].tolist() == [255, 12, 0]


@pytest.mark.parametrize("cut", [None, 100])
def test_an_archive_is_no_array(cut: int | None, tmp_path: Path) -> None:
    write(tmp_path, nyuv2)
    np.savez(tmp_path / "archive.npz", np.zeros(SIZE))
    (tmp_path / "train/depth/3.npy").write_bytes((tmp_path / "archive.npz").read_bytes()[:cut])
    with pytest.raises(DataError, match=r"depth/3\.npy is .*no \.npy file of numbers"):
        rows_of(nyuv2.load(str(tmp_path)), "train")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    (write(tmp_path, nyuv2) / "val" / "depth" / "1.npy").unlink()
    with pytest.raises(DataError, match="val holds different numbers of files: 3 in image, 3 in label, 2 in depth"):
        nyuv2.load(str(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 1.0}, "data.val should be a share from 0 to below 1, found 1.0"),
        ({"val": 0.01}, "data.val=0.01 of 7 training rows leaves a split empty"),
        ({"augment": "yes"}, "data.augment must be true or false, found .yes"),
    ],
)
def test_options_are_checked(options: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        nyuv2.load(str(write(tmp_path, nyuv2)), **options)


def test_other_classes_of_cityscapes(tmp_path: Path) -> None:
    write(tmp_path, cityscapes)
    for part in ("train", "val"):
        (tmp_path / part / "label_7").rename(tmp_path / part / "label_19")
    assert len(cityscapes.load(str(tmp_path), labels="label_19").train[0]) == 7
    with pytest.raises(DataError, match=r"no \.npy files in .*/train/label_7"):
        cityscapes.load(str(tmp_path))


@pytest.mark.parametrize("inner", ["data", "a/b"])
def test_a_folder_too_high_will_do_and_one_too_low_is_told(inner: str, tmp_path: Path) -> None:
    folder = write(tmp_path / inner, nyuv2)
    assert len(nyuv2.load(str(tmp_path)).test[0]) == 3
    with pytest.raises(DataError, match=rf"\(but in {folder}: set data\.root={folder}\)"):
        nyuv2.load(str(folder / "train"))


def test_only_the_files_of_the_tasks_are_read(tmp_path: Path) -> None:
    whole = rows_of(nyuv2.load(str(write(tmp_path, nyuv2)), augment=False), "train")
    for part, folder in itertools.product(("train", "val"), ("label", "normal")):
        shutil.rmtree(tmp_path / part / folder)
    inputs, targets = rows_of(nyuv2.load(str(tmp_path), augment=False, tasks=["depth"]), "train")
    assert [*targets] == ["depth"]
    assert torch.equal(inputs, whole[0])
    assert torch.equal(targets["depth"], whole[1]["depth"])
    with pytest.raises(DataError, match=r"no \.npy files in .*train/label"):
        nyuv2.load(str(tmp_path))


def test_more_classes_than_the_task_has_name_the_setting(tmp_path: Path) -> None:
    """As data.labels=label_19 with the task's seven classes."""
    write(tmp_path, cityscapes)
    for part, count in (("train", 7), ("val", 3)):
        (tmp_path / part / "label_19").mkdir()
        for row in range(count):
            np.save(tmp_path / part / "label_19" / f"{row}.npy", np.full(SIZE, 18 - row, dtype=np.int64))
    splits = cityscapes.load(str(tmp_path), labels="label_19", augment=False)
    targets = splits.train[0].targets("segmentation")
    with pytest.raises(DataError, match=r"for 19 classes set task\.tasks\.segmentation\.classes=19"):
        Segmentation("segmentation", 7).check(targets)
    Segmentation("segmentation", 19).check(targets)


@pytest.mark.parametrize("module", FOLDERS)
def test_a_run_tells_its_arrays_from_others_by_names_and_sizes(module: ModuleType, tmp_path: Path) -> None:
    def of(root: Path) -> Fingerprint:
        return fingerprint(module.load(str(root)))

    before = of(write(tmp_path / "one", module))
    assert difference(before, of((tmp_path / "one").rename(tmp_path / "two"))) is None
    for folder in (FOLDERS[module][0], FOLDERS[module][-1]):
        root = write(tmp_path / folder, module)
        file = root / "train" / folder / "5.npy"
        np.save(file, np.load(file).astype(np.float16))
        assert difference(before, of(root)) is not None
