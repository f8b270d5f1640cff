import math
import warnings

import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch.nn.functional import binary_cross_entropy_with_logits

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.multilabel import MultiLabel

NAN = math.nan


def scores(task: MultiLabel, logits: torch.Tensor, target: torch.Tensor) -> dict[str, float]:
    metrics = task.make_metrics()
    for part in (slice(0, 3), slice(3, None)):
        task.update_metrics(metrics, logits[part], target[part])
    return compute_metrics(metrics)


def test_loss_is_the_mean_over_known_entries() -> None:
    logits = torch.tensor([[0.0, 5.0], [2.0, -2.0], [1.0, 1.0]], requires_grad=True)
    target = torch.tensor([[1.0, NAN], [1.0, 0.0], [NAN, NAN]])
    losses = MultiLabel("t", 2).losses(logits, target)
    torch.testing.assert_close(losses, torch.tensor([0.693147, 0.126928, 0.0]))
    losses.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert logits.grad[0, 1] == 0


def test_loss_agrees_with_torch_where_everything_is_known() -> None:
    logits, target = torch.randn(6, 4), torch.randint(2, (6, 4)).float()
    expected = binary_cross_entropy_with_logits(logits, target, reduction="none").mean(1)
    torch.testing.assert_close(MultiLabel("t", 4).losses(logits, target), expected)


def test_metrics_agree_with_scikit_learn_on_known_entries() -> None:
    logits, target = torch.randn(80, 3), torch.randint(2, (80, 3)).float()
    target[torch.rand(80, 3) < 0.3] = NAN
    known = ~target.isnan()
    columns = [(target[known[:, k], k], logits[known[:, k], k]) for k in range(3)]
    found = scores(MultiLabel("t", 3), logits, target)
    assert found["auroc"] == pytest.approx(sum(roc_auc_score(*pair) for pair in columns) / 3)
    assert found["f1"] == pytest.approx(sum(f1_score(truth, logit > 0) for truth, logit in columns) / 3)
    assert found["accuracy"] == pytest.approx(((logits > 0) == target)[known].float().mean().item())


def test_auroc_leaves_out_labels_of_one_class_without_a_warning() -> None:
    logits = torch.tensor([[1.0, 0.3], [2.0, -1.0], [-1.0, 0.2], [-2.0, 2.0]])
    target = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, NAN], [0.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = scores(MultiLabel("t", 2), logits, target)
        alone = scores(MultiLabel("t", 1), logits[:, :1], target[:, :1])
    assert found["auroc"] == alone["auroc"] == pytest.approx(2 / 3)


def test_auroc_is_nan_where_no_label_has_both_classes() -> None:
    assert math.isnan(scores(MultiLabel("t", 2), torch.randn(4, 2), torch.zeros(4, 2))["auroc"])


def test_a_label_that_is_known_nowhere_counts_in_no_mean() -> None:
    logits = torch.tensor([[1.0, 0.3, 0.3], [2.0, -1.0, 1.0], [-1.0, 0.2, -1.0]])
    target = torch.tensor([[1.0, NAN, 1.0], [1.0, NAN, 0.0], [0.0, NAN, 0.0]])
    found = scores(MultiLabel("t", 3), logits, target)
    assert found == pytest.approx({"accuracy": 5 / 6, "f1": (1 + 2 / 3) / 2, "auroc": (1 + 1 / 2) / 2})


@pytest.mark.parametrize("labels", [1, 3])
def test_without_any_known_entry_there_is_no_score(labels: int) -> None:
    found = scores(MultiLabel("t", labels), torch.randn(4, labels), torch.full((4, labels), NAN))
    assert [*found] == ["accuracy", "f1", "auroc"]
    assert all(math.isnan(value) for value in found.values())


def test_judge() -> None:
    task = MultiLabel("t", ["a", "b"])
    assert task.judge == "auroc"
    assert task.higher_is_better()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.tensor([[0.0, 0.5]]), "labels of task 't' must be 0, 1 or NaN (not known), found 0.5"),
        (torch.tensor([[0.0, -1.0]]), "found -1"),
        (torch.zeros(3, 4), "must have shape [N, 2], found (3, 4)"),
    ],
)
def test_bad_labels(target: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError) as error:
        MultiLabel("t", 2).check(target)
    assert message in str(error.value)


def test_good_labels_and_bad_names() -> None:
    MultiLabel("t", ["a", "b"]).check(torch.tensor([[0.0, NAN], [1.0, 1.0]]))
    with pytest.raises(ConfigError, match="labels of task 't' names 'a' twice"):
        MultiLabel("t", ["a", "a"])


def test_description() -> None:
    task = MultiLabel("t", ["a", "b", "c"])
    assert task.describe(torch.tensor([1.0, 0.0, NAN])) == "a, c?"
    assert task.describe(torch.zeros(3)) == "none"
    assert task.is_right(torch.tensor([1.0, 0.0, NAN]), torch.tensor([1.0, 0.0, 1.0]))
