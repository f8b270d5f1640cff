"""Event files for TensorBoard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.atomic import complete_file
from mtlrun.loggers.base import Logger, flatten, optional_package
from mtlrun.runs.folder import Ending

_STATES = {"finished": "STATUS_SUCCESS", "failed": "STATUS_FAILURE", "interrupted": "STATUS_UNKNOWN"}
"""Of a session in TensorBoard's HParams, which knows no interrupted one."""

_HPARAMS = b"_hparams_/"
"""In the tags of a session's settings and its end."""


class TensorBoard(Logger):
    """Writes scalars, pictures, and the configuration as text and as HParams, into the run folder.

    Show every run of a folder with `tensorboard --logdir outputs`.

    Args:
        folder: of the run.
        config: of the run.
        subfolder: of the run folder, for the event files.
        flush_seconds: longest time for which figures are kept back.

    Raises:
        ConfigError: if TensorBoard is not installed.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        subfolder: str = "tensorboard",
        flush_seconds: int = 30,
    ) -> None:
        self._package = optional_package("torch.utils.tensorboard", "tensorboard")
        self._folder = Path(folder, subfolder)
        self._config = config
        self._flush_seconds = flush_seconds
        self._writer: Any = None
        self._step = 0
        self._scores: dict[str, float] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        if self._writer is None and values:
            self._writer = self._open(step)
        self._step = max(self._step, step)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def summarise(self, scores: Mapping[str, float]) -> None:
        self._scores = dict(scores)

    def picture(self, step: int, name: str, file: Path) -> None:
        if self._writer is None:
            return
        import numpy as np
        from PIL import Image

        with Image.open(file) as image:
            self._writer.add_image(name, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def end(self, ending: Ending, reason: str | None) -> None:
        """The state of the session stands in the HParams, the line in the text `end`."""
        if self._writer is not None:
            self._writer.add_text("end", f"{ending}: {reason}" if reason else ending, self._step)
            self._write_hparams(ending)
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self, step: int) -> Any:
        """Wait for the first figures: a resumed run hides what it wrote from their step on before."""
        resumed = any(self._folder.glob("events.*"))
        if resumed:
            _forget_end(self._folder)
        writer = self._package.SummaryWriter(
            str(self._folder), purge_step=step if resumed else None, flush_secs=self._flush_seconds
        )
        if not resumed:
            writer.add_text("config", "```json\n" + json.dumps(self._config, indent=2, default=str) + "\n```")
        return writer

    def _write_hparams(self, ending: Ending) -> None:
        """The settings, the final scores, and how the session ended."""
        from tensorboard.plugins.hparams.api_pb2 import Status
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
        from torch.utils.tensorboard.summary import hparams

        plain = {
            key: value if isinstance(value, bool | int | float) else str(value)
            for key, value in flatten(self._config).items()
        }
        experiment, start, end = hparams(plain, self._scores)
        content = HParamsPluginData.FromString(end.value[0].metadata.plugin_data.content)
        content.session_end_info.status = Status.Value(_STATES[ending])
        end.value[0].metadata.plugin_data.content = content.SerializeToString()
        for record in (experiment, start, end):
            self._writer.file_writer.add_summary(record)
        for name, value in self._scores.items():
            self._writer.add_scalar(name, value, self._step)


def _forget_end(folder: Path) -> None:
    """Take the HParams out of the files of a run that goes on: TensorBoard believes the first word on a session."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.summary.writer.record_writer import RecordWriter

    for path in folder.glob("events.*"):
        records = [*RawEventFileLoader(str(path)).Load()]
        kept = [record for record in records if _HPARAMS not in record]
        if len(kept) < len(records):
            with complete_file(path) as file:
                writer = RecordWriter(file)
                for record in kept:
                    writer.write(record)
