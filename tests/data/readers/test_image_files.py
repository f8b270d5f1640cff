"""Pictures read from files row by row: what comes out, in workers too, and what a damaged file says."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mtlrun.data.readers.class_masks import ClassMasks, classes_of_values
from mtlrun.data.readers.image_files import (
    SAMPLE,
    LazySource,
    Pictures,
    kept,
    sample_statistics,
    spread,
)
from mtlrun.data.source import Source, TensorSource
from mtlrun.errors import DataError
from mtlrun.samplers.batch_sampler import BatchIndices
from mtlrun.training.batches import BatchLoader


def save(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def colours(folder: Path, count: int = 4, shape: tuple[int, int] = (6, 9)) -> list[Path]:
    """Picture n is all of colour (10 n, 20, 30)."""
    values = [np.full((*shape, 3), (10 * index, 20, 30), dtype=np.uint8) for index in range(count)]
    return [save(folder / f"{index}.png", value) for index, value in enumerate(values)]


def source(folder: Path, **options: object) -> LazySource:
    labels = {"colour": torch.arange(4), "size": torch.arange(4.0)}
    return LazySource("files", Pictures(colours(folder), (4, 5)), labels, **options)  # type: ignore[arg-type]


def test_pictures_have_the_asked_size_and_channels(tmp_path: Path) -> None:
    paths = colours(tmp_path)
    picture = Pictures(paths, (4, 5)).read(2)
    assert picture.shape == (3, 4, 5)
    assert picture.dtype == np.uint8
    assert picture.reshape(3, -1).T.tolist() == [[20, 20, 30]] * 20
    assert Pictures(paths, (4, 5), channels=1).read(0).shape == (1, 4, 5)


def test_sixteen_bits_are_scaled_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(np.full((3, 3), 128 * 256, dtype=np.uint16)).save(path)
    assert (Pictures([path], (3, 3), channels=1).read(0) == 128).all()


def test_large_jpegs_keep_their_content(tmp_path: Path) -> None:
    values = np.zeros((256, 256), dtype=np.uint8)
    values[:, 128:] = 200
    save(tmp_path / "half.jpg", values)
    picture = Pictures([tmp_path / "half.jpg"], (16, 16), channels=1).read(0)[0]
    assert picture[:, :7].max() < 10
    assert picture[:, 9:].min() > 190


def test_turned_photographs_stand_upright(tmp_path: Path) -> None:
    values = np.zeros((8, 8), dtype=np.uint8)
    values[:4] = 255  # bright at the top; orientation 3 says: turned by 180 degrees
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(values).save(tmp_path / "turned.png", exif=exif)
    picture = Pictures([tmp_path / "turned.png"], (8, 8), channels=1).read(0)[0]
    assert picture[0, 0] == 0
    assert picture[7, 0] == 255


def test_masks_take_the_nearest_pixel_and_the_table(tmp_path: Path) -> None:
    values = np.array([[0, 1], [2, 7]], dtype=np.uint8)
    table = np.arange(256, dtype=np.uint8)[::-1].copy()
    masks = ClassMasks([save(tmp_path / "mask.png", values), None], (4, 4), classes_of_values(table))
    assert np.array_equal(masks.read(0), 255 - values.repeat(2, 0).repeat(2, 1))
    assert (masks.read(1) == 255).all()


def test_masks_with_colours_are_refused(tmp_path: Path) -> None:
    masks = ClassMasks(colours(tmp_path, 1), (4, 4), classes_of_values(np.arange(256, dtype=np.uint8)))
    with pytest.raises(DataError, match="holds colours, such as"):
        masks.read(0)


def test_rows_come_in_the_order_asked_for(tmp_path: Path) -> None:
    made = source(tmp_path)
    inputs, targets = made.fetch(torch.tensor([3, 0, 3]))
    assert inputs.shape == (3, 3, 4, 5)
    assert inputs.dtype == torch.uint8
    assert inputs[:, 0, 0, 0].tolist() == [30, 0, 30]
    assert targets["colour"].tolist() == [3, 0, 3]
    empty, _ = made.fetch(torch.tensor([], dtype=torch.int64))
    assert empty.shape == (0, 3, 4, 5)


def test_only_labelled_targets_are_given_for_fitting(tmp_path: Path) -> None:
    mask = torch.tensor([True, False, True, False])
    made = source(tmp_path, labelled={"size": mask})
    assert made.targets("size").tolist() == [0.0, 2.0]
    assert made.targets("colour").tolist() == [0, 1, 2, 3]
    assert torch.equal(made.labelled("size"), mask)


def test_spread_takes_a_sample_of_many_rows() -> None:
    rows = spread(torch.arange(10_000))
    assert len(rows) == SAMPLE
    assert rows[0] == 0
    assert rows[-1] > 9_900
    assert torch.equal(spread(torch.arange(7)), torch.arange(7))


def test_in_memory_and_from_files_the_network_sees_the_same(tmp_path: Path) -> None:
    mean, std = sample_statistics(Pictures(colours(tmp_path), (4, 5)))
    lazy = source(tmp_path, mean=mean, std=std, labelled={"size": torch.tensor([True, True, False, True])})
    (held,) = kept([lazy], 1.0)
    assert isinstance(held, TensorSource)
    assert held.in_memory
    assert not lazy.in_memory
    rows = torch.tensor([1, 3])
    for one, other in zip(prepared(lazy, rows), prepared(held, rows)):
        assert torch.equal(one, other)
    assert torch.equal(lazy.labelled("size"), held.labelled("size"))
    assert lazy.nbytes() == held.nbytes()
    everything = lazy.prepare(lazy.fetch(torch.arange(4))[0])
    assert everything[:, 0].mean().abs() < 1e-6
    assert everything[:, 1].abs().max() < 1e-6


def prepared(made: Source, rows: torch.Tensor) -> list[torch.Tensor]:
    inputs, targets = made.fetch(rows)
    return [made.prepare(inputs), *targets.values()]


def test_sources_are_kept_together_or_not_at_all(tmp_path: Path) -> None:
    one = source(tmp_path)
    assert kept([one, one], 1.5 * one.nbytes() / 1e6) == [one, one]
    assert all(held.in_memory for held in kept([one, one], 2 * one.nbytes() / 1e6))


def test_workers_read_the_same_batches(tmp_path: Path) -> None:
    made = source(tmp_path)
    draws = [BatchIndices({"files": torch.tensor(rows)}, ("colour", "size")) for rows in ([0, 2], [3, 1])]
    found = []
    for workers in (0, 1):
        loader = BatchLoader([made], torch.device("cpu"), workers=workers)
        steps = [step.micro[0][0][0] for step in loader.batches(draws)]
        found.append([(step.inputs, step.targets["colour"]) for step in steps])
    for alone, worked in zip(*found):
        assert torch.equal(alone[0], worked[0])
        assert torch.equal(alone[1], worked[1])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_named_in_one_line(tmp_path: Path, workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = source(tmp_path)
    (tmp_path / "2.png").write_bytes((tmp_path / "2.png").read_bytes()[:40])
    loader = BatchLoader([made], torch.device("cpu"), workers=workers)
    draws = [BatchIndices({"files": torch.tensor([1, 2])}, ("colour", "size"))]
    with pytest.raises(DataError) as caught:
        list(loader.batches(draws))
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / '2.png'} is damaged, or no picture")
    assert "\n" not in message
    # torch's error lies in a cycle with the loader, which waits so long for its worker once it is collected: now
    monkeypatch.setattr("torch.utils.data._utils.MP_STATUS_CHECK_INTERVAL", 0.05)
    del caught
    gc.collect()


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    made = source(tmp_path)
    (tmp_path / "1.png").unlink()
    with pytest.raises(DataError, match=r"no picture .*1\.png"):
        made.fetch(torch.tensor([1]))


def test_labels_must_be_as_many_as_pictures(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="4 pictures but 3 labels for 'colour'"):
        LazySource("files", Pictures(colours(tmp_path), (4, 5)), {"colour": torch.arange(3)})


def test_jpeg_decoded_small_is_a_grey_level_off(tmp_path: Path) -> None:
    """As documented; what is not at least twice as large is decoded in full."""
    rows, columns = np.mgrid[:256, :256]
    waves = 128 + 60 * np.sin(rows / 19) * np.cos(columns / 23) + np.random.default_rng(0).normal(0, 8, (256, 256))
    path = tmp_path / "waves.jpg"
    Image.fromarray(waves.clip(0, 255).astype(np.uint8)).convert("RGB").save(path, quality=92)
    for size, limits in ((64, (0.01, 2.0)), (200, (0.0, 0.0))):
        with Image.open(path) as file:
            plain = np.asarray(file.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
        difference = np.abs(Pictures([path], (size, size)).read(0).astype(float) - plain).mean()
        assert limits[0] <= difference <= limits[1]
