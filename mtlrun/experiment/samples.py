"""Pictures of test rows with their labels and the network's predictions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from mtlrun.data.source import Source
from mtlrun.diagnostics.pictures import TaskPanel, draw_samples
from mtlrun.training.evaluate import Evaluator


def draw_test_samples(plots: Path, evaluator: Evaluator, sources: Sequence[Source], count: int) -> None:
    """One PNG per source: `samples.png`, or `samples_SOURCE.png` where there are several."""
    for source in sources:
        name = "samples.png" if len(sources) == 1 else f"samples_{source.name}.png"
        batch, rows, outputs = next(evaluator.outputs([source], limit=count))
        raw, _ = source.fetch(rows)
        panels = []
        for task, output in outputs.items():
            positions = batch.rows[task]
            labelled = None
            if positions is not None:
                labelled = torch.zeros(len(rows), dtype=torch.bool).index_fill(0, positions.cpu(), True)
            targets = spread(batch.targets[task], positions, len(rows))
            panels.append(TaskPanel(evaluator.tasks[task], targets, spread(output, positions, len(rows)), labelled))
        draw_samples(plots / name, raw.cpu(), panels, source.read(raw))


def spread(values: Tensor, positions: Tensor | None, rows: int) -> Tensor:
    """Values [n, ...] of some rows as [rows, ...] on the CPU, zero elsewhere."""
    if positions is None:
        return values.cpu()
    return values.new_zeros(rows, *values.shape[1:]).index_copy(0, positions, values).cpu()
