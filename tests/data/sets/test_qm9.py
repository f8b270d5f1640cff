import csv
import inspect
import logging
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from mtlrun.data.readers.molecules import cache as cache_module
from mtlrun.data.readers.molecules import tables as tables_module
from mtlrun.data.readers.molecules.tables import MOST_ATOMS, TABLES, find_tables, read_tables
from mtlrun.data.readers.molecules.targets import NUMBERS, TARGETS
from mtlrun.data.sets import qm9
from mtlrun.data.source import Splits
from mtlrun.errors import ConfigError, DataError
from mtlrun.paths import CONF

COUNT = 60
METHANE = (
    "dsgdb9nsd_000001.xyz,1,C,5,\"['C','H','H','H','H']\","
    '"[[-0.0126981359,1.0858041578,0.0080009958],[0.002150416,-0.0060313176,0.0019761204],'
    "[1.0117308433,1.4637511618,0.0002765748],[-0.540815069,1.4475266138,-0.8766437152],"
    '[-0.5238136345,1.4379326443,0.9063972942]]",0.,13.21,-0.3877,0.1171,35.3641,0.044749,-40.47893,-40.476062,'
    "-40.475117,-40.498597,6.469"
)
HEADER = ["XYZ_file", "Index", "SMILES", "N_atoms", "Elements", "XYZ_Ang", *(t.column for t in TARGETS.values())]


def write_tables(folder: Path, count: int = COUNT) -> Path:
    """Molecule n has n % 5 + 1 hydrogen atoms, the first at (n, 0, 0), and a dipole moment of n."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, name in enumerate(TABLES):
        with (folder / name).open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(HEADER)
            for number in range(part * count // 3, (part + 1) * count // 3):
                size = number % 5 + 1
                elements = "[" + ",".join(["'H'"] * size) + "]"
                positions = "[" + ",".join(f"[{number}.,{atom}.5,-1e-05]" for atom in range(size)) + "]"
                properties = [number + 0.25, *[0.5] * (len(TARGETS) - 1)]
                rows.writerow([f"{number}.xyz", number, "H", size, elements, positions, *properties])
    return folder


def rows_of(splits: Splits, split: str) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    [source] = getattr(splits, split)
    return source.fetch(torch.arange(len(source)))


def indices(splits: Splits, split: str) -> list[int]:
    return rows_of(splits, split)[1]["mu"].long().tolist()


def test_yaml_states_every_option_with_its_default() -> None:
    stated = yaml.safe_load((CONF / "data" / "qm9.yaml").read_text())
    assert stated.pop("_target_") == "mtlrun.data.sets.qm9.load"
    assert stated.pop("cache") == "${oc.env:MTLRUN_DATA,'~/.cache/mtlrun'}"
    defaults = {name: p.default for name, p in inspect.signature(qm9.load).parameters.items()}
    assert defaults.pop("cache") == "~/.cache/mtlrun"
    assert stated == defaults


def test_tasks_are_those_of_the_papers_in_their_order() -> None:
    kinds = yaml.safe_load((CONF / "task" / "qm9.yaml").read_text())["task"]["tasks"]
    assert [*kinds] == [*TARGETS] == ["mu", "alpha", "homo", "lumo", "r2", "zpve", "u0", "u", "h", "g", "cv"]
    assert {kind["_target_"] for kind in kinds.values()} == {"mtlrun.tasks.regression.Regression"}


def test_methane_in_the_units_of_the_papers(tmp_path: Path) -> None:
    (tmp_path / TABLES[0]).write_text(",".join(HEADER) + "\n" + METHANE + "\n")
    arrays = read_tables([tmp_path / TABLES[0]])
    atoms, targets = arrays["atoms"][0], dict(zip(TARGETS, arrays["targets"][0]))
    assert atoms[:, 0].tolist() == [6, 1, 1, 1, 1] + [0] * 24
    np.testing.assert_allclose(atoms[1, 1:], [0.002150416, -0.0060313176, 0.0019761204])
    np.testing.assert_allclose(np.linalg.norm(atoms[1:5, 1:] - atoms[0, 1:], axis=1), 1.0919, atol=2e-4)
    assert not atoms[5:].any()
    kcal_per_mol = {"u0": -395.999594594, "u": -398.643290011, "h": -401.014646522, "g": -372.471772148}
    for name, value in kcal_per_mol.items():  # as MoleculeNet's gdb9.sdf.csv gives them
        assert targets[name] == pytest.approx(value * 43.36414, rel=1e-6)
    assert targets["homo"] == pytest.approx(-10549.85, abs=0.01)
    assert targets["zpve"] == pytest.approx(1217.682, abs=0.001)
    assert [targets[name] for name in ("mu", "alpha", "r2", "cv")] == pytest.approx([0, 13.21, 35.3641, 6.469])


def test_each_row_keeps_its_atoms_and_its_labels(tmp_path: Path) -> None:
    splits = qm9.load(root=str(write_tables(tmp_path)), cache=None)
    for split in ("train", "val", "test"):
        inputs, targets = rows_of(splits, split)
        assert inputs.shape == (len(inputs), MOST_ATOMS, 4)
        assert inputs.dtype == torch.float32
        number = inputs[:, 0, 1]
        assert torch.equal(targets["mu"], number + 0.25)
        assert torch.equal((inputs[:, :, 0] == 1).sum(1), number.long() % 5 + 1)
        assert [*targets] == [*TARGETS]
        assert all(values.shape == number.shape and values.dtype == torch.float32 for values in targets.values())
        free = 0.500273 * (number.double() % 5 + 1)
        torch.testing.assert_close(targets["u0"].double(), (0.5 + free) * 27211.386246, rtol=1e-6, atol=0)


def test_splits_are_a_shuffle_by_seed(tmp_path: Path) -> None:
    root = str(write_tables(tmp_path))
    splits, again, other = (qm9.load(root=root, seed=seed, cache=None) for seed in (0, 0, 1))
    parts = {split: indices(splits, split) for split in ("train", "val", "test")}
    assert {split: len(rows) for split, rows in parts.items()} == {"train": 50, "val": 5, "test": 5}
    assert sorted(row for rows in parts.values() for row in rows) == [*range(COUNT)]
    assert all(indices(again, split) == rows for split, rows in parts.items())
    assert all(indices(other, split) != rows for split, rows in parts.items())
    assert splits.statement == "50/5/5 of the 60 molecules of QM9 for train/val/test, shuffled with data.seed=0"


def test_the_whole_is_split_as_in_the_papers() -> None:
    parts = qm9.split_rows(130_831, None, 0)
    assert [len(rows) for rows in parts] == [110_831, 10_000, 10_000]
    assert torch.cat(parts).bincount().eq(1).all()


@pytest.mark.parametrize(
    ("molecules", "sizes"), [(3, [1, 1, 1]), (2000, [1694, 153, 153]), (13_083, [11_083, 1000, 1000])]
)
def test_fewer_molecules_are_a_part_of_each_split(molecules: int, sizes: list[int]) -> None:
    whole, few = qm9.split_rows(130_831, None, 3), qm9.split_rows(130_831, molecules, 3)
    assert [len(rows) for rows in few] == sizes
    assert all(torch.equal(rows, more[: len(rows)]) for rows, more in zip(few, whole))


@pytest.mark.parametrize("molecules", [2, 0, -1, 1.5, "many", True])
def test_impossible_numbers_are_refused_before_any_file_is_read(molecules: object) -> None:
    with pytest.raises(ConfigError, match=r"data.molecules should be null or a whole number from 3 to 130831, found"):
        qm9.load(root="/nowhere", molecules=molecules)


def test_more_molecules_than_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"data.molecules=61: the tables hold 60, choose a number from 3 to 60"):
        qm9.load(root=str(write_tables(tmp_path)), molecules=61, cache=None)


def test_second_start_reads_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, cache = str(write_tables(tmp_path / "tables")), str(tmp_path / "cache")
    first = qm9.load(root=root, cache=cache)
    monkeypatch.setattr(cache_module, "read_tables", None)
    second = qm9.load(root=root, cache=cache, molecules=30)
    assert indices(second, "train") == indices(first, "train")[:26]
    assert [path.suffix for path in (tmp_path / "cache" / "qm9").iterdir()] == [".npz"]


@pytest.mark.parametrize("change", ["tables", "code"])
def test_cache_is_not_used_for_other_tables_or_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    root, cache = write_tables(tmp_path / "tables"), str(tmp_path / "cache")
    qm9.load(root=str(root), cache=cache)
    if change == "tables":
        write_tables(root, count=30)
    else:
        monkeypatch.setattr(cache_module, "code_version", lambda package: "newer")
    splits = qm9.load(root=str(root), cache=cache)
    assert sum(len(part[0]) for part in (splits.train, splits.val, splits.test)) == (30 if change == "tables" else 60)
    assert len([*(tmp_path / "cache" / "qm9").iterdir()]) == 2


@pytest.mark.parametrize("damage", ["cut off", "empty", "other arrays"])
def test_damaged_cache_is_made_again(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    root, cache = str(write_tables(tmp_path / "tables")), str(tmp_path / "cache")
    first = qm9.load(root=root, cache=cache)
    [path] = (tmp_path / "cache" / "qm9").iterdir()
    if damage == "other arrays":
        np.savez(path, atoms=np.zeros((2, 3, 4), np.float32), targets=np.zeros((2, 11), np.float32))
    else:
        path.write_bytes(path.read_bytes()[:1000] if damage == "cut off" else b"")
    with caplog.at_level(logging.WARNING):
        assert indices(qm9.load(root=root, cache=cache), "train") == indices(first, "train")
    assert "making it again" in caplog.text
    caplog.clear()
    qm9.load(root=root, cache=cache)
    assert not caplog.records


def test_a_cache_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root, cache = str(write_tables(tmp_path / "tables")), str(tmp_path / "cache")
    first = qm9.load(root=root, cache=cache)

    def denied(path: Path, **how: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(np, "load", denied)
    with caplog.at_level(logging.WARNING):
        assert indices(qm9.load(root=root, cache=cache), "train") == indices(first, "train")
    assert "may not be read (Permission denied): making it again" in caplog.text
    assert "damaged" not in caplog.text


def test_runs_may_start_together(tmp_path: Path) -> None:
    root, cache = str(write_tables(tmp_path / "tables")), str(tmp_path / "cache")
    with ThreadPoolExecutor(4) as pool:
        found = [*pool.map(lambda _: indices(qm9.load(root=root, cache=cache), "test"), range(4))]
    assert all(rows == found[0] for rows in found)
    assert len([*(tmp_path / "cache" / "qm9").iterdir()]) == 1


def test_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert len(qm9.load(root=str(write_tables(tmp_path)), cache=str(tmp_path / "file")).test[0]) == 5


def test_absent_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables_module, "find_spec", lambda name: None)
    with pytest.raises(DataError) as caught:
        qm9.load()
    line = str(caught.value)
    assert "pip install 'mtlrun[qm9]'" in line
    assert all(name in line for name in TABLES)
    assert "\n" not in line


def test_absent_tables_are_named(tmp_path: Path) -> None:
    (write_tables(tmp_path) / TABLES[1]).unlink()
    with pytest.raises(DataError, match=f"no {TABLES[1]} in {tmp_path}: set data.root to where they are, or to null"):
        qm9.load(root=str(tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HOMO_au", "HOMO", "has no column HOMO_au; did you mean 'HOMO'?"),
        ("-0.3877", "none", "a property is no number"),
        ("1.0858041578", "x", "a coordinate is no number"),
        (",0.9063972942]", "]", "molecule 1 has 5 elements and 14 coordinates"),
        ("['C',", "['Si',", "elements should be lists of H, C, N, O, F, found Si"),
        ("['C',", "['',", "found 4 for 5 atoms"),
        (",-40.475117,-40.498597,6.469", "", "is cut off or no table"),
        (METHANE, "", "holds no molecules"),
    ],
)
def test_malformed_tables_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = ",".join(HEADER) + "\n" + METHANE
    assert old in text
    (tmp_path / TABLES[0]).write_text(text.replace(old, new))
    with pytest.raises(DataError) as caught:
        read_tables([tmp_path / TABLES[0]])
    assert message in str(caught.value)
    assert str(tmp_path / TABLES[0]) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_atoms_are_refused(tmp_path: Path) -> None:
    elements, positions = ",".join(["'H'"] * 30), ",".join(["[0.,0.,0.]"] * 30)
    row = f'30.xyz,1,H,30,"[{elements}]","[{positions}]"' + ",0.5" * len(TARGETS)
    (tmp_path / TABLES[0]).write_text(",".join(HEADER) + "\n" + row + "\n")
    with pytest.raises(DataError, match=r"has 30 elements and 90 coordinates; expected are .* 29 atoms at most"):
        read_tables([tmp_path / TABLES[0]])


@pytest.mark.skipif(find_spec("qm9pack") is None, reason="qm9pack is not installed")
def test_the_first_rows_of_the_real_tables(tmp_path: Path) -> None:
    for path in find_tables(None):
        with path.open() as file:
            (tmp_path / path.name).write_text("".join(line for line, _ in zip(file, range(200))))
    arrays = read_tables([tmp_path / name for name in TABLES])
    assert len(arrays["atoms"]) == 3 * 199
    assert {*np.unique(arrays["atoms"][:, :, 0])} <= {0, *NUMBERS.values()}
    assert np.isfinite(arrays["targets"]).all()
    assert (arrays["targets"][:, 6:10] < 0).all()  # molecules hold together
