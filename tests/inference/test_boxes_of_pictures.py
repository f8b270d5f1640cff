"""Boxes are told in pixels of the picture that was given, of whatever size the network takes it."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from mtlrun.cli.predict import _draw
from mtlrun.data.source import Normalisation
from mtlrun.diagnostics import pictures
from mtlrun.inference.description import InputDescription
from mtlrun.inference.predict import Predictor, each
from mtlrun.inference.reading import InputReader
from mtlrun.tasks.detection import Detection
from mtlrun.tasks.segmentation import Segmentation

ROTATED = 6
BOX = [0.0, 8.0, 16.0, 24.0, 32.0, 0.9]


class Answers:
    """Says the same of every picture of 32 x 32 pixels."""

    batch_size = 2

    def __init__(self) -> None:
        self.tasks = {"cars": Detection("cars", ["car"]), "road": Segmentation("road", ["none", "road"])}

    def answers(self, inputs: torch.Tensor, source: str | None = None) -> dict[str, torch.Tensor]:
        assert inputs.shape[1:] == (3, 32, 32)
        shares = torch.zeros(len(inputs), 2, 32, 32)
        shares[:, 1, :, :16] = 1.0
        return {"cars": torch.tensor(BOX).expand(len(inputs), 1, 6), "road": shares}


@pytest.fixture
def predictor():
    entry = InputDescription("pictures", ("cars", "road"), (3, 32, 32), Normalisation("uint8", 255.0))
    return Predictor(Answers(), InputReader([entry], {}))


@pytest.fixture
def folder(tmp_path):
    sizes = {"a": (96, 64), "b": (32, 32), "c": (20, 1600)}  # width and height
    for name, size in sizes.items():
        Image.new("RGB", size, "white").save(tmp_path / f"{name}.png")
    turned = Image.Exif()
    turned[0x0112] = ROTATED
    Image.new("RGB", (64, 96)).save(tmp_path / "d.jpg", exif=turned)
    return tmp_path


def answered(predictor, folder):
    def refuse(error):
        raise error

    return {one.given.file.stem: one for one in each(predictor, [folder], refuse)}


CORNERS = {
    "a": [24.0, 32.0, 72.0, 64.0],
    "b": [8.0, 16.0, 24.0, 32.0],
    "c": [5.0, 800.0, 15.0, 1600.0],
    "d": [24.0, 32.0, 72.0, 64.0],  # shown upright it is 96 wide
}


def test_boxes_are_in_pixels_of_the_picture(predictor, folder):
    found = answered(predictor, folder)
    for name, corners in CORNERS.items():
        [record] = found[name].records
        assert record["cars"] == f"car 0.90 ({' '.join(f'{corner:.0f}' for corner in corners)})"
        assert record["road_road"] == 0.5
        assert found[name].tensors["pictures"]["cars"][0, 0].tolist() == pytest.approx([0, *corners, 0.9])


@pytest.mark.parametrize(("name", "size"), [("a", (96, 64)), ("c", (20, 1600))])
def test_the_drawing_shows_the_picture_as_it_was_given(predictor, folder, monkeypatch, name, size):
    drawn = []
    monkeypatch.setattr(pictures, "_write", lambda figure, path: drawn.append((figure, path)))
    _draw(Path("out"), predictor.network.tasks, answered(predictor, folder)[name])
    [(figure, path)] = drawn
    assert path == Path("out") / f"{name}.png"
    width, height = size
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert (axes.get_xlim(), axes.get_ylim()) == ((-0.5, width - 0.5), (height - 0.5, -0.5))
        assert {tuple(image.get_extent()) for image in axes.images} == {(-0.5, width - 0.5, height - 0.5, -0.5)}
    outlines = [line.get_xdata() for axes in figure.axes for line in axes.lines]
    assert max(map(max, outlines)) == CORNERS[name][2] - 0.5
