import pytest
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy
from torchmetrics.detection import MeanAveragePrecision
from torchmetrics.regression import MeanSquaredError

from mtlrun.errors import ConfigError
from mtlrun.tasks.base import Task, compute_metrics
from mtlrun.tasks.classification import Classification
from mtlrun.tasks.detection import Detection


class Both(Metric):
    """Two numbers and a vector under names of their own; lower is better."""

    names = ("small", "large")
    higher_is_better = False

    def update(self, prediction: Tensor, target: Tensor) -> None:
        self.seen = prediction.dtype

    def compute(self) -> dict[str, Tensor]:
        return {"small": torch.tensor(1.0), "large": torch.tensor([2.0]), "vector": torch.ones(3)}


def task(**options: object) -> Task:
    return Classification("t", 2, **options)  # type: ignore[arg-type]


def test_a_metric_may_give_several_named_numbers() -> None:
    chosen = task(metrics={"both": Both(), "accuracy": MulticlassAccuracy(2)}, judge="large")
    assert not chosen.higher_is_better()
    metrics = chosen.make_metrics()
    chosen.update_metrics(metrics, torch.zeros(3, 2).bfloat16(), torch.zeros(3, dtype=torch.long))
    assert compute_metrics(metrics) == {"small": 1.0, "large": 2.0, "accuracy": 1.0}
    assert metrics["both"].seen == torch.float32


def test_no_rows_do_not_reach_the_metrics() -> None:
    metrics = {"both": Both()}
    task().update_metrics(metrics, torch.zeros(0, 2), torch.zeros(0, dtype=torch.long))
    assert not hasattr(metrics["both"], "seen")


def test_the_first_given_metric_judges() -> None:
    chosen = task(metrics={"mse": MeanSquaredError()})
    assert chosen.judge == "mse"
    assert not chosen.higher_is_better()


def test_metrics_are_fresh_each_time() -> None:
    chosen = task(metrics={"accuracy": MulticlassAccuracy(2)})
    first = chosen.make_metrics()
    chosen.update_metrics(first, torch.eye(2), torch.tensor([0, 1]))
    assert chosen.make_metrics()["accuracy"].update_count == 0


def test_an_unknown_judge_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="did you mean 'accuracy'"):
        task(metrics={"accuracy": MulticlassAccuracy(2)}, judge="acuracy")


def test_a_metric_of_many_unnamed_numbers_is_refused() -> None:
    metric = MulticlassAccuracy(2, average="none")
    metric.update(torch.tensor([0, 1]), torch.tensor([0, 1]))
    with pytest.raises(ConfigError, match="metric 'each' computes 2 numbers, not one: set its average"):
        compute_metrics({"each": metric})


def test_a_user_loss_is_averaged_per_row_or_refused() -> None:
    output, target = torch.tensor([[1.0, 3.0], [5.0, 5.0]]), torch.tensor([0, 1])
    averaged = task(loss=lambda output, target: output).losses(output, target)
    torch.testing.assert_close(averaged, torch.tensor([2.0, 5.0]))
    with pytest.raises(ConfigError, match=r"one value per row, found shape \(\): set reduction: none"):
        task(loss=lambda output, target: output.mean()).losses(output, target)


def test_a_user_head_is_called_with_what_it_needs() -> None:
    seen = {}

    def head(**given: object) -> torch.nn.Module:
        seen.update(given)
        return torch.nn.Identity()

    task(head=head).make_head([], (3, 8, 8))
    assert seen == {"features": [], "input_shape": (3, 8, 8), "outputs": 2}


def test_torchmetrics_own_mean_average_precision_fits_detection() -> None:
    chosen = Detection("t", ["car"], metrics={"map": MeanAveragePrecision()})
    metrics = chosen.make_metrics()
    chosen.update_metrics(metrics, torch.full((1, 5, 2, 2), -3.0), torch.tensor([[[0.0, 0, 0, 4, 4]]]))
    assert compute_metrics(metrics)["map_50"] < 0.5


def test_the_metrics_are_made_once_to_learn_their_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = task()
    assert chosen.higher_is_better()
    monkeypatch.setattr(chosen, "default_metrics", lambda: pytest.fail("made again"))
    assert chosen.higher_is_better("accuracy")
