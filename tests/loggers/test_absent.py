"""A logger whose package is not installed says which extra to install."""

import sys
from pathlib import Path

import pytest

from mtlrun.errors import ConfigError
from mtlrun.loggers.base import Logger
from mtlrun.loggers.mlflow import MLflow
from mtlrun.loggers.tensorboard import TensorBoard
from mtlrun.loggers.wandb import Wandb


@pytest.mark.parametrize(
    ("logger", "package", "extra"),
    [(TensorBoard, "tensorboard", "tensorboard"), (Wandb, "wandb", "wandb"), (MLflow, "mlflow", "mlflow")],
)
def test_absent_package(
    logger: type[Logger], package: str, extra: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith((f"{package}.", "torch.utils.tensorboard"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ConfigError) as caught:
        logger(folder=tmp_path, config={})
    assert str(caught.value).startswith(f"logger={extra} cannot start (")
    assert str(caught.value).endswith(f": pip install 'mtlrun[{extra}]', or choose logger=csv")
    assert "\n" not in str(caught.value)
    assert [*tmp_path.iterdir()] == []
