"""Runs as objects for Python, with their networks; loads torch only for those."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtlrun.errors import ConfigError
from mtlrun.reporting.loading import LoadedRun, Runs
from mtlrun.reporting.loading import load as load_runs

if TYPE_CHECKING:
    from mtlrun.inference.trained import TrainedNetwork


class TrainedRun(LoadedRun):
    """A run that gives its network."""

    def network(self, checkpoint: str = "best", device: str = "cpu") -> TrainedNetwork:
        """The trained `torch.nn.Module`; see `TrainedNetwork`. Needs no data set, and works from any folder.

        Args:
            checkpoint: 'best' or 'last'.
            device: such as 'cpu', or whatever torch has.

        Raises:
            ResumeError: if there is no such checkpoint.
        """
        from mtlrun.inference.rebuild import trained_network

        return trained_network(self.path, checkpoint, device)

    def predict(self, inputs: Any, checkpoint: str = "best") -> list[dict[str, Any]]:
        """A dict for each input of these files and folders, as `mtlrun predict` writes them.

        Args:
            inputs: a file, a folder, or a list of them; or what `TrainedNetwork.predict` takes.
            checkpoint: 'best' or 'last'.

        Raises:
            DataError: for a file that cannot be read, or does not suit.
        """
        from mtlrun.inference.predict import predicted

        words = [inputs] if isinstance(inputs, str | Path) else inputs
        if not isinstance(words, list | tuple) or not all(isinstance(word, str | Path) for word in words):
            return self.network(checkpoint).predict(inputs)
        return predicted(self.path, [Path(word) for word in words], checkpoint)


class TrainedRuns(Runs):
    """Runs of a folder; where there is one, it is meant."""

    def __init__(self, runs: Sequence[TrainedRun]) -> None:
        super().__init__(runs)
        self._trained = tuple(runs)

    def network(self, checkpoint: str = "best", device: str = "cpu") -> TrainedNetwork:
        """Of the only run, see `TrainedRun.network`."""
        return self._only().network(checkpoint, device)

    def predict(self, inputs: Any, checkpoint: str = "best") -> list[dict[str, Any]]:
        """By the only run, see `TrainedRun.predict`."""
        return self._only().predict(inputs, checkpoint)

    def _only(self) -> TrainedRun:
        if len(self._trained) > 1:
            raise ConfigError(f"there are {len(self._trained)} runs: choose one, such as load(...)[0].network()")
        return self._trained[0]


def load(path: str | Path) -> TrainedRuns:
    """The runs at or below a folder; a single run is a sequence of one.

    Raises:
        ConfigError: if there is none.
    """
    return TrainedRuns([TrainedRun(run.path) for run in load_runs(path)])
