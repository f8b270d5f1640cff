from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.regression import MeanSquaredError

from mtlrun.diagnostics.pictures import COLUMN_INCHES, GAP_INCHES, LEGEND_INCHES, LINE_INCHES, TaskPanel, draw_samples
from mtlrun.tasks.base import Task
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.detection import Detection
from mtlrun.tasks.drawing import NEUTRAL, RIGHT, WRONG
from mtlrun.tasks.multilabel import MultiLabel
from mtlrun.tasks.regression import Regression
from mtlrun.tasks.segmentation import Segmentation
from mtlrun.types import Feature


class Plain(Task):
    """A kind of a user's that says nothing about drawing."""

    default_judge = "mse"
    outputs = 1

    def default_head(self, features: Sequence[Feature], input_shape: tuple[int, ...]) -> nn.Module:
        return nn.Identity()

    def default_loss(self, output: Tensor, target: Tensor) -> Tensor:
        return (output - target).square()

    def default_metrics(self) -> dict[str, Metric]:
        return {"mse": MeanSquaredError()}


def text_panel(name: str = "weather") -> TaskPanel:
    return TaskPanel(Classification(name, ["clear", "rain"]), torch.tensor([0, 1]), torch.tensor([[2.0, 0], [2, 0]]))


def boxes_panel() -> TaskPanel:
    output = torch.full((2, 5, 4, 6), -9.0)
    output[:, 0, 2, 3] = 9
    return TaskPanel(Detection("boxes", ["car"]), torch.tensor([[[0.0, 4, 4, 12, 12]], [[-1.0, 0, 0, 0, 0]]]), output)


def classes_panel() -> TaskPanel:
    task = Segmentation("lane", ["background", "marking"])
    return TaskPanel(task, torch.ones(2, 16, 24, dtype=torch.uint8), torch.randn(2, 2, 16, 24))


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every text that gets into a figure, with its colour."""
    seen: list[tuple[str, str]] = []
    for owner in (Axes, Figure):
        original = owner.text

        def record(self: Any, x: float, y: float, s: str, original: Any = original, **options: Any) -> Any:
            seen.append((s, str(options["color"])))
            return original(self, x, y, s, **options)

        monkeypatch.setattr(owner, "text", record)
    return seen


@pytest.mark.parametrize(
    "inputs",
    [
        torch.randint(256, (2, 3, 16, 24), dtype=torch.uint8),
        torch.rand(2, 1, 16, 24),
        torch.randn(2, 2, 16, 24),
        torch.zeros(2, 3, 16, 24),
        torch.full((2, 3, 16, 24), -5.0),
    ],
)
def test_one_column_per_row(tmp_path: Path, inputs: Tensor) -> None:
    path = tmp_path / "plots" / "samples.png"
    draw_samples(path, inputs, [text_panel(), boxes_panel(), classes_panel()])
    picture = imread(path)
    assert picture.shape[1] / 150 == pytest.approx(LEGEND_INCHES + 2 * COLUMN_INCHES, rel=0.1)
    assert [found.name for found in path.parent.iterdir()] == ["samples.png"]


def test_right_is_green_and_wrong_is_red(tmp_path: Path, texts: list[tuple[str, str]]) -> None:
    draw_samples(tmp_path / "a.png", torch.rand(2, 3, 8, 8), [text_panel()])
    shown = [text for text in texts if text[0] in ("clear", "rain")]
    assert shown == [("clear", NEUTRAL), ("rain", NEUTRAL), ("clear", RIGHT), ("clear", WRONG)]
    assert ("weather", NEUTRAL) in texts


def test_rows_without_a_label(tmp_path: Path, texts: list[tuple[str, str]]) -> None:
    whole = boxes_panel()
    panel = TaskPanel(whole.task, whole.targets, torch.zeros(2, 5, 4, 6), torch.tensor([False, False]))
    draw_samples(tmp_path / "a.png", torch.zeros(2, 3, 16, 24), [panel])
    assert [text for text, _ in texts].count("no label") == 2


def test_tabular_inputs_and_every_text_kind(tmp_path: Path, texts: list[tuple[str, str]]) -> None:
    labels = MultiLabel("presence", ["car", "tram"])
    regression = Regression("distance", standardise=False)
    panels = [
        TaskPanel(labels, torch.tensor([[1.0, torch.nan], [0, 0]]), torch.tensor([[3.0, -3.0], [3.0, -3.0]])),
        TaskPanel(regression, torch.tensor([1.25, 1234.5]), torch.tensor([[1.0], [2.0]])),
        TaskPanel(Plain("own"), torch.tensor([7.0, 8.0]), torch.tensor([7.5, 8.0])),
    ]
    draw_samples(tmp_path / "a.png", torch.rand(2, 5), panels)
    expected = {
        ("car, tram?", NEUTRAL),
        ("car", RIGHT),
        ("car", WRONG),
        ("1.23e+03", NEUTRAL),
        ("7.5", NEUTRAL),
    }
    assert expected <= set(texts)


def test_rows_in_words_stand_above_what_tasks_say(tmp_path: Path, texts: list[tuple[str, str]]) -> None:
    words = [" 0 who is it\n 3 she", " 0 yes"]
    for name, shown in (("words.png", words), ("none.png", [])):
        draw_samples(tmp_path / name, torch.zeros(2, 6, 2, dtype=torch.int64), [text_panel()], shown)
    assert [text for text, _ in texts if text in words] == words
    with_words, without = (imread(tmp_path / name).shape for name in ("words.png", "none.png"))
    assert with_words[0] - without[0] == pytest.approx(150 * (2 * LINE_INCHES + GAP_INCHES), abs=2)
    assert with_words[1] == without[1]


def test_boxes_are_drawn_where_they_are(tmp_path: Path) -> None:
    axes = Figure().add_subplot()
    panel = boxes_panel()
    panel.task.draw(axes, panel.targets[0])
    outline = axes.lines[-1]
    assert np.ptp(outline.get_xdata()) == np.ptp(outline.get_ydata()) == 8
    assert min(outline.get_xdata()) == 3.5
    assert to_hex(outline.get_color()) == panel.task.legend()["car"]
    panel.task.draw(axes, panel.targets[1])
    assert len(axes.lines) == 2


def test_background_stays_clear(tmp_path: Path) -> None:
    axes = Figure().add_subplot()
    panel = classes_panel()
    panel.task.draw(axes, torch.tensor([[0, 1], [255, 1]]))
    opacity = axes.images[0].get_array()[..., 3]
    assert (np.asarray(opacity) > 0).tolist() == [[False, True], [False, True]]
    assert [*panel.task.legend()] == ["marking"]


@pytest.mark.parametrize("side", [2, 1])
def test_paint_over_a_colour_has_the_hue_of_the_legend(side: int) -> None:
    axes = Figure().add_subplot()
    axes.imshow(np.full((2, 2, 3), (1.0, 0.0, 0.0)))
    panel = classes_panel()
    panel.task.draw(axes, torch.ones(side, side, dtype=torch.long))
    painted = np.asarray(axes.images[-1].get_array())
    legend = np.array(to_rgb(panel.task.legend()["marking"]))
    difference = painted[..., :3] - 0.65 * legend
    assert painted.shape == (2, 2, 4)
    assert difference == pytest.approx(np.full((2, 2, 3), 0.35 * 0.299))  # the same grey in all three
