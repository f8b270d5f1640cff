"""Against the real package; `pip install mtlrun[mlflow]` runs them."""

import logging
import math
from pathlib import Path

import pytest

from mtlrun.errors import ConfigError
from mtlrun.loggers.mlflow import ENVIRONMENT, ID_FILE, MLflow

mlflow = pytest.importorskip("mlflow", reason="the extra 'mlflow' is not installed")

CONFIG = {"seed": 3, "task": {"name": "driving", "tasks": {"lane": {"_target_": "a.b"}}}, "tasks": ["lane"]}


@pytest.fixture(autouse=True)
def restored_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    job = tmp_path / "sweep" / "3"
    job.mkdir(parents=True)
    return job


def stored(folder: Path) -> tuple["mlflow.MlflowClient", str]:
    client = mlflow.MlflowClient(tracking_uri=(folder / "mlflow").as_uri())
    return client, (folder / ID_FILE).read_text().strip()


def test_figures_and_configuration_can_be_read_back(folder: Path) -> None:
    logger = MLflow(folder, CONFIG, experiment="mine")
    logger.log(10, {"val/lane/iou": 0.5, "val/car/mAP@50": 0.25, "loss": math.nan})
    logger.log(20, {"val/lane/iou": 0.75})
    logger.close()
    client, run_id = stored(folder)
    run = client.get_run(run_id)
    assert [(m.step, m.value) for m in client.get_metric_history(run_id, "val/lane/iou")] == [
        (10, 0.5),
        (20, 0.75),
    ]
    assert run.data.metrics["val/car/mAP_50"] == 0.25
    assert run.data.params == {
        "seed": "3", "task.name": "driving", "task.tasks.lane._target_": "a.b", "tasks": "['lane']"
    }  # fmt: skip
    assert run.info.run_name == "3"
    assert run.info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == "mine"


def test_resumed_run_goes_on(folder: Path) -> None:
    MLflow(folder, CONFIG).log(1, {"loss": 1.0})
    resumed = MLflow(folder, {**CONFIG, "seed": 4})
    client, run_id = stored(folder)
    assert client.get_run(run_id).info.status == "RUNNING"
    resumed.log(2, {"loss": 2.0})
    resumed.close()
    assert [m.step for m in client.get_metric_history(run_id, "loss")] == [1, 2]


def test_many_and_long_settings(folder: Path) -> None:
    MLflow(folder, {**{f"option{i}": i for i in range(250)}, "long": "x" * 10_000}).close()
    client, run_id = stored(folder)
    params = client.get_run(run_id).data.params
    assert len(params) == 251
    assert params["option249"] == "249"


def test_jobs_share_a_store_but_not_a_run(folder: Path) -> None:
    uri = (folder.parent / "store").as_uri()
    ids = []
    for job in (folder, folder.parent / "4"):
        job.mkdir(exist_ok=True)
        MLflow(job, CONFIG, tracking_uri=uri).close()
        ids.append((job / ID_FILE).read_text())
    assert ids[0] != ids[1]


def test_store_that_does_not_answer(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(ConfigError) as caught:
        MLflow(folder, CONFIG, tracking_uri="http://127.0.0.1:9")
    assert str(caught.value).startswith("logger=mlflow: API request to http://127.0.0.1:9/")
    assert str(caught.value).endswith("(logger.tracking_uri is http://127.0.0.1:9)")
    assert "\n" not in str(caught.value)


def test_failure_during_training_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logger = MLflow(folder, CONFIG)

    def fail(*_: object, **__: object) -> None:
        raise mlflow.MlflowException("server is gone")

    monkeypatch.setattr(logger._client, "log_batch", fail)
    monkeypatch.setattr(logger._client, "set_terminated", fail)
    with caplog.at_level(logging.WARNING):
        logger.log(7, {"loss": 1.0})
        logger.close()
    assert [record.getMessage() for record in caplog.records] == [
        "MLflow took no figures at step 7: server is gone",
        "MLflow could not mark its run as ended: server is gone",
    ]
