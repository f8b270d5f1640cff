"""Against the real package; `pip install mtlrun[mlflow]` runs them."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mtlrun.errors import ConfigError
from mtlrun.loggers.mlflow import ENVIRONMENT, ID_FILE, STORE, MLflow
from mtlrun.runs.sweeps import RECORD

if TYPE_CHECKING:
    from mlflow import MlflowClient

pytestmark = pytest.mark.skipif(find_spec("mlflow") is None, reason="the extra 'mlflow' is not installed")

CONFIG = {"seed": 3, "task": {"name": "driving", "tasks": {"lane": {"_target_": "a.b"}}}, "tasks": ["lane"]}


@pytest.fixture(autouse=True)
def restored_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a run, in a folder `outputs`."""
    run = tmp_path / "outputs" / "day" / "run"
    run.mkdir(parents=True)
    return run


@pytest.fixture
def jobs(tmp_path: Path) -> list[Path]:
    """Two jobs of a sweep."""
    sweep = tmp_path / "outputs" / "day" / "sweep"
    folders = [sweep / name for name in ("0_seed-0", "1_seed-1")]
    for job in folders:
        job.mkdir(parents=True)
    (sweep / RECORD).touch()
    return folders


def client_of(store: str) -> MlflowClient:
    from mlflow import MlflowClient  # not above: each test process would import it to collect the tests

    return MlflowClient(tracking_uri=store)


def stored(folder: Path) -> tuple[MlflowClient, str]:
    run_id, uri = (folder / ID_FILE).read_text().split()
    return client_of(uri), run_id


def test_figures_and_configuration_can_be_read_back(folder: Path) -> None:
    logger = MLflow(folder, CONFIG, experiment="mine")
    logger.log(10, {"val/lane/iou": 0.5, "val/car/mAP@50": 0.25, "loss": math.nan})
    logger.log(20, {"val/lane/iou": 0.75})
    logger.summarise({"best/test/lane/iou": 0.625})
    logger.end("finished", None)
    client, run_id = stored(folder)
    run = client.get_run(run_id)
    assert [(m.step, m.value) for m in client.get_metric_history(run_id, "val/lane/iou")] == [
        (10, 0.5),
        (20, 0.75),
    ]
    assert run.data.metrics["val/car/mAP_50"] == 0.25
    assert run.data.metrics["best/test/lane/iou"] == 0.625
    assert run.data.params == {
        "seed": "3", "task.name": "driving", "task.tasks.lane._target_": "a.b", "tasks": "['lane']"
    }  # fmt: skip
    assert run.info.run_name == "run"
    assert client.get_experiment(run.info.experiment_id).name == "mine"
    assert (folder.parents[1] / STORE).is_dir()  # one for all of `outputs`


@pytest.mark.parametrize(
    ("ending", "reason", "state"),
    [("finished", None, "FINISHED"), ("failed", "NonFiniteError: at step 3", "FAILED"), ("interrupted", "x", "KILLED")],
)
def test_the_true_end(ending: str, reason: str | None, state: str, folder: Path) -> None:
    logger = MLflow(folder, CONFIG)
    logger.end(ending, reason)
    client, run_id = stored(folder)
    run = client.get_run(run_id)
    assert (run.info.status, run.data.tags["reason"]) == (state, reason or "")


def test_pictures_and_the_checkpoint_that_was_asked_for(folder: Path) -> None:
    for name in ("plots/cosines.png", "checkpoints/best.pt", "checkpoints/last.pt"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"content")
    logger = MLflow(folder, CONFIG, artifact="last")
    logger.picture(5, "plots/cosines", folder / "plots/cosines.png")
    logger.checkpoints(folder / "checkpoints")
    logger.close()
    client, run_id = stored(folder)
    names = [entry.path for path in ("plots", "checkpoints") for entry in client.list_artifacts(run_id, path)]
    assert names == ["plots/cosines.png", "checkpoints/last.pt"]


@pytest.mark.parametrize("store", ["folder", "sqlite"])
def test_jobs_are_nested_below_their_sweep(store: str, jobs: list[Path], tmp_path: Path) -> None:
    if store == "sqlite":
        pytest.importorskip("sqlalchemy", reason="mlflow needs it for a database")
        pytest.importorskip("alembic", reason="mlflow needs it for a database")
    uri = None if store == "folder" else f"sqlite:///{tmp_path}/mlflow.db"
    first, second = (MLflow(job, CONFIG, tracking_uri=uri) for job in jobs)
    client, parent = stored(jobs[0].parent)
    ids = [stored(job)[1] for job in jobs]
    assert [client.get_run(one).data.tags["mlflow.parentRunId"] for one in ids] == [parent, parent]
    assert client.get_run(parent).info.run_name == "sweep"
    first.end("finished", None)
    assert client.get_run(parent).info.status == "RUNNING"
    second.end("failed", "why")
    assert client.get_run(parent).info.status == "FAILED"
    again = MLflow(jobs[1], CONFIG)  # in the store that it knows
    again.log(1, {"loss": 1.0})
    again.end("finished", None)
    assert client.get_run(parent).info.status == "FINISHED"


def test_a_resumed_run_goes_on_in_the_same_run(folder: Path) -> None:
    killed = MLflow(folder, CONFIG)
    killed.log(1, {"loss": 1.0})
    killed.end("interrupted", "stopped by SIGTERM")
    resumed = MLflow(folder, {**CONFIG, "seed": 4})
    client, run_id = stored(folder)
    resumed.log(2, {"loss": 2.0})
    resumed._send()
    assert client.get_run(run_id).info.status == "RUNNING"
    resumed.end("finished", None)
    assert [m.step for m in client.get_metric_history(run_id, "loss")] == [1, 2]
    assert client.get_run(run_id).info.status == "FINISHED"


def test_a_refused_resume_leaves_the_run_as_it_ended(folder: Path) -> None:
    MLflow(folder, CONFIG).end("interrupted", "stopped by SIGTERM")
    MLflow(folder, CONFIG).end("failed", "other data")
    client, run_id = stored(folder)
    assert client.get_run(run_id).info.status == "KILLED"


def test_a_run_of_an_earlier_version_goes_on_in_its_own_store(folder: Path) -> None:
    own = (folder / "mlflow").as_uri()
    MLflow(folder, CONFIG, tracking_uri=own).close()
    run_id = stored(folder)[1]
    (folder / ID_FILE).write_text(run_id + "\n")
    MLflow(folder, CONFIG).log(1, {"loss": 1.0})
    assert client_of(own).get_run(run_id).info.run_id == run_id


def test_nulls_leave_the_choice_to_mlflows_variables(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = (tmp_path / "theirs").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "theirs")
    MLflow(folder, CONFIG).close()
    client, run_id = stored(folder)
    assert client.tracking_uri == uri
    assert client.get_experiment(client.get_run(run_id).info.experiment_id).name == "theirs"


def test_many_and_long_settings(folder: Path) -> None:
    MLflow(folder, {**{f"option{i}": i for i in range(250)}, "long": "x" * 10_000}).close()
    client, run_id = stored(folder)
    params = client.get_run(run_id).data.params
    assert len(params) == 251
    assert params["option249"] == "249"


def test_store_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ConfigError) as caught:
        MLflow(folder, CONFIG, tracking_uri="http://127.0.0.1:9")
    assert str(caught.value).startswith("logger=mlflow: API request to http://127.0.0.1:9/")
    assert str(caught.value).endswith("(logger.mlflow.tracking_uri is http://127.0.0.1:9)")
    assert "\n" not in str(caught.value)
