import inspect
import itertools
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from mtlrun.data.readers import domain_folders
from mtlrun.data.readers.image_files import LazySource
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.paths import CONF

DOMAINS = {"dslr": "dslr", "real_world": "Real_World"}
CLASSES = ["bike", "mug", "pen"]
COUNT = 10
SPLITS = ("train", "val", "test")


def write(root: Path) -> Path:
    """Picture n of class k has red 80 k and green 20 n; dslr has a folder `images`, Real World a space in its name."""
    for domain in ("dslr/images", "Real World"):
        for number, name in enumerate(CLASSES):
            folder = root / domain / name
            folder.mkdir(parents=True)
            for row in range(COUNT):
                Image.new("RGB", (30, 20), (80 * number, 20 * row, 0)).save(folder / f"{row:05d}.png")
    return root


def write_lists(folder: Path) -> Path:
    """As LibMTL writes them; classes are numbered the other way round."""
    folder.mkdir()
    for domain, inner in (("dslr", "dslr/images"), ("Real_World", "Real_World")):
        for split, rows in zip(SPLITS, (range(6), range(6, 8), range(8, 10))):
            lines = [f"{inner}/{name}/{row:05d}.png {2 - k}" for k, name in enumerate(CLASSES) for row in rows]
            (folder / f"{domain}_{split}.txt").write_text("\n".join(lines) + "\n")
    return folder


def load(root: Path, **options: object) -> Splits:
    return domain_folders.load(str(root), domains=DOMAINS, home="https://example.org", size=16, **options)  # type: ignore[arg-type]


def rows_of(splits: Splits, split: str, index: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = getattr(splits, split)[index]
    inputs, targets = source.fetch(torch.arange(len(source)))
    return inputs, targets[source.name]


@pytest.mark.parametrize("name", ["office31", "office_home"])
def test_yaml_states_every_option(name: str) -> None:
    stated = yaml.safe_load((CONF / "data" / f"{name}.yaml").read_text())
    defaults = {option: p.default for option, p in inspect.signature(domain_folders.load).parameters.items()}
    assert stated.keys() == {"_target_", *defaults}
    assert stated["name"] == name
    same = ("splits", "val", "test", "seed", "size", "memory_mb")
    assert {option: stated[option] for option in same} == {option: defaults[option] for option in same}
    tasks = yaml.safe_load((CONF / "task" / f"{name}.yaml").read_text())["task"]["tasks"]
    assert [*tasks] == [*stated["domains"]]


def test_each_domain_is_a_source_with_a_task_of_its_own(tmp_path: Path) -> None:
    splits = load(write(tmp_path))
    assert [source.tasks for source in splits.train] == [("dslr",), ("real_world",)]
    for index in (0, 1):
        inputs, targets = rows_of(splits, "train", index)
        assert inputs.shape == (18, 3, 16, 16)
        assert torch.equal(inputs[:, 0, 0, 0], targets.byte() * 80)
        assert targets.bincount().tolist() == [6, 6, 6]
    assert "3 classes; train/val/test: dslr 18/6/6, real_world 18/6/6; drawn by class" in splits.statement


def test_drawn_splits_are_disjoint_and_complete(tmp_path: Path) -> None:
    write(tmp_path)

    def pictures(seed: int) -> list[set[tuple[int, ...]]]:
        splits = load(tmp_path, seed=seed)
        return [{tuple(row[:, 0, 0].tolist()) for row in rows_of(splits, split, 0)[0]} for split in SPLITS]

    train, val, test = pictures(0)
    assert (len(train), len(val), len(test)) == (18, 6, 6)
    assert len(train | val | test) == 3 * COUNT
    assert pictures(0) == [train, val, test]
    assert pictures(1) != [train, val, test]


@pytest.mark.parametrize("share", [0.45, 0.49])
def test_a_class_of_few_pictures_has_some_to_train_on(share: float, tmp_path: Path) -> None:
    write(tmp_path)
    for picture in [*tmp_path.glob("dslr/**/*.png")]:
        if int(picture.stem) >= 4:
            picture.unlink()
    splits = load(tmp_path, val=share, test=share)
    assert rows_of(splits, "train", 0)[1].bincount().tolist() == [1, 1, 1]


def test_lists_of_the_papers(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists")
    splits = load(write(tmp_path / "office"), splits=str(lists))
    for index in (0, 1):
        for split, rows in zip(SPLITS, ([0, 1, 2, 3, 4, 5], [6, 7], [8, 9])):
            inputs, targets = rows_of(splits, split, index)
            assert (inputs[:, 1, 0, 0] // 20).tolist() == rows * 3
            assert torch.equal(inputs[:, 0, 0, 0], targets.byte() * 80)
    assert splits.statement.endswith(f"as listed in {lists}")


def test_absent_lists_and_pictures_are_named(tmp_path: Path) -> None:
    write(tmp_path / "office")
    with pytest.raises(DataError, match=r"dslr_train\.txt: data\.splits needs dslr_train\.txt, dslr_val\.txt"):
        load(tmp_path / "office", splits=str(tmp_path))
    lists = write_lists(tmp_path / "lists")
    (tmp_path / "office" / "dslr" / "images" / "mug" / "00007.png").unlink()
    with pytest.raises(DataError, match=r"dslr_val\.txt lists .*mug/00007\.png: no such file"):
        load(tmp_path / "office", splits=str(lists))


def test_absent_folders_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    line = str(caught.value)
    assert "\n" not in line
    assert f"no folder dslr with pictures in {tmp_path} or {tmp_path / 'office31'}" in line
    assert "expected the folders dslr, Real_World with CLASS/*.jpg or images/CLASS/*.jpg" in line
    assert line.endswith("from https://example.org")


def test_a_folder_of_the_data_set_s_name_is_found(tmp_path: Path) -> None:
    write(tmp_path / "office31")
    assert len(load(tmp_path).train) == 2


def test_lists_that_are_no_text_are_named(tmp_path: Path) -> None:
    lists = write_lists(tmp_path / "lists")
    (lists / "dslr_val.txt").write_bytes(b"dslr/images/mug/00001.png 1\n\xff\n")
    with pytest.raises(DataError, match=r"dslr_val\.txt, line 2: no UTF-8 text"):
        load(write(tmp_path / "office"), splits=str(lists))


@pytest.mark.parametrize(("memory_mb", "lazy"), [(500, False), (0, True)])
def test_large_splits_are_read_as_they_are_used(memory_mb: float, lazy: bool, tmp_path: Path) -> None:
    splits = load(write(tmp_path), memory_mb=memory_mb)
    assert {isinstance(source, LazySource) for source in splits.train} == {lazy}
    prepared = splits.train[0].prepare(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))
    torch.testing.assert_close(prepared[0, :, 0, 0], torch.tensor([-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domains": {}}, r"data\.domains names no folder"),
        ({"domains": DOMAINS, "val": 0.5, "test": 0.5}, r"data\.val=0\.5 and data\.test=0\.5 must each be above 0"),
        ({"domains": DOMAINS, "val": 0}, r"data\.val=0 and data\.test=0\.2 must each be above 0"),
        ({"domains": DOMAINS, "size": 8}, r"data\.size should be a whole number from 16 to 4096, found 8"),
    ],
)
def test_options_are_checked(options: dict, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        domain_folders.load(str(write(tmp_path)), **options)


def test_too_few_pictures(tmp_path: Path) -> None:
    for domain in ("dslr", "Real_World"):
        (tmp_path / domain / "mug").mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(tmp_path / domain / "mug" / "1.png")
    with pytest.raises(DataError, match=r"too few pictures in .*dslr for a val split"):
        load(tmp_path)


@pytest.mark.parametrize("inner", ["OfficeHomeDataset_10072016", "domain_adaptation_images/inner"])
def test_a_folder_too_high_will_do(inner: str, tmp_path: Path) -> None:
    write(tmp_path / inner)
    assert load(tmp_path).statement == load(tmp_path / inner).statement


def test_a_folder_too_low_is_told(tmp_path: Path) -> None:
    write(tmp_path / "office")
    with pytest.raises(DataError, match=rf"\(but in {tmp_path / 'office'}: set data\.root="):
        load(tmp_path / "office" / "Real World")


def test_strays_are_no_class(tmp_path: Path) -> None:
    expected = load(write(tmp_path / "clean"))
    root = write(tmp_path / "strays")
    for name in (".ipynb_checkpoints", "__MACOSX", "empty"):
        (root / "dslr/images" / name).mkdir()
    Image.new("RGB", (30, 20)).save(root / "dslr/images/.ipynb_checkpoints/00000-checkpoint.png")
    (root / "Real World/mug/._00000.png").write_bytes(b"no picture")
    found = load(root)
    assert found.statement == expected.statement
    for split, index in itertools.product(SPLITS, (0, 1)):
        assert all(torch.equal(*pair) for pair in zip(rows_of(found, split, index), rows_of(expected, split, index)))


def test_only_the_folders_of_the_tasks_are_needed(tmp_path: Path) -> None:
    """And the rows of a task do not depend on which others are asked for."""
    whole = load(write(tmp_path))
    part = load(tmp_path, tasks=["real_world"])
    assert torch.equal(rows_of(whole, "train", 1)[0], rows_of(part, "train", 1)[0])
    shutil.rmtree(tmp_path / "dslr")
    assert [source.name for source in load(tmp_path, tasks=["real_world"]).train] == ["real_world"]
    with pytest.raises(DataError, match="no folder dslr with pictures"):
        load(tmp_path)
