import json
import time
from pathlib import Path

import pytest

from mtlrun.loggers.tensorboard import TensorBoard

pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

CONFIG = {"seed": 3, "tasks": ["lane"]}


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def scalars(events: EventAccumulator, name: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_figures_and_configuration_can_be_read_back(tmp_path: Path) -> None:
    logger = TensorBoard(tmp_path, CONFIG)
    logger.log(10, {"val/lane/iou": 0.5, "train/loss": 2.0})
    logger.log(20, {"val/lane/iou": 0.75})
    logger.close()
    logger.close()
    events = read(tmp_path / "tensorboard")
    assert scalars(events, "val/lane/iou") == [(10, 0.5), (20, 0.75)]
    assert scalars(events, "train/loss") == [(10, 2.0)]
    text = events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert json.loads(text.removeprefix("```json\n").removesuffix("\n```")) == CONFIG


def test_resumed_run_hides_what_comes_after_its_checkpoint(tmp_path: Path) -> None:
    killed = TensorBoard(tmp_path, CONFIG)
    for step in (1, 2, 3, 4):
        killed.log(step, {"loss": float(step)})
    killed.close()
    time.sleep(1.1)  # files are read in the order of their names, which begin with the second they were made in
    resumed = TensorBoard(tmp_path, CONFIG)
    resumed.log(3, {"loss": 30.0})
    resumed.log(4, {"loss": 40.0})
    resumed.close()
    assert scalars(read(tmp_path / "tensorboard"), "loss") == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]


def test_runs_stay_apart(tmp_path: Path) -> None:
    for job in ("0", "1"):
        (tmp_path / job).mkdir()
        logger = TensorBoard(tmp_path / job, CONFIG, subfolder="events")
        logger.log(1, {"loss": float(job)})
        logger.close()
    assert [scalars(read(tmp_path / job / "events"), "loss") for job in "01"] == [[(1, 0.0)], [(1, 1.0)]]


def test_nothing_logged_leaves_no_file(tmp_path: Path) -> None:
    TensorBoard(tmp_path, CONFIG).close()
    assert [*tmp_path.iterdir()] == []


def hparams(folder: Path) -> dict[str, HParamsPluginData]:
    """The HParams records by tag."""
    metadata = read(folder).summary_metadata
    return {tag: HParamsPluginData.FromString(found.plugin_data.content) for tag, found in metadata.items()}


@pytest.mark.parametrize(
    ("ending", "reason", "state"),
    [
        ("finished", None, "STATUS_SUCCESS"),
        ("failed", "NonFiniteError: at step 3", "STATUS_FAILURE"),
        ("interrupted", "stopped by SIGTERM", "STATUS_UNKNOWN"),
    ],
)
def test_settings_final_scores_and_the_end_stand_in_hparams(
    ending: str, reason: str | None, state: str, tmp_path: Path
) -> None:
    logger = TensorBoard(tmp_path, {"seed": 3, "optimizer": {"lr": 0.5, "name": "adam"}, "tasks": None})
    logger.log(10, {"train/loss": 2.0})
    logger.summarise({"best/test/lane/iou": 0.75})
    logger.end(ending, reason)
    found = hparams(tmp_path / "tensorboard")
    session = found["_hparams_/session_start_info"].session_start_info
    assert session.hparams["optimizer.lr"].number_value == 0.5
    assert session.hparams["tasks"].string_value == "None"
    assert found["_hparams_/session_end_info"].session_end_info.status == Status.Value(state)
    (metric,) = found["_hparams_/experiment"].experiment.metric_infos
    assert metric.name.tag == "best/test/lane/iou"
    events = read(tmp_path / "tensorboard")
    assert scalars(events, "best/test/lane/iou") == [(10, 0.75)]
    text = events.Tensors("end/text_summary")[0].tensor_proto.string_val[0].decode()
    assert text == (f"{ending}: {reason}" if reason else ending)


def test_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (255, 0, 0)).save(tmp_path / "cosines.png")
    logger = TensorBoard(tmp_path, CONFIG)
    logger.log(1, {"loss": 1.0})
    logger.picture(4, "plots/cosines", tmp_path / "cosines.png")
    logger.close()
    (image,) = read(tmp_path / "tensorboard").Images("plots/cosines")
    assert (image.step, image.width, image.height) == (4, 3, 2)
