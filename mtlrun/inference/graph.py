"""A trained network as a graph that other programs run: one forward pass from raw inputs to every task's answer."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.data.text.vocabulary import SPECIAL
from mtlrun.errors import ConfigError, MtlrunError
from mtlrun.inference.columns import example_rows
from mtlrun.inference.description import InputDescription
from mtlrun.inference.trained import TrainedNetwork
from mtlrun.lines import reason

TRACED = 3
"""Rows of the example that the graph is recorded with: with one, or with none, sizes would be taken for fixed."""
BATCHES = (1, 5, 64)
TOLERANCE = 1e-4


class Graph(nn.Module):
    """The forward pass for one source, as a tuple in the order of `names`.

    Args:
        network: trained; left as it is.
        entry: the source.
        raw: whether outputs are those of the heads, in place of answers.
    """

    def __init__(self, network: TrainedNetwork, entry: InputDescription, raw: bool) -> None:
        super().__init__()
        self.network, self.source, self.raw = network, entry.name, raw
        self.names = [task for task in network.tasks if task in entry.tasks]
        self.eval()

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Raw inputs [B, ...] -> per task [B, ...]."""
        found = self.network(inputs, self.source) if self.raw else self.network.answers(inputs, self.source)
        return tuple(found[task] for task in self.names)


def example(entry: InputDescription, rows: int, words: int, seed: int = 0) -> Tensor:
    """Made-up inputs [rows, ...] of the kind that the source has.

    Args:
        words: numbers of the vocabulary, for texts.
    """
    generator = torch.Generator().manual_seed(seed)
    if entry.columns:
        return example_rows(entry.columns, rows, generator)
    shape, normalisation = (rows, *entry.input_shape), entry.normalisation
    if entry.is_text:
        ids = torch.randint(SPECIAL, max(words, SPECIAL + 1), shape[:2], generator=generator)
        ends = torch.randint(3, shape[1] + 1, (rows, 1), generator=generator)
        there = (torch.arange(shape[1]) < ends).long()
        return torch.stack([ids * there, there], 2)
    if len(entry.input_shape) == 2:
        return _molecules(shape, generator)
    if normalisation.dtype == "uint8":
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)
    values = torch.randn(shape, generator=generator, dtype=torch.float64)
    for statistic, change in ((normalisation.deviation, torch.mul), (normalisation.mean, torch.add)):
        if statistic is not None:
            column = torch.tensor(statistic, dtype=torch.float64).view(-1, *[1] * (len(shape) - 2))
            values = change(values, column)
    return values.to(getattr(torch, normalisation.dtype))


def _molecules(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Made-up molecules [B, A, 4 or more]: number, position, facts and bonds (if any) of some atoms; then padding."""
    atoms = torch.randint(0, 3, shape, generator=generator).float()
    atoms[..., 0] = torch.randint(6, 10, shape[:2], generator=generator)
    atoms[..., 1:4] = torch.randn(*shape[:2], 3, generator=generator)
    count = torch.randint(min(2, shape[1]), shape[1] + 1, (shape[0], 1), generator=generator)
    return atoms * (torch.arange(shape[1]) < count).unsqueeze(2)


def recorded(graph: Graph, rows: Tensor) -> torch.export.ExportedProgram:
    """The graph with a free number of rows.

    Raises:
        ConfigError: for a network that no graph holds.
    """
    batch = torch.export.Dim("batch", max=2**20)
    with refused(f"this network cannot be exported ({type(graph.network.model.sharing).__name__}): "), quiet():
        return torch.export.export(graph, (rows,), dynamic_shapes=({0: batch},))


def to_onnx(program: torch.export.ExportedProgram, graph: Graph, path: Path, metadata: dict[str, str]) -> None:
    """Write the program as ONNX, with the names of inputs and outputs and what is known of them.

    Raises:
        ConfigError: if a package is not installed, or ONNX has no way to say it.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401  (torch.onnx needs it, and says so at length)
    except ImportError as error:
        raise ConfigError(f"ONNX needs the package {error.name}: pip install 'mtlrun[export]'") from error
    with refused("this network cannot be written as ONNX, try --format pt2: "), quiet():
        made = torch.onnx.export(
            program, input_names=["inputs"], output_names=graph.names, dynamo=True, verbose=False, optimize=True
        )
        assert made is not None
        model = made.model_proto
        onnx.helper.set_model_props(model, metadata)
        onnx.save(model, str(path))


def differences(run: Any, graph: Graph, entry: InputDescription, words: int) -> dict[str, dict[str, float]]:
    """batch -> task -> the largest difference of an exported network to PyTorch, relative to the largest value; of
    numbers in the targets' own unit, to the largest distance from their mean in training.

    Args:
        run: inputs [B, ...] -> the outputs in order.
    """
    found: dict[str, dict[str, float]] = {}
    for rows in BATCHES:
        inputs = example(entry, rows, words, seed=rows)
        with torch.no_grad():
            wanted = graph(inputs)
        found[str(rows)] = {
            name: _relative(a, b, _centre(graph, name)) for name, a, b in zip(graph.names, run(inputs), wanted)
        }
    return found


def check_alike(found: dict[str, dict[str, float]], what: str) -> None:
    """Raise ConfigError where a difference is above 1e-4."""
    for rows, values in found.items():
        for task, value in values.items():
            if not value <= TOLERANCE:
                raise ConfigError(
                    f"{what} differs from PyTorch by {value:.1e} in task '{task}' with {rows} rows: it is not written"
                )


@contextlib.contextmanager
def refused(words: str) -> Iterator[None]:
    """Whatever of many kinds other packages raise, as one line after these words."""
    try:
        yield
    except (MtlrunError, OSError, MemoryError):  # told elsewhere
        raise
    except Exception as error:
        raise ConfigError(f"{words}{reason(error)}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what torch's exporters print and log on their way."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir", "torch")]
    levels = [logger.level for logger in loggers]
    nowhere = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels):
                logger.setLevel(level)


def _relative(found: Any, wanted: Tensor, centre: Tensor | float) -> float:
    """The scale is at least what rounding the values themselves comes to: beside a large mean that is much."""
    one, two = torch.as_tensor(found).detach().double(), wanted.double()
    if one.shape != two.shape:
        return float("inf")
    rounding = 4 * torch.finfo(wanted.dtype).eps * float(two.abs().max()) if wanted.is_floating_point() else 0.0
    scale = max(float((two - centre).abs().max()), rounding / TOLERANCE, 1e-6)
    return float((one - two).abs().max()) / scale


def _centre(graph: Graph, task: str) -> Tensor | float:
    mean = graph.network.tasks[task].constants().get("mean")
    return 0.0 if graph.raw or mean is None else torch.tensor(mean, dtype=torch.float64)


def latency(call: Any, repeats: Sequence[int] = range(7)) -> float:
    """Milliseconds of a call: the median of a few, after two that warm up."""
    import statistics
    import time

    times = []
    for _ in (*range(2), *repeats):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[2:])
