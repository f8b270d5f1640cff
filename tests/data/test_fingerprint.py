"""Two data sets have one fingerprint exactly where they would train and test alike."""

import pickle

import numpy as np
import pytest
import torch
from PIL import Image

from mtlrun.data.fingerprint import difference, fingerprint, ids_of_rows, share_trained_on
from mtlrun.data.readers.image_files import LazySource, Pictures, kept
from mtlrun.data.readers.molecules.source import BondedMolecules
from mtlrun.data.sets.arrays import load
from mtlrun.data.sets.multidigits import load as multidigits
from mtlrun.data.sets.text import load as text
from mtlrun.data.source import Source, Splits, TensorSource

ROWS = 200


def table(path, rows=ROWS, change=None):
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(rows, 5))
    labels = {
        "colour": draw.integers(0, 3, rows),
        "weight": draw.normal(size=rows),
        "marks": draw.integers(0, 2, (rows, 2)),
    }
    if change is not None:
        change(inputs, labels)
    path.parent.mkdir(exist_ok=True)
    np.savez(path, inputs=inputs, **labels)
    return str(path)


def of(path, **options):
    return fingerprint(load(path, **options))


def drawn(seed=0, rows=ROWS):
    """A split of images and decimal labels, drawn from a seed."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (rows, 3, 20, 20), dtype=torch.uint8, generator=generator)
    return images, torch.randn(rows, generator=generator)


def alone(images, labels):
    part = [TensorSource("drawn", images, {"t": labels})]
    return fingerprint(Splits(part, part, part, ""))


def test_a_file_may_move_and_shares_that_draw_the_same_rows_may_be_written_otherwise(tmp_path):
    one, two = table(tmp_path / "a" / "x.npz"), table(tmp_path / "b" / "y.npz")
    assert difference(of(one), of(two)) is None
    assert difference(of(one, val=0.2), of(two, val=0.201)) is None


def test_it_survives_a_checkpoint(tmp_path):
    found = of(table(tmp_path / "x.npz"))
    torch.save(found, tmp_path / "x.pt")
    assert difference(torch.load(tmp_path / "x.pt", weights_only=True), found) is None
    assert len(pickle.dumps(found)) < 50_000


def one_class(inputs, labels):
    labels["colour"][7] = (labels["colour"][7] + 1) % 3


def one_decimal(inputs, labels):
    labels["weight"][7] += 0.5


def one_mark(inputs, labels):
    labels["marks"][7, 1] = 1 - labels["marks"][7, 1]


def one_unlabelled(inputs, labels):
    labels["weight"][7] = np.nan


def one_input(inputs, labels):
    inputs[7, 3] += 1e-3


def two_rows(inputs, labels):
    for values in (inputs, *labels.values()):
        values[[7, 8]] = values[[8, 7]]


@pytest.mark.parametrize("change", [one_class, one_decimal, one_mark, one_unlabelled, one_input, two_rows])
def test_one_row_is_noticed(tmp_path, change):
    found = difference(of(table(tmp_path / "x.npz")), of(table(tmp_path / "y.npz", change=change)))
    assert found is not None
    assert "rows of 'arrays'" in found


def test_rows_that_were_appended_are_counted(tmp_path):
    found = difference(of(table(tmp_path / "x.npz")), of(table(tmp_path / "y.npz", rows=ROWS + 20)))
    assert found == "train had 140 rows of 'arrays' and has 154 now"


@pytest.mark.parametrize("options", [{"seed": 1}, {"val": 0.3}, {"standardise": False}])
def test_another_split_or_scale_is_noticed(tmp_path, options):
    path = table(tmp_path / "x.npz")
    assert difference(of(path), of(path, **options)) is not None


def test_last_bits_and_a_single_pixel_do_not_matter_but_an_order_does():
    """Numbers that are drawn and not read may differ so much between two processors."""
    images, labels = drawn()
    other = images.clone()
    other[3, 1, 4, 5] += 1
    assert difference(alone(images, labels), alone(other, labels * (1 + 2e-7))) is None
    assert difference(alone(images, labels), alone(images.flip(0), labels)) is not None
    assert difference(alone(images, labels), alone(images, labels * 1.01)) is not None
    assert difference(alone(images, labels), alone(*drawn(seed=1))) is not None


def sentences(seed):
    return text(seed, {"train": 60, "val": 20, "test": 20}, {}, 32, 500, False, None)


@pytest.mark.parametrize("load_set", [multidigits, sentences])
def test_other_sets_with_a_seed(load_set):
    assert difference(fingerprint(load_set(seed=0)), fingerprint(load_set(seed=0))) is None
    assert difference(fingerprint(load_set(seed=0)), fingerprint(load_set(seed=1))) is not None


@pytest.fixture
def pictures(tmp_path):
    draw = np.random.default_rng(0)
    for row in range(6):
        Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"{row}.png")
    return [tmp_path / f"{row}.png" for row in range(6)]


def files(paths, memory_mb=0.0):
    source = LazySource("files", Pictures(paths, (8, 8)), {"t": torch.arange(len(paths))})
    part = kept([source], memory_mb)
    return fingerprint(Splits(part, part, part, ""))


def test_pictures_in_files_are_told_by_their_names_and_sizes(pictures, tmp_path):
    assert difference(files(pictures), files(pictures)) is None
    assert difference(files(pictures), files(pictures, memory_mb=100)) is None  # in memory or not
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    elsewhere = [path.rename(moved / path.name) for path in pictures]
    before = files(elsewhere)
    assert difference(before, files([moved / path.name for path in pictures])) is None
    elsewhere[2].write_bytes(elsewhere[2].read_bytes() + b"0")
    assert difference(before, files(elsewhere)) is not None


def test_bonds_and_facts_of_molecules_are_looked_at():
    draws = torch.Generator().manual_seed(0)
    atoms, targets = torch.randn(9, 3, 4, generator=draws), torch.randn(9, generator=draws)
    graphs = torch.randint(5, (9, 3, 8), dtype=torch.uint8, generator=draws)

    def of(graphs):
        part = [BondedMolecules("qm9", atoms, graphs, {"mu": targets})]
        return fingerprint(Splits(part, part, part, ""))

    other = graphs.clone()
    other[4, 1, 7] += 1
    assert difference(of(graphs), of(graphs.clone())) is None
    assert difference(of(graphs), of(other)) is not None


class OfUsers(Source):
    """Reads rows somewhere, and knows nothing of fingerprints."""

    name, tasks, input_shape = "mine", ("t",), (2,)

    def __init__(self, labels):
        self._labels = labels

    def __len__(self):
        return len(self._labels)

    def labelled(self, task):
        return torch.ones(len(self), dtype=torch.bool)

    def fetch(self, rows):
        return torch.rand(len(rows), 2), {"t": self._labels[rows]}


def test_a_source_of_the_users_own_is_told_by_its_labels():
    one, two = ([OfUsers(torch.arange(9) % size)] for size in (3, 4))
    assert difference(fingerprint(Splits(one, one, one, "")), fingerprint(Splits(one, one, one, ""))) is None
    assert difference(fingerprint(Splits(one, one, one, "")), fingerprint(Splits(two, two, two, ""))) is not None


def test_test_rows_that_were_training_rows(tmp_path):
    path = table(tmp_path / "x.npz", rows=4000)
    assert share_trained_on(of(path), of(path)) == 0
    assert share_trained_on(of(path), of(path, seed=1)) == pytest.approx(0.7, abs=0.05)
    assert share_trained_on(of(path), of(path, seed=1, targets=["colour"])) == pytest.approx(0.7, abs=0.05)
    assert share_trained_on(of(path), of(table(tmp_path / "y.npz", change=lambda i, _: i.__imul__(2)))) == 0


def test_rows_that_stand_in_a_table_many_times_are_no_leak(tmp_path):
    """With three columns of two values each every test row is among the training rows, whatever the seed."""

    def coarse(inputs, labels):
        inputs[:] = inputs > 0

    path = table(tmp_path / "x.npz", change=coarse)
    assert share_trained_on(of(path, standardise=False), of(path, seed=1)) == 0


def test_ids_tell_rows_apart():
    values = torch.arange(30_000.0).view(-1, 3)
    assert len(ids_of_rows(values).unique()) == 10_000
    assert torch.equal(ids_of_rows(values[5:9]), ids_of_rows(values)[5:9])
