"""Pictures of inputs with what a network says of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mtlrun.diagnostics.pictures import draw_predictions
from mtlrun.tasks.base import Task

MOST = 16
"""Rows of one picture; of a larger file the first ones."""


def draw_answers(path: Path, tasks: Mapping[str, Task], inputs: Tensor, answers: Mapping[str, Tensor]) -> None:
    """One PNG.

    Args:
        path: of it; its folder is made.
        tasks: by name.
        inputs: raw images [n, C, H, W].
        answers: per task [n, ...].
    """
    said = {task: tasks[task].said(answer[:MOST]) for task, answer in answers.items()}
    draw_predictions(path, inputs[:MOST], [(tasks[task], predictions) for task, predictions in said.items()])
