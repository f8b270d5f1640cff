import math

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.token_classification import TokenClassification
from mtlrun.training.merge import set_states, states_of
from mtlrun.types import Feature

TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
TEXT = [Feature("embedding", 6, 1, carried=1), Feature("block1", 8, 1, carried=1), Feature("pool", 8, None)]


def saying(tags: Tensor, classes: int = len(TAGS)) -> Tensor:
    """Logits of a network that is sure of these tags."""
    return one_hot(tags, classes).transpose(1, 2).float()


def scores(task: TokenClassification, output: Tensor, target: Tensor) -> dict[str, float]:
    metrics = task.make_metrics()
    for row in range(len(target)):
        task.update_metrics(metrics, output[row : row + 1], target[row : row + 1])
    return compute_metrics(metrics)


def entities(tags: list[int]) -> set[tuple[str, int, int]]:
    """By conlleval's rules, tag by tag."""
    found, kind, start = set(), "", 0
    for position, name in enumerate([*(TAGS[tag] for tag in tags), "O"]):
        if kind and (name == "O" or name.startswith("B-") or name[2:] != kind):
            found.add((kind, start, position - 1))
            kind = ""
        if name != "O" and not kind:
            kind, start = name[2:], position
    return found


def test_loss_is_the_mean_over_labelled_tokens() -> None:
    output, target = torch.randn(3, 5, 7, requires_grad=True), torch.randint(5, (3, 7))
    target[0, :4], target[2] = -1, -1
    losses = TokenClassification("t", TAGS).losses(output, target)
    expected = [cross_entropy(output[row : row + 1], target[row : row + 1], ignore_index=-1) for row in (0, 1)]
    torch.testing.assert_close(losses, torch.stack([*expected, torch.tensor(0.0)]))
    losses.sum().backward()
    assert output.grad is not None
    assert not output.grad[0, :, :4].any()


def test_class_weights_are_learned_from_labelled_tokens() -> None:
    task = TokenClassification("t", 2, class_weights="balanced")
    task.fit(torch.tensor([[0, 0, 0, -1], [1, -1, -1, -1]]))
    weights = task.class_weights.like(torch.zeros(1))
    assert weights is not None
    torch.testing.assert_close(weights, torch.tensor([4 / 6, 4 / 2]))


def test_entities_by_hand() -> None:
    """Labels: PER 1-2, LOC 4 | PER 0. Found: PER 1-2, LOC 4-5 | LOC 0 and PER 1."""
    target = torch.tensor([[-1, 1, 2, 0, 3, 0], [1, 0, 0, -1, -1, -1]])
    found = scores(
        TokenClassification("t", TAGS), saying(torch.tensor([[1, 1, 2, 0, 3, 4], [3, 1, 0, 1, 1, 1]])), target
    )
    expected = {"f1": 2 / 7, "precision": 1 / 4, "recall": 1 / 3, "f1_PER": 1 / 2, "f1_LOC": 0, "accuracy": 5 / 8}
    assert found == pytest.approx(expected)


def test_an_inner_tag_begins_an_entity_after_another_type() -> None:
    """I-PER, I-LOC | O, I-PER: three entities, whatever tag they begin with."""
    target = torch.tensor([[1, 3], [0, 1]])
    assert scores(TokenClassification("t", TAGS), saying(torch.tensor([[2, 4], [0, 2]])), target)["f1"] == 1


def test_an_entity_goes_on_behind_unlabelled_parts_of_words_but_not_into_the_next_row() -> None:
    target = torch.tensor([[1, -1, 2], [2, -1, 0]])
    task = TokenClassification("t", TAGS)
    assert scores(task, saying(torch.tensor([[1, 0, 2], [2, 3, 0]])), target)["f1"] == 1
    assert scores(task, saying(torch.tensor([[1, 0, 1], [2, 3, 0]])), target)["recall"] == 1 / 2


def test_random_tags_agree_with_a_count_tag_by_tag() -> None:
    target, chosen = torch.randint(5, (60, 9)), torch.randint(5, (60, 9))
    same = torch.rand(60, 9) < 0.7
    chosen = torch.where(same, target, chosen)
    rows = [(entities(wanted), entities(found)) for wanted, found in zip(target.tolist(), chosen.tolist())]
    right, wanted, found = (sum(len(part) for part in parts) for parts in zip(*((a & b, a, b) for a, b in rows)))
    result = scores(TokenClassification("t", TAGS), saying(chosen), target)
    assert 0.3 < result["f1"] < 0.9
    assert result["precision"] == pytest.approx(right / found)
    assert result["recall"] == pytest.approx(right / wanted)
    assert result["f1"] == pytest.approx(2 * right / (found + wanted))


def test_without_any_entity_there_is_no_score() -> None:
    task, nothing, one = TokenClassification("t", TAGS), torch.zeros(1, 4).long(), torch.tensor([[0, 1, 0, 0]])
    assert all(math.isnan(scores(task, saying(nothing), nothing)[name]) for name in ("f1", "precision", "recall"))
    missed = scores(task, saying(nothing), one)
    assert (missed["f1"], missed["precision"], missed["recall"]) == (0, 0, 0)


def test_several_processes_count_what_one_counts() -> None:
    task = TokenClassification("t", TAGS)
    target, output = torch.randint(-1, 5, (8, 6)), torch.randn(8, 5, 6)
    whole, merged, parts = task.make_metrics()["entities"], task.make_metrics()["entities"], []
    whole.update(*task.metric_inputs(output, target))
    for rank in (0, 1):
        part = task.make_metrics()["entities"]
        part.update(*task.metric_inputs(output[rank::2], target[rank::2]))
        parts.append(states_of(part))
    set_states(merged, parts, torch.arange(8).view(4, 2).T.flatten().argsort())
    assert compute_metrics({"e": merged}) == compute_metrics({"e": whole})


def test_judge_follows_the_class_names() -> None:
    assert TokenClassification("t", TAGS).judge == "f1"
    assert TokenClassification("t", ["NOUN", "VERB"]).judge == TokenClassification("t", 3).judge == "accuracy"
    assert TokenClassification("t", TAGS, judge="f1_LOC").higher_is_better()
    with pytest.raises(ConfigError, match="no metric of task 't' to judge by 'f1'"):
        TokenClassification("t", ["NOUN", "VERB"], judge="f1")


def test_accuracy_counts_labelled_tokens() -> None:
    target = torch.tensor([[0, 1, -1], [1, 1, 1]])
    found = scores(TokenClassification("t", 2), saying(torch.tensor([[0, 0, 1], [1, 1, 0]]), 2), target)
    assert found == {"accuracy": pytest.approx(3 / 5)}
    nothing = scores(TokenClassification("t", 2), saying(torch.tensor([[0, 1]]), 2), torch.tensor([[-1, -1]]))
    assert math.isnan(nothing["accuracy"])


def test_head_reads_the_last_map_without_what_it_carries() -> None:
    head = TokenClassification("t", TAGS).make_head(TEXT, (7, 2))
    maps = torch.randn(3, 9, 1, 7)
    outputs = head([torch.randn(3, 7, 1, 7), maps, torch.randn(3, 8)])
    assert outputs.shape == (3, 5, 7)
    other = maps.clone()
    other[:, 8] += 1
    torch.testing.assert_close(head([maps[:, :7], other, maps[:, :8, 0, 0]]), outputs)
    turned = head([maps[:, :7], maps.flip(3), maps[:, :8, 0, 0]])
    torch.testing.assert_close(turned, outputs.flip(2))


@pytest.mark.parametrize(
    ("features", "shape", "message"),
    [
        (TEXT, (3, 8, 8), "task 't' predicts per token and needs text (L, 2), found inputs (3, 8, 8)"),
        (
            [Feature("a", 4, None)],
            (8, 2),
            "none of this backbone's stages (a) puts out a map of tokens: choose backbone=",
        ),
    ],
)
def test_head_needs_text(features: list[Feature], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        TokenClassification("t", 2).make_head(features, shape)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.tensor([[5, 0]]), "labels of task 't' must be 0 to 4, or -1 for ignored, found 5"),
        (torch.zeros(3).long(), "must have shape [N, L], found (3,)"),
        (torch.zeros(3, 4), "must be class indices"),
    ],
)
def test_bad_labels(target: Tensor, message: str) -> None:
    with pytest.raises(DataError) as error:
        TokenClassification("t", TAGS).check(target)
    assert message in str(error.value)


def test_description() -> None:
    task = TokenClassification("t", TAGS)
    assert task.describe(torch.tensor([-1, 1, 2, 0, 4, 3, -1])) == "PER 1-2, LOC 4, LOC 5"
    assert task.describe(torch.tensor([-1, 0, 0])) == "none"
    assert TokenClassification("t", ["NOUN", "VERB"]).describe(torch.tensor([-1, 1, 0, -1])) == "VERB NOUN"


def test_of_a_prediction_only_labelled_tokens_are_drawn() -> None:
    task, axes = TokenClassification("t", TAGS), Figure().add_subplot()
    target, prediction = torch.tensor([-1, 1, 2, 0, -1]), torch.tensor([3, 1, 2, 0, 3])
    assert task.is_right(target, prediction)
    task.draw(axes, target, prediction)
    assert [text.get_text() for text in axes.texts] == ["PER 1-2"]
