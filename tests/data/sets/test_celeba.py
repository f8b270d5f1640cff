import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from torchvision.datasets import CelebA

from mtlrun.data.readers.celeba_files import ATTRIBUTES, PARTITION, PICTURES
from mtlrun.data.readers.image_files import LazySource
from mtlrun.data.sets import celeba
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.paths import CONF

NAMES = ["5_o_Clock_Shadow", "Smiling", "Young"]
PARTS = [0, 0, 2, 1, 0, 1, 2]


def write(root: Path) -> Path:
    """Picture n is of grey level 30 n; Smiling if n is odd, Young if n > 3."""
    folder = root / "celeba"
    (folder / PICTURES).mkdir(parents=True)
    lines = [str(len(PARTS)), " ".join(NAMES) + " "]
    for row in range(len(PARTS)):
        name = f"{row + 1:06d}.jpg"
        Image.new("RGB", (178, 218), (30 * row,) * 3).save(folder / PICTURES / name)
        lines.append(f"{name} -1 {1 if row % 2 else -1:2d} {1 if row > 3 else -1:2d}")
    (folder / ATTRIBUTES).write_text("\n".join(lines) + "\n")
    partition = "".join(f"{row + 1:06d}.jpg {part}\n" for row, part in enumerate(PARTS))
    (folder / PARTITION).write_text(partition)
    return root


def rows_of(splits: Splits, split: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    [source] = getattr(splits, split)
    return source.fetch(torch.arange(len(source)))


def test_yaml_states_every_option_with_its_default() -> None:
    stated = yaml.safe_load((CONF / "data" / "celeba.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.celeba.load"
    assert stated.pop("root") == "${oc.env:MTLRUN_DATA,null}"
    defaults = {name: p.default for name, p in inspect.signature(celeba.load).parameters.items()}
    assert defaults.pop("root") is None
    assert stated == defaults


@pytest.mark.parametrize("folder", [".", "celeba"])
def test_pictures_and_answers_of_the_official_splits(folder: str, tmp_path: Path) -> None:
    splits = celeba.load(str(write(tmp_path) / folder), size=32)
    levels = {
        split: (rows_of(splits, split)[0][:, 0, 5, 5] / 30).round().tolist() for split in ("train", "val", "test")
    }
    assert levels == {"train": [0, 1, 4], "val": [3, 5], "test": [2, 6]}
    inputs, targets = rows_of(splits, "train")
    assert inputs.shape == (3, 3, 32, 32)
    assert inputs.dtype == torch.uint8
    assert [*targets] == NAMES
    assert targets["Smiling"].tolist() == [[0], [1], [0]]
    assert targets["Young"].tolist() == [[0], [0], [1]]
    assert "3/2/2 faces" in splits.statement


def test_agrees_with_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CelebA, "_check_integrity", lambda self: True)
    folder = write(tmp_path) / "celeba"
    for name, header in (("identity_CelebA", 0), ("list_bbox_celeba", 2), ("list_landmarks_align_celeba", 2)):
        rows = [f"{row + 1:06d}.jpg 1" for row in range(len(PARTS))]
        (folder / f"{name}.txt").write_text("\n".join(["x"] * header + rows))
    for split, theirs in (("train", "train"), ("val", "valid"), ("test", "test")):
        _, targets = rows_of(celeba.load(str(tmp_path)), split)
        expected = CelebA(str(tmp_path), split=theirs).attr
        assert torch.equal(torch.cat([*targets.values()], 1), expected.float())


def test_each_attribute_is_a_task_judged_by_f1(tmp_path: Path) -> None:
    splits = celeba.load(str(write(tmp_path)), attributes=["Young"])
    assert splits.train[0].tasks == ("Young",)
    kind = {"kind": "MultiLabel", "labels": ["Young"], "judge": "f1"}
    assert splits.inferred == {"Young": kind}


@pytest.mark.parametrize(("memory_mb", "lazy"), [(500, False), (0, True)])
def test_large_splits_are_read_as_they_are_used(memory_mb: float, lazy: bool, tmp_path: Path) -> None:
    [source] = celeba.load(str(write(tmp_path)), memory_mb=memory_mb).train
    assert isinstance(source, LazySource) == lazy
    assert source.prepare(source.fetch(torch.tensor([1]))[0]).mean().item() == pytest.approx(30 / 255, abs=0.01)


def test_absent_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        celeba.load(str(tmp_path))
    line = str(caught.value)
    assert "\n" not in line
    assert f"in {tmp_path / 'celeba'}" in line
    assert all(name in line for name in (PICTURES, ATTRIBUTES, PARTITION, "mmlab.ie.cuhk.edu.hk"))
    assert f"CelebA('{tmp_path}', download=True)" in line
    (write(tmp_path) / "celeba" / PARTITION).unlink()
    with pytest.raises(DataError, match=rf"^no {PARTITION} in {tmp_path}/celeba: expected"):
        celeba.load(str(tmp_path))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (ATTRIBUTES, "000003.jpg -1 ", "000003.jpg ", "line 5: expected a file and 3 numbers"),
        (ATTRIBUTES, "000003.jpg -1 ", "000003.jpg 7 ", "should hold nothing but -1 and 1"),
        (ATTRIBUTES, "000007.jpg -1 -1  1\n", "", "lists 6 pictures, and should have 7"),
        (PARTITION, "000003.jpg 2\n", "", "gives no part 0, 1 or 2 for 000003.jpg"),
        (PARTITION, " 1\n", " 0\n", r"has no row of part 1 \(val\)"),
    ],
)
def test_malformed_tables(file: str, old: str, new: str, message: str, tmp_path: Path) -> None:
    path = write(tmp_path) / "celeba" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=message):
        celeba.load(str(tmp_path))


def test_a_missing_picture_is_named_when_it_is_read(tmp_path: Path) -> None:
    splits = celeba.load(str(write(tmp_path)), memory_mb=0)
    (tmp_path / "celeba" / PICTURES / "000002.jpg").unlink()
    with pytest.raises(DataError, match=r"000002\.jpg"):
        rows_of(splits, "train")


def test_options_are_checked(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ConfigError, match=r"no data\.attributes 'Smile'; did you mean 'Smiling'"):
        celeba.load(str(tmp_path), attributes=["Smile"])
    with pytest.raises(ConfigError, match=r"should be a list, found 'Smiling': write data\.attributes=\[Smiling\]"):
        celeba.load(str(tmp_path), attributes="Smiling")
    with pytest.raises(ConfigError, match=r"data\.attributes has 'Young' twice"):
        celeba.load(str(tmp_path), attributes=["Young", "Young"])
    with pytest.raises(ConfigError, match=r"data\.attributes is empty"):
        celeba.load(str(tmp_path), attributes=[])
    with pytest.raises(ConfigError, match=r"data\.size should be a whole number from 16 to 218, found 8"):
        celeba.load(str(tmp_path), size=8)


def as_the_authors(root: Path) -> None:
    for folder, name in (("Img", PICTURES), ("Anno", ATTRIBUTES), ("Eval", PARTITION)):
        (root / "celeba" / folder).mkdir()
        (root / "celeba" / name).rename(root / "celeba" / folder / name)


def as_kaggle(root: Path) -> None:
    """Tables with commas, and the folder of the pictures within a folder of its name."""
    folder = root / "celeba"
    _, names, *lines = (folder / ATTRIBUTES).read_text().splitlines()
    rows = [",".join(line.split()) for line in (f"image_id {names}", *lines)]
    (folder / "list_attr_celeba.csv").write_text("\n".join(rows))
    parts = (folder / PARTITION).read_text().replace(" ", ",")
    (folder / "list_eval_partition.csv").write_text(f"image_id,partition\n{parts}")
    (folder / ATTRIBUTES).unlink(), (folder / PARTITION).unlink()
    twice(root)


def twice(root: Path) -> None:
    folder = root / "celeba"
    (folder / PICTURES).rename(folder / "inner")
    (folder / PICTURES).mkdir()
    (folder / "inner").rename(folder / PICTURES / PICTURES)


def deep(root: Path) -> None:
    (root / "celeba").rename(root / "inner")
    (root / "archive").mkdir()
    (root / "inner").rename(root / "archive" / "celeba-dataset")


@pytest.mark.parametrize("changed", [as_the_authors, as_kaggle, twice, deep])
def test_the_layouts_have_the_same_rows(changed: Callable[[Path], None], tmp_path: Path) -> None:
    expected = celeba.load(str(write(tmp_path / "official")), size=32)
    changed(write(tmp_path / "other"))
    found = celeba.load(str(tmp_path / "other"), size=32)
    for split in ("train", "val", "test"):
        (inputs, targets), (others, answers) = rows_of(expected, split), rows_of(found, split)
        assert torch.equal(inputs, others)
        assert [*targets] == [*answers]
        assert all(torch.equal(targets[name], answers[name]) for name in NAMES)


def gone(root: Path) -> None:
    (root / "celeba" / PICTURES / "000001.jpg").unlink()


def as_png(root: Path) -> None:
    for path in (root / "celeba" / PICTURES).iterdir():
        path.rename(path.with_suffix(".png"))


def packed(root: Path) -> None:
    as_the_authors(root)
    (root / "celeba" / "Img" / PICTURES).rename(root / "elsewhere")
    (root / "celeba" / "Img" / "img_align_celeba.zip").touch()


@pytest.mark.parametrize(
    ("changed", "folder", "message"),
    [
        (gone, ".", r"no picture 000001\.jpg in .*img_align_celeba \(there are files \.jpg\): unpack"),
        (as_png, ".", r"no picture 000001\.jpg .*there are files \.png"),
        (packed, ".", r"no img_align_celeba in .*\(unpack .*Img/img_align_celeba\.zip\)"),
        (as_the_authors, "celeba/Img", r"but in .*celeba: set data\.root=.*celeba\)"),
    ],
)
def test_what_is_wrong_is_told_at_the_start(
    changed: Callable[[Path], None], folder: str, message: str, tmp_path: Path
) -> None:
    changed(write(tmp_path))
    with pytest.raises(DataError, match=message):
        celeba.load(str(tmp_path / folder), memory_mb=0)
