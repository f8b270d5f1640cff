"""Pictures of inputs with what a network says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.readers.image_files import Pictures, Size
from mtlrun.diagnostics.pictures import draw_predictions
from mtlrun.tasks.base import Task

MOST = 16
"""Rows of one picture; of a larger file the first ones."""
SIDE = 640
"""Pixels of the longer side of a picture that is shown."""


def draw_answers(path: Path, tasks: Mapping[str, Task], inputs: Tensor, answers: Mapping[str, Tensor]) -> None:
    """One PNG.

    Args:
        path: of it; its folder is made.
        tasks: by name.
        inputs: raw images [n, C, H, W].
        answers: per task [n, ...].
    """
    draw_predictions(path, inputs[:MOST], _said(tasks, answers))


def draw_on_picture(
    path: Path, tasks: Mapping[str, Task], picture: Path, size: Size, channels: int, answers: Mapping[str, Tensor]
) -> None:
    """The same for one picture, which is shown as it was given.

    Args:
        path: of the PNG.
        tasks: by name.
        picture: its file.
        size: of the picture.
        channels: that the network takes.
        answers: per task [1, ...], in pixels of the picture.
    """
    smaller = min(1.0, SIDE / max(size))
    shown = (max(1, round(smaller * size[0])), max(1, round(smaller * size[1])))
    pixels = Pictures([picture], shown, channels).stack(torch.arange(1))
    draw_predictions(path, pixels, _said(tasks, answers), size)


def _said(tasks: Mapping[str, Task], answers: Mapping[str, Tensor]) -> list[tuple[Task, Tensor]]:
    return [(tasks[task], tasks[task].said(answer[:MOST])) for task, answer in answers.items()]
