import pytest
import torch
from sklearn.metrics import f1_score
from torch.nn.functional import cross_entropy

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.classification import Classification
from mtlrun.types import Feature


def test_loss_is_cross_entropy_per_row_and_float32_from_half() -> None:
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    losses = Classification("t", 2).losses(logits.bfloat16(), torch.tensor([0, 1]))
    assert losses.dtype == torch.float32
    torch.testing.assert_close(losses, torch.tensor([0.126928, 0.693147]))


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("weights", [None, [0.5, 2.0, 1.0]])
def test_loss_agrees_with_torch(smoothing: float, weights: list[float] | None) -> None:
    logits, labels = torch.randn(7, 3), torch.randint(3, (7,))
    task = Classification("t", 3, label_smoothing=smoothing, class_weights=weights)
    tensor = None if weights is None else torch.tensor(weights)
    expected = cross_entropy(logits, labels, tensor, label_smoothing=smoothing, reduction="none")
    torch.testing.assert_close(task.losses(logits, labels), expected)


@pytest.mark.parametrize(("rule", "expected"), [("balanced", [4 / 6, 4 / 2]), ("sqrt", [0.8453, 1.4641])])
def test_class_weights_from_the_training_labels(rule: str, expected: list[float]) -> None:
    """3 and 1 of 4 rows: balanced is 4 / (2 * count); sqrt is 3^-1/2 to 1, with mean 1 over the rows."""
    labels = torch.tensor([0, 0, 0, 1])
    task = Classification("t", 2, class_weights=rule)
    task.fit(labels)
    losses = task.losses(torch.zeros(4, 2), labels)
    torch.testing.assert_close(losses[[0, 3]] / 0.693147, torch.tensor(expected), atol=1e-4, rtol=0)
    assert losses.mean() == pytest.approx(0.693147, abs=1e-5)


def test_a_class_that_never_occurs_gets_a_finite_weight() -> None:
    task = Classification("t", 3, class_weights="balanced")
    task.fit(torch.tensor([0, 1]))
    assert task.losses(torch.zeros(1, 3), torch.tensor([2])).isfinite().all()


def test_metrics_agree_with_scikit_learn_over_batches() -> None:
    logits, labels = torch.randn(60, 4), torch.randint(4, (60,))
    task = Classification("t", 4)
    metrics = task.make_metrics()
    for part in (slice(0, 25), slice(25, 25), slice(25, 60)):
        task.update_metrics(metrics, logits[part], labels[part])
    chosen = logits.argmax(1)
    assert compute_metrics(metrics) == pytest.approx(
        {
            "accuracy": (chosen == labels).float().mean().item(),
            "f1": f1_score(labels, chosen, average="macro"),
        }
    )


def test_judge_and_direction() -> None:
    assert Classification("t", 2).judge == "accuracy"
    assert Classification("t", 2, judge="f1").higher_is_better()


@pytest.mark.parametrize(("feature", "shape"), [(Feature("c", 6, 4), (5, 6, 3, 1)), (Feature("v", 6, None), (5, 6))])
def test_head_takes_maps_and_vectors(feature: Feature, shape: tuple[int, ...]) -> None:
    head = Classification("t", 10, hidden=[50], dropout=0.5).make_head([Feature("x", 3, 2), feature], (3, 9, 9))
    outputs = head([torch.randn(5, 3, 5, 5), torch.randn(shape)])
    assert outputs.shape == (5, 10)
    assert [parameter.numel() for parameter in head.parameters()] == [300, 50, 500, 10]


def test_head_averages_a_map() -> None:
    head = Classification("t", 2).make_head([Feature("c", 6, 4)], (3, 9, 9)).eval()
    maps = torch.randn(2, 6, 3, 5)
    torch.testing.assert_close(head([maps]), head([maps.mean((2, 3))]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 1}, "classes of task 't' must name at least 2, found ['0']"),
        ({"classes": "cat"}, "classes of task 't' must be a number or a list of names, found 'cat'"),
        ({"classes": None}, "must be a number or a list of names, found None"),
        ({"classes": ["a", "b", "a"]}, "classes of task 't' names 'a' twice"),
        (
            {"classes": 3, "label_smoothing": 1},
            "label_smoothing of task 't' must be at least 0 and below 1, found 1",
        ),
        ({"classes": 3, "dropout": -0.1}, "dropout of task 't' must be at least 0 and below 1, found -0.1"),
        (
            {"classes": 3, "hidden": [50, 0]},
            "hidden of task 't' must be a whole number of at least 1, found 0",
        ),
        (
            {"classes": 3, "class_weights": [1, 2]},
            "class_weights of task 't' must be 3 numbers of at least 0",
        ),
        ({"classes": 3, "class_weights": "balance"}, "did you mean 'balanced'?"),
        ({"classes": 3, "judge": "acuracy"}, "no metric of task 't' to judge by 'acuracy'; did you mean"),
    ],
)
def test_bad_arguments(options: dict, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Classification("t", **options)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (torch.tensor([0, 3, -1]), "labels of task 't' must be 0 to 2, found -1, 3"),
        (torch.tensor([0.0, 1.0]), "must be class indices (integers), found torch.float32"),
        (torch.zeros(4, 1, dtype=torch.long), "must have shape [N], found (4, 1)"),
    ],
)
def test_bad_labels(labels: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError) as error:
        Classification("t", 3).check(labels)
    assert message in str(error.value)


def test_good_labels_pass() -> None:
    Classification("t", 3).check(torch.tensor([0, 1, 2, 2], dtype=torch.uint8))


def test_always_naming_the_most_frequent_training_class():
    task = Classification("a", 3)
    train, test = torch.tensor([2, 2, 0]), torch.tensor([2, 1, 0, 2])
    assert task.trivial_scores(train, test) == {"accuracy": 0.5}
    assert task.trivial_scores(train, test[:0]) == {}


def test_the_head_may_leave_its_inputs_whole() -> None:
    kinds = [type(layer).__name__ for layer in _layers(drop_inputs=False)]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear"]
    assert [type(layer).__name__ for layer in _layers()] == ["Dropout", *kinds]


def _layers(**options: bool) -> list[torch.nn.Module]:
    task = Classification("t", 3, hidden=[4], dropout=0.5, **options)
    return [*task.make_head([Feature("fc", 5, None)], (1, 8, 8)).layers]
