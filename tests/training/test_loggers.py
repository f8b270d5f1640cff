"""What loggers hold after real runs: finished, failed, interrupted and resumed."""

import csv
import os
import signal
from importlib.util import find_spec

import pytest
from PIL import Image

from mtlrun.cli.main import main
from mtlrun.errors import NonFiniteError
from mtlrun.experiment.endings import ending
from mtlrun.loggers.mlflow import ENVIRONMENT
from mtlrun.training.trainer import Trainer

pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

WITH_MLFLOW = find_spec("mlflow") is not None
LOGGERS = "logger=[tensorboard,mlflow]" if WITH_MLFLOW else "logger=[tensorboard,csv]"
STATES = {"FINISHED": "STATUS_SUCCESS", "FAILED": "STATUS_FAILURE", "KILLED": "STATUS_UNKNOWN"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch):
    for name, value in {**ENVIRONMENT, "MLFLOW_DISABLE_TELEMETRY": "true"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(autouse=True)
def _one_plot(monkeypatch):
    """Drawing them all takes longer than the training."""

    def plot(run):
        (run.path / "plots").mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(run.path / "plots/cosines.png")

    monkeypatch.setattr("mtlrun.reporting.plots.plot_run", plot)


def events(folder):
    return EventAccumulator(str(folder / "tensorboard")).Reload()


def end(folder):
    """The state of the run in MLflow's words, and the line that says why; both loggers agree."""
    read = events(folder)
    record = read.summary_metadata["_hparams_/session_end_info"].plugin_data.content
    state = Status.Name(HParamsPluginData.FromString(record).session_end_info.status)
    words = read.Tensors("end/text_summary")[-1].tensor_proto.string_val[0].decode()
    reason = words.partition(": ")[2]
    if WITH_MLFLOW:
        run = mlflow_run(folder)
        assert (STATES[run.info.status], run.data.tags["reason"]) == (state, reason)
    return state, reason


def mlflow_run(folder):
    from mlflow import MlflowClient

    run_id, uri = (folder / "mlflow_id.txt").read_text().split()
    return MlflowClient(tracking_uri=uri).get_run(run_id)


def test_a_finished_run(train):
    result = train(LOGGERS, "diagnostics.plots=true", "diagnostics.every=1", "trainer.epochs=2", "balancer=pcgrad")
    assert end(result.folder) == ("STATUS_SUCCESS", "")
    read = events(result.folder)
    with open(result.folder / "cosines.csv") as file:
        rows = [row for row in csv.DictReader(file) if (row["task_a"], row["task_b"]) == ("shape", "length")]
    logged = [(event.step, event.value) for event in read.Scalars("cosine/shape/length")]
    assert [step for step, _ in logged] == [int(row["step"]) for row in rows]
    assert [value for _, value in logged] == pytest.approx([float(row["cosine"]) for row in rows], abs=1e-5)
    names = {"batch/shape/loss", "batch/shape/weight", "batch/shape/grad_norm", "learning_rate", "rows_per_second"}
    assert names <= {*read.Tags()["scalars"]}
    assert [image.step for image in read.Images("plots/cosines")] == [result.summary["steps"]]
    best = result.summary["tasks"]["shape"]["best"]["test"]["accuracy"]
    assert read.Scalars("best/test/shape/accuracy")[-1].value == pytest.approx(best)
    if WITH_MLFLOW:
        assert mlflow_run(result.folder).data.metrics["best/test/shape/accuracy"] == best


def test_a_diverged_run_has_failed(train, tmp_path):
    with pytest.raises(NonFiniteError) as caught:
        train(LOGGERS, "optimizer=sgd", "optimizer.lr=1e30")
    assert end(tmp_path / "run") == ("STATUS_FAILURE", f"NonFiniteError: {caught.value}")


def test_an_interrupted_run_goes_on_in_the_same_run(train, tmp_path, monkeypatch, capsys):
    step = Trainer._step

    def stopping(trainer, batch):
        step(trainer, batch)
        if trainer.position.step == 10:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Trainer, "_step", stopping)
    with pytest.raises(SystemExit):
        train(LOGGERS, "trainer.log_every=1")
    monkeypatch.setattr(Trainer, "_step", step)
    folder = tmp_path / "run"
    assert end(folder) == ("STATUS_UNKNOWN", "stopped by SIGTERM")
    assert main(["resume", str(folder)]) == 0, capsys.readouterr().err
    assert end(folder) == ("STATUS_SUCCESS", "")
    assert [event.step for event in events(folder).Scalars("batch/shape/loss")] == [*range(21)]
    if WITH_MLFLOW:
        assert len([*(tmp_path / "mlruns").glob("*/*/meta.yaml")]) == 1


def test_a_refused_resume_is_no_end(train, tmp_path, capsys):
    train(LOGGERS)
    before = end(tmp_path / "run")
    assert main(["resume", str(tmp_path / "run"), "trainer.epochs=1"]) == 2
    assert end(tmp_path / "run") == before == ("STATUS_SUCCESS", "")


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (KeyboardInterrupt(), ("interrupted", "stopped by SIGINT")),
        (SystemExit(140), ("interrupted", "stopped by SIGUSR2")),
        (NonFiniteError("the loss\nis NaN"), ("failed", "NonFiniteError: the loss is NaN")),
    ],
)
def test_how_a_run_ends(error, ended):
    assert ending(error) == ended
