"""ChestX-ray14 and CheXpert, from small files in the formats of the real ones."""

from __future__ import annotations

import csv
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from mtlrun.data.fingerprint import difference, fingerprint, share_trained_on
from mtlrun.data.sets.chestxray14 import load as load_chestxray14
from mtlrun.data.sets.chexpert import load as load_chexpert
from mtlrun.data.source import Fingerprint, Splits
from mtlrun.errors import ConfigError, DataError

CONF = Path(__file__).parents[3] / "conf" / "data"
NIH = {"pneumonia": "Pneumonia", "cardiomegaly": "Cardiomegaly", "pleural_effusion": "Effusion"}
STANFORD = {"pneumonia": "Pneumonia", "fracture": "Fracture", "pleural_effusion": "Pleural Effusion"}
LABELS = ("No Finding", "Pneumonia|Effusion", "Cardiomegaly", "Hernia")


def picture(path: Path, grey: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 20), grey, dtype=np.uint8)).save(path)


def write_nih(folder: Path, patients: int = 12) -> Path:
    """Two pictures for each patient, as dark as the patient's number; the last third is the official test."""
    lines, names = [], []
    for patient in range(1, patients + 1):
        for visit in range(2):
            name = f"{patient:08d}_{visit:03d}.png"
            picture(folder / f"images_{1 + patient % 2:03d}" / "images" / name, patient)
            lines.append([name, LABELS[(patient + visit) % 4], visit, patient, "060Y", "M", "PA", 20, 20, 0.1, 0.1, ""])
            names.append(name)
    header = "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position"
    columns = [*header.split(","), "OriginalImage[Width", "Height]", "OriginalImagePixelSpacing[x", "y]", ""]
    with open(folder / "Data_Entry_2017.csv", "w", newline="") as file:
        csv.writer(file).writerows([columns, *lines])
    cut = len(names) * 2 // 3
    (folder / "train_val_list.txt").write_text("\n".join(names[:cut]))
    (folder / "test_list.txt").write_text("\n".join(names[cut:]))
    return folder


def write_chexpert(folder: Path, patients: int = 20) -> Path:
    """A frontal and a lateral picture for each patient, as dark as the patient's number."""
    columns = ["Path", "Sex", "Age", "Frontal/Lateral", "AP/PA", "Pneumonia", "Fracture", "Pleural Effusion"]
    for table, part, count in (("train.csv", "train", patients), ("valid.csv", "valid", 4)):
        lines = []
        for patient in range(1, count + 1):
            for view in ("frontal", "lateral"):
                name = f"{part}/patient{patient:05d}/study1/view1_{view}.jpg"
                picture(folder / name, patient)
                labels = ["1.0", "", "-1.0", "0.0"][patient % 4], ["0.0", "1.0"][patient % 2], ""
                lines.append([f"CheXpert-v1.0-small/{name}", "Female", "68", view.title(), "AP", *labels])
        with open(folder / table, "w", newline="") as file:
            csv.writer(file).writerows([columns, *lines])
    return folder


def patients_of(splits: Splits) -> list[set[int]]:
    """Patients in each split, told from the brightness of their pictures."""
    found = []
    for part in (splits.train, splits.val, splits.test):
        inputs, _ = part[0].fetch(torch.arange(len(part[0])))
        found.append(set(inputs.float().mean((1, 2, 3)).round().int().tolist()))
    return found


@pytest.mark.parametrize(("name", "loader"), [("chestxray14", load_chestxray14), ("chexpert", load_chexpert)])
def test_yaml_states_every_option_with_its_default(name: str, loader: object) -> None:
    stated = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    assert stated.pop("_target_") == f"mtlrun.data.sets.{name}.load"
    defaults = {key: value.default for key, value in inspect.signature(loader).parameters.items()}  # type: ignore[arg-type]
    assert set(stated.pop("findings")) >= set(NIH)
    assert defaults.pop("findings") is None
    assert stated == defaults


def test_nih_splits_are_apart_by_patient_and_the_test_is_the_official_one(tmp_path: Path) -> None:
    splits = load_chestxray14(str(write_nih(tmp_path)), NIH, size=16, val=0.25)
    train, val, test = patients_of(splits)
    assert test == {9, 10, 11, 12}
    assert len(val) == 2
    assert train | val == set(range(1, 9))
    assert not train & val
    assert "official test list" in splits.statement


def test_nih_labels_are_those_of_the_table(tmp_path: Path) -> None:
    (test,) = load_chestxray14(str(write_nih(tmp_path)), NIH, size=16).test
    inputs, targets = test.fetch(torch.arange(len(test)))
    assert inputs.shape == (8, 1, 16, 16)
    assert test.tasks == tuple(NIH)
    visits = [(patient, visit) for patient in range(9, 13) for visit in range(2)]
    for task, finding in NIH.items():
        expected = [float(finding in LABELS[(patient + visit) % 4]) for patient, visit in visits]
        assert targets[task][:, 0].tolist() == expected
        assert test.labelled(task).all()


def test_large_collections_are_read_from_the_files(tmp_path: Path) -> None:
    root = str(write_nih(tmp_path))
    lazy, held = (load_chestxray14(root, NIH, size=16, memory_mb=limit) for limit in (0, 500))
    assert not lazy.train[0].in_memory
    assert held.train[0].in_memory
    rows = torch.tensor([0, 5])
    assert torch.equal(lazy.train[0].fetch(rows)[0], held.train[0].fetch(rows)[0])


def test_part_of_the_archives_needs_consent(tmp_path: Path) -> None:
    write_nih(tmp_path)
    for path in (tmp_path / "images_001" / "images").glob("*_000.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"6 of the 24 pictures .* data\.partial=true"):
        load_chestxray14(str(tmp_path), NIH, size=16)
    splits = load_chestxray14(str(tmp_path), NIH, size=16, partial=True)
    assert sum(len(part[0]) for part in (splits.train, splits.val, splits.test)) == 18


def test_an_absent_collection_names_its_files_and_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_chestxray14(str(tmp_path), NIH)
    message = str(caught.value)
    for part in ("Data_Entry_2017.csv", "train_val_list.txt", "test_list.txt", "images_012", "https://", str(tmp_path)):
        assert part in message
    assert "\n" not in message


def test_a_finding_that_nobody_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"findings\.fracture: no row .* has 'Fracture' \(there are: .*Hernia"):
        load_chestxray14(str(write_nih(tmp_path)), {"fracture": "Fracture"}, size=16)


def test_chexpert_splits_are_apart_by_patient(tmp_path: Path) -> None:
    splits = load_chexpert(str(write_chexpert(tmp_path)), STANFORD, size=16, val=0.2, test=0.1)
    train, val, test = patients_of(splits)
    assert (len(train), len(val), len(test)) == (14, 4, 2)
    assert train | val | test == set(range(1, 21))
    assert len(splits.train[0]) == 14  # one frontal view each


def test_chexpert_may_be_tested_on_the_radiologists_labels(tmp_path: Path) -> None:
    splits = load_chexpert(str(write_chexpert(tmp_path)), STANFORD, size=16, val=0.2, test=None, frontal=False)
    assert len(splits.test[0]) == 8
    assert len(splits.train[0]) == 32
    assert "valid.csv for the test" in splits.statement


@pytest.mark.parametrize(
    ("uncertain", "blank", "expected"),
    [
        ("ignore", "zeros", {0: 1.0, 1: 0.0, 2: None, 3: 0.0}),
        ("ones", "ignore", {0: 1.0, 1: None, 2: 1.0, 3: 0.0}),
        ("zeros", "ignore", {0: 1.0, 1: None, 2: 0.0, 3: 0.0}),
    ],
)
def test_chexpert_labels_are_read_as_asked(tmp_path: Path, uncertain: str, blank: str, expected: dict) -> None:
    root = str(write_chexpert(tmp_path))
    (train,) = load_chexpert(root, STANFORD, size=16, uncertain=uncertain, blank=blank).train
    inputs, targets = train.fetch(torch.arange(len(train)))
    known = train.labelled("pneumonia").tolist()
    for grey, target, there in zip(inputs.float().mean((1, 2, 3)).round().int().tolist(), targets["pneumonia"], known):
        assert (target.item() if there else None) == expected[grey % 4]


def test_the_folder_above_will_do(tmp_path: Path) -> None:
    (tmp_path / "CheXpert-v1.0-small").mkdir()
    write_chexpert(tmp_path / "CheXpert-v1.0-small")
    assert len(load_chexpert(str(tmp_path), STANFORD, size=16).train[0])


def test_absent_chexpert_names_its_files_and_where_they_are(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"no train\.csv and no valid\.csv in .*patient\*/study\*/view\*\.jpg.*https://"
    ):
        load_chexpert(str(tmp_path), STANFORD)


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    write_chexpert(tmp_path)
    for path in tmp_path.glob("train/*/study1/view1_frontal.jpg"):
        path.unlink()
    with pytest.raises(DataError, match=r"lists .*view1_frontal\.jpg, which is not there"):
        load_chexpert(str(tmp_path), STANFORD, size=16)


@pytest.mark.parametrize(
    ("findings", "text", "message"),
    [
        ({"fracture": "Fractures"}, "", "has no column 'Fractures'; did you mean 'Fracture'"),
        ({"fracture": "Sex"}, "", "labels should be 1, 0, -1 or blank, found 'Female'"),
        (STANFORD, "Path\n", "has no rows"),
        (
            {},
            "Path,Frontal/Lateral\nview1.jpg,Frontal\n",
            "expected .*/train/patient00001/study1/.*, found 'view1.jpg'",
        ),
        (STANFORD, "Path,Fracture\nx,1\n", "has no column 'Frontal/Lateral'"),
    ],
)
def test_malformed_tables_are_refused(tmp_path: Path, findings: dict, text: str, message: str) -> None:
    write_chexpert(tmp_path)
    if text:
        (tmp_path / "train.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        load_chexpert(str(tmp_path), findings, size=16)


@pytest.mark.parametrize("loader", [load_chestxray14, load_chexpert])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"root": None}, "data.root is not set"),
        ({"root": "nowhere", "size": 3}, "data.size should be"),
    ],
)
def test_impossible_options_are_refused(loader, changes: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loader(findings=NIH, **changes)


def test_shares_leave_patients_to_every_split(tmp_path: Path) -> None:
    root = str(write_chexpert(tmp_path))
    for shares in ({"val": 0.6, "test": 0.6}, {"val": 0}, {"test": 0}):
        with pytest.raises(
            ConfigError, match=r"data\.val=.* and data\.test=.* must each be above 0, and below 1 in sum"
        ):
            load_chexpert(root, STANFORD, size=16, **shares)
    with pytest.raises(ConfigError, match=r"data\.val should be a share above 0 and below 1, found 0"):
        load_chexpert(root, STANFORD, size=16, val=0, test=None)
    with pytest.raises(ConfigError, match=r"data\.val should be a share above 0 and below 1, found 0"):
        load_chestxray14(str(write_nih(tmp_path)), NIH, size=16, val=0)


def test_a_list_that_is_no_text_is_named(tmp_path: Path) -> None:
    (write_nih(tmp_path) / "test_list.txt").write_bytes(b"\xff\xfe0")
    with pytest.raises(DataError, match=r"test_list\.txt, line 1: no UTF-8 text"):
        load_chestxray14(str(tmp_path), NIH, size=16)


def greys(splits: Splits) -> list[list[int]]:
    parts = (splits.train, splits.val, splits.test)
    return [
        part[0].fetch(torch.arange(len(part[0])))[0].float().mean((1, 2, 3)).round().int().tolist() for part in parts
    ]


@pytest.mark.parametrize("tables", ["CheXpert-v1.0 batch 1 (validate & csv)", "."])
@pytest.mark.parametrize("test", [0.1, None])
def test_the_batches_of_the_full_size_collection_need_not_be_put_together(
    tmp_path: Path, tables: str, test: float | None
) -> None:
    write_chexpert(tmp_path / "merged")
    expected = greys(load_chexpert(str(tmp_path / "merged"), STANFORD, size=16, test=test))
    write_chexpert(tmp_path / "whole")
    root = tmp_path / "apart"
    first = root / "CheXpert-v1.0 batch 1 (validate & csv)"
    first.mkdir(parents=True)
    (tmp_path / "whole/valid").rename(first / "valid")
    for name in ("train.csv", "valid.csv"):
        (tmp_path / "whole" / name).rename(root / tables / name)
    for number, patient in enumerate(sorted((tmp_path / "whole/train").iterdir())):
        batch = root / f"CheXpert-v1.0 batch {2 + number % 3} (train {1 + number % 3})"
        batch.mkdir(exist_ok=True)
        patient.rename(batch / patient.name)
    assert greys(load_chexpert(str(root), STANFORD, size=16, test=test)) == expected


@pytest.mark.parametrize(
    ("loader", "writer", "findings"),
    [
        (load_chestxray14, write_nih, NIH),
        (load_chexpert, write_chexpert, STANFORD),
    ],
)
def test_two_folders_too_high_will_do_and_one_too_low_is_told(tmp_path: Path, loader, writer, findings) -> None:
    folder = tmp_path / "a" / "b"
    writer(folder)
    assert len(loader(str(tmp_path), findings, size=16).train[0])
    inner = next(path for path in folder.iterdir() if path.is_dir())
    with pytest.raises(DataError, match=rf"\(but in {folder}: set data\.root={folder}\)"):
        loader(str(inner), findings, size=16)


@pytest.mark.parametrize("pictures", ["images-224", "images-224/images-224"])
def test_the_copy_of_chestxray14_in_224_pixels(tmp_path: Path, pictures: str) -> None:
    expected = greys(load_chestxray14(str(write_nih(tmp_path / "official")), NIH, size=16))
    folder = write_nih(tmp_path / "copy")
    (folder / pictures).mkdir(parents=True)
    for path in folder.glob("images_*/images/*.png"):
        path.rename(folder / pictures / path.name)
    for name in ("train_val_list", "test_list"):
        (folder / f"{name}.txt").rename(folder / f"{name}_NIH.txt")
    assert greys(load_chestxray14(str(folder), NIH, size=16)) == expected


def test_chestxray14_without_its_test_list_is_refused(tmp_path: Path) -> None:
    (write_nih(tmp_path) / "test_list.txt").unlink()
    with pytest.raises(DataError, match=r"^no test_list\.txt in"):
        load_chestxray14(str(tmp_path), NIH, size=16)


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    """Every CheXpert picture is called view1_frontal.jpg or view2_lateral.jpg, and many have as many bytes."""

    def of(seed: int) -> Fingerprint:
        return fingerprint(load_chexpert(str(folder), STANFORD, size=16, seed=seed, val=0.3, test=0.3, memory_mb=0))

    folder = write_chexpert(tmp_path / "one", patients=60)
    first = of(0)
    assert share_trained_on(first, of(1)) == pytest.approx(0.4, abs=0.2)
    folder = folder.rename(tmp_path / "two")
    assert difference(first, of(0)) is None
