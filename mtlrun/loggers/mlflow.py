"""MLflow tracking."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from mtlrun.errors import ConfigError
from mtlrun.loggers.base import Logger, chosen_artifact, flatten, optional_package
from mtlrun.runs.folder import Ending
from mtlrun.runs.sweeps import sweep_of

ID_FILE = "mlflow_id.txt"
"""In the folder of a run or a sweep: the id of its MLflow run, and the address of the store where it goes on."""
LOCK = ".mlflow.lock"
STORE = "mlruns"
"""Folder of the default store."""
FIGURES_PER_REQUEST = 500  # MLflow's own limit is 1000
FLUSH_SECONDS = 5.0
"""Figures are kept back for so long at most, since a server is asked once for each batch."""
PARAMS_PER_REQUEST = 100  # MLflow's own limit
LONGEST_PARAM = 6000  # characters; MLflow's own limit
ENVIRONMENT = {
    "MLFLOW_ALLOW_FILE_STORE": "true",  # plain folders need no database; MLflow 3 asks for this consent
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down: 4 seconds instead of minutes
}
"""Defaults for MLflow's environment variables; the user's own values win."""
_STATES: Mapping[Ending, str] = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED"}


class MLflow(Logger):
    """One MLflow run per run folder; those of a sweep's jobs are nested below one for the sweep.

    An option that is None is left to MLflow's variables.

    Args:
        folder: of the run.
        config: of the run; its leaves become MLflow parameters.
        tracking_uri: of a server or store; None for $MLFLOW_TRACKING_URI, or else the folder `mlruns` in `outputs`.
        experiment: name; None for $MLFLOW_EXPERIMENT_NAME or $MLFLOW_EXPERIMENT_ID, or else mtlrun.
        artifact: checkpoint to keep as an artifact, 'best' or 'last'.

    Raises:
        ConfigError: if MLflow is not installed, or the server or store does not answer.
    """

    def __init__(
        self,
        folder: Path,
        config: Mapping[str, Any],
        tracking_uri: str | None = None,
        experiment: str | None = None,
        artifact: str | None = None,
    ) -> None:
        for name, value in ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        self._artifact = chosen_artifact(artifact, "mlflow")
        self._package = optional_package("mlflow", "mlflow")
        self._folder, self._config, self._experiment = folder, config, experiment
        self._pending: list[Any] = []
        self._sent, self._step, self._going = time.monotonic(), 0, False
        known, store = _known(folder)
        self._uri = tracking_uri or store or os.environ.get("MLFLOW_TRACKING_URI") or _default_store(folder)
        with self._answering():
            self._client = self._package.MlflowClient(tracking_uri=self._uri)
            self._sweep = self._sweep_run(sweep_of(folder))
            self._run_id = known or self._new_run()
            self._going = known is None  # a refused resume leaves the run as it ended

    def log(self, step: int, values: Mapping[str, float]) -> None:
        now, entry = int(time.time() * 1000), self._package.entities.Metric
        self._step = max(self._step, step)
        self._pending += [entry(_allowed(name), value, now, step) for name, value in values.items()]
        if len(self._pending) >= FIGURES_PER_REQUEST or time.monotonic() - self._sent > FLUSH_SECONDS:
            self._send()

    def summarise(self, scores: Mapping[str, float]) -> None:
        self.log(self._step, scores)

    def picture(self, step: int, name: str, file: Path) -> None:
        self._go_on()
        self._client.log_artifact(self._run_id, str(file), str(Path(name).parent))

    def checkpoints(self, folder: Path) -> None:
        if self._artifact is not None:
            self._go_on()
            self._client.log_artifact(self._run_id, str(folder / f"{self._artifact}.pt"), "checkpoints")

    def end(self, ending: Ending, reason: str | None) -> None:
        """The line why stands in the tag `reason`, and as the description that MLflow's pages show."""
        if not self._going and not self._pending:
            return
        self._send()
        self._client.set_tag(self._run_id, "reason", reason or "")
        self._client.set_tag(self._run_id, "mlflow.note.content", f"{ending}: {reason}" if reason else ending)
        self._close(_STATES[ending])

    def close(self) -> None:
        if self._going or self._pending:
            self._send()
            self._close("FINISHED")

    def _close(self, state: str) -> None:
        self._client.set_terminated(self._run_id, state)
        self._going = False
        if self._sweep is not None:
            self._end_sweep(*self._sweep)

    def _send(self) -> None:
        """Everything that is pending; what a server does not take is lost."""
        pending, self._pending, self._sent = self._pending, [], time.monotonic()
        self._go_on()
        for first in range(0, len(pending), FIGURES_PER_REQUEST):
            self._client.log_batch(self._run_id, metrics=pending[first : first + FIGURES_PER_REQUEST])

    def _go_on(self) -> None:
        if not self._going:
            self._client.update_run(self._run_id, status="RUNNING")
            self._going = True

    def _new_run(self) -> str:
        tags = {} if self._sweep is None else {"mlflow.parentRunId": self._sweep[1]}
        run_id = self._create(self._folder, tags)
        entry = self._package.entities.Param
        params = [entry(_allowed(name), str(value)[:LONGEST_PARAM]) for name, value in flatten(self._config).items()]
        for first in range(0, len(params), PARAMS_PER_REQUEST):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_PER_REQUEST])
        return run_id

    def _create(self, folder: Path, tags: Mapping[str, str]) -> str:
        made = self._client.create_run(self._experiment_id(), run_name=folder.resolve().name, tags=dict(tags))
        run_id: str = made.info.run_id
        (folder / ID_FILE).write_text(f"{run_id}\n{self._uri}\n")
        return run_id

    def _experiment_id(self) -> str:
        name = self._experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME")
        if name is None and os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return os.environ["MLFLOW_EXPERIMENT_ID"]
        found = self._client.get_experiment_by_name(name or "mtlrun")
        return str(found.experiment_id if found else self._client.create_experiment(name or "mtlrun"))

    def _sweep_run(self, sweep: Path | None) -> tuple[Path, str] | None:
        """Folder and MLflow run of the sweep. Its first job makes it; jobs that start together wait for one another."""
        if sweep is None:
            return None
        with FileLock(sweep / LOCK):
            known, _ = _known(sweep)
            return sweep, known or self._create(sweep, {"mtlrun.sweep": str(sweep)})

    def _end_sweep(self, sweep: Path, parent: str) -> None:
        """The state of the sweep's run: that of its jobs, as far as they have started."""
        with FileLock(sweep / LOCK):
            info = self._client.get_run(parent).info
            jobs = self._client.search_runs([info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
            states = {job.info.status for job in jobs}
            worst = next((state for state in ("RUNNING", "FAILED", "KILLED") if state in states), "FINISHED")
            if worst == "RUNNING":
                self._client.update_run(parent, status="RUNNING")
            else:
                self._client.set_terminated(parent, worst)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Tell in one line of a server or store that does not answer."""
        try:
            yield
        except self._package.MlflowException as error:
            reason = str(error).strip().split("\n")[0]
            raise ConfigError(f"logger=mlflow: {reason} (logger.mlflow.tracking_uri is {self._uri})") from error


def _known(folder: Path) -> tuple[str | None, str | None]:
    """Id and store of the MLflow run that an earlier part of this run, or another job of the sweep, has made."""
    path = folder / ID_FILE
    if not path.exists():
        return None, None
    run_id, *store = path.read_text().split("\n")
    own = (folder / "mlflow").resolve().as_uri()  # where earlier versions kept a store for each run
    return run_id.strip(), next(filter(None, store), own)


def _default_store(folder: Path) -> str:
    """One for all runs in the folder `outputs`; elsewhere beside the run, or its sweep."""
    top = sweep_of(folder) or folder.resolve()
    outputs = next((above for above in top.parents if above.name == "outputs"), top.parent)
    return (outputs / STORE).as_uri()


def _allowed(name: str) -> str:
    """The name without the characters that MLflow refuses."""
    return re.sub(r"[^\w\-./ ]", "_", name)
