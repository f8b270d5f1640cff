"""MLflow tracking."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtlrun.errors import ConfigError
from mtlrun.loggers.base import Logger, flatten, optional_package

LOG = logging.getLogger(__name__)
ID_FILE = "mlflow_id.txt"
"""Holds the id of the MLflow run, so that a resumed run goes on with it."""
PARAMS_PER_REQUEST = 100  # MLflow's own limit
LONGEST_PARAM = 6000  # characters; MLflow's own limit
ENVIRONMENT = {
    "MLFLOW_ALLOW_FILE_STORE": "true",  # plain folders need no database; MLflow 3 asks for this consent
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down: 4 seconds instead of minutes
}
"""Defaults for MLflow's environment variables; the user's own values win."""


class MLflow(Logger):
    """One MLflow run per run folder. A server that fails during training costs figures, never the run.

    Args:
        folder: of the run.
        config: of the run; its leaves become MLflow parameters.
        tracking_uri: of a server or store; None for the folder `mlflow/` inside the run folder.
        experiment: name of the MLflow experiment.

    Raises:
        ConfigError: if MLflow is not installed, or the server or store does not answer.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        tracking_uri: str | None = None,
        experiment: str = "mtlrun",
    ) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._package = optional_package("mlflow", "mlflow")
        uri = tracking_uri or (folder / "mlflow").resolve().as_uri()
        try:
            self._client = self._package.MlflowClient(tracking_uri=uri)
            self._run_id = self._find_run(folder) or self._new_run(folder, config, experiment)
        except self._package.MlflowException as error:
            reason = str(error).strip().split("\n")[0]
            raise ConfigError(f"logger=mlflow: {reason} (logger.tracking_uri is {uri})") from error

    def log(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        entry = self._package.entities.Metric
        metrics = [entry(_allowed(name), value, now, step) for name, value in values.items()]
        try:
            self._client.log_batch(self._run_id, metrics=metrics)
        except self._package.MlflowException as error:
            LOG.warning("MLflow took no figures at step %d: %s", step, error)

    def close(self) -> None:
        try:
            self._client.set_terminated(self._run_id)
        except self._package.MlflowException as error:
            LOG.warning("MLflow could not mark its run as ended: %s", error)

    def _find_run(self, folder: Path) -> str | None:
        """The id that an earlier part of this run used."""
        path = folder / ID_FILE
        if not path.exists():
            return None
        run_id = path.read_text().strip()
        self._client.update_run(run_id, status="RUNNING")
        return run_id

    def _new_run(self, folder: Path, config: Mapping[str, Any], experiment: str) -> str:
        found = self._client.get_experiment_by_name(experiment)
        experiment_id = found.experiment_id if found else self._client.create_experiment(experiment)
        run_id = self._client.create_run(experiment_id, run_name=folder.name).info.run_id
        entry = self._package.entities.Param
        params = [entry(_allowed(name), str(value)[:LONGEST_PARAM]) for name, value in flatten(config).items()]
        for first in range(0, len(params), PARAMS_PER_REQUEST):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_PER_REQUEST])
        (folder / ID_FILE).write_text(run_id + "\n")
        return run_id


def _allowed(name: str) -> str:
    """The name without the characters that MLflow refuses."""
    return re.sub(r"[^\w\-./ ]", "_", name)
