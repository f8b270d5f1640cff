import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from mtlrun.errors import ConfigError, DataError
from mtlrun.tasks.base import compute_metrics
from mtlrun.tasks.span_extraction import SpanExtraction
from mtlrun.training.merge import set_states, states_of
from mtlrun.types import Feature

TEXT = [Feature("block1", 8, 1, carried=1), Feature("pool", 8, None)]
LENGTH = 9


def saying(*spans: tuple[int, int]) -> Tensor:
    """Logits [n, 2, L] of a network that is sure of these spans."""
    output = torch.zeros(len(spans), 2, LENGTH)
    for row, (first, last) in enumerate(spans):
        output[row, 0, first] = output[row, 1, last] = 9.0
    return output


def gold(*rows: list[tuple[int, int]]) -> Tensor:
    most = max(map(len, rows))
    return torch.tensor([[*row, *[(-1, -1)] * (most - len(row))] for row in rows])


def scores(output: Tensor, target: Tensor) -> dict[str, float]:
    task = SpanExtraction("t")
    metrics = task.make_metrics()
    for part in (slice(0, 1), slice(1, None)):
        task.update_metrics(metrics, output[part], target[part])
    return compute_metrics(metrics)


def test_loss_aims_at_the_first_answer_and_skips_rows_without_one() -> None:
    output, target = torch.randn(2, 2, LENGTH), gold([(3, 5), (2, 2)], [(-1, -1)])
    ends = [cross_entropy(output[:1, end], torch.tensor([position])) for end, position in ((0, 3), (1, 5))]
    expected = torch.stack([sum(ends) / 2, torch.tensor(0.0)])
    torch.testing.assert_close(SpanExtraction("t").losses(output, target), expected)


def test_the_best_span_is_the_best_of_all_that_are_allowed() -> None:
    output = torch.randn(50, 2, LENGTH)
    found = SpanExtraction("t", max_answer=4).predict(output)[:, 0].tolist()
    for row, span in enumerate(found):
        starts, ends = output[row].tolist()
        spans = [(a, b) for a in range(LENGTH) for b in range(a, min(a + 4, LENGTH)) if a or not b]
        assert tuple(span) == max(spans, key=lambda pair: starts[pair[0]] + ends[pair[1]])


def test_an_answer_never_ends_before_it_begins() -> None:
    output = torch.zeros(1, 2, LENGTH)
    output[0, 0, :6], output[0, 0, 6], output[0, 1, 2], output[0, 1, 7] = -9, 5, 9, 1
    assert SpanExtraction("t").predict(output).tolist() == [[[6, 7]]]


def test_a_limit_above_the_row_s_length_is_none() -> None:
    assert SpanExtraction("t", max_answer=99).predict(saying((1, 8))).tolist() == [[[1, 8]]]


def test_scores_by_hand() -> None:
    """Right | second answer right | 2 of 3 and 4 tokens | nothing in common | cut off: f1 1, 1, 4/7, 0, 0."""
    target = gold([(3, 3)], [(1, 2), (5, 6)], [(2, 4)], [(7, 8)], [(-1, -1)])
    found = scores(saying((3, 3), (5, 6), (3, 6), (1, 2), (1, 1)), target)
    assert found == pytest.approx({"exact_match": 2 / 5, "f1": (2 + 4 / 7) / 5})


def test_f1_agrees_with_sets_of_places() -> None:
    ends = torch.randint(1, LENGTH, (40, 4, 2)).sort(dim=2).values
    spans, target = ends[:, 0], ends[:, 1:]

    def f1(one: list[int], other: list[int]) -> float:
        mine, theirs = ({*range(span[0], span[1] + 1)} for span in (one, other))
        return 2 * len(mine & theirs) / (len(mine) + len(theirs))

    best = [max(f1(span, answer) for answer in row) for span, row in zip(spans.tolist(), target.tolist())]
    assert scores(saying(*map(tuple, spans.tolist())), target)["f1"] == pytest.approx(sum(best) / 40)


def test_several_processes_score_what_one_scores() -> None:
    task, output = SpanExtraction("t"), torch.randn(7, 2, LENGTH)
    target = torch.randint(1, LENGTH, (7, 3, 2)).sort(dim=2).values
    whole, merged, parts = task.make_metrics()["spans"], task.make_metrics()["spans"], []
    whole.update(*task.metric_inputs(output, target))
    for rank in (0, 1):
        part = task.make_metrics()["spans"]
        part.update(*task.metric_inputs(output[rank::2], target[rank::2]))
        parts.append(states_of(part))
    set_states(merged, parts, torch.tensor([0, 2, 4, 6, 1, 3, 5]).argsort())
    assert compute_metrics({"s": merged}) == compute_metrics({"s": whole})


@pytest.mark.parametrize("unanswerable", [False, True])
def test_head_chooses_among_the_words_of_the_second_text(unanswerable: bool) -> None:
    """Not its last token, the separator, wherever that is in the row."""
    head = SpanExtraction("t", unanswerable=unanswerable).make_head(TEXT, (6, 2))
    maps = torch.randn(3, 9, 1, 6)
    maps[:, 8, 0] = torch.tensor([[1.0, 1, 2, 2, 2, 0], [1, 1, 2, 2, 0, 0], [1, 2, 2, 2, 2, 2]])
    output = head([maps, torch.randn(3, 8)])
    assert output.shape == (3, 2, 6)
    allowed = output.softmax(2) > 0
    words = [[2, 3], [2], [1, 2, 3, 4]]
    for row, positions in enumerate(words):
        expected = [0] * unanswerable + positions
        assert [end.nonzero().squeeze(1).tolist() for end in allowed[row]] == [expected, expected]


def test_a_question_without_answer_points_at_the_first_token() -> None:
    output = torch.zeros(2, 2, LENGTH)
    output[0, :, 0] = 5
    output[1, 0, 0], output[1, 0, 4], output[1, 1, 4] = 5, 3, 3  # (0, 4) is no answer
    assert SpanExtraction("t", unanswerable=True).predict(output).tolist() == [[[0, 0]], [[4, 4]]]
    assert scores(saying((0, 0)), gold([(0, 0)])) == {"exact_match": 1, "f1": 1}


def test_half_precision_logits_have_a_finite_loss() -> None:
    head = SpanExtraction("t").make_head(TEXT, (6, 2)).half()
    maps = torch.ones(1, 9, 1, 6, dtype=torch.float16)
    maps[0, 8, 0, 3:] = 2
    assert SpanExtraction("t").losses(head([maps]), gold([(3, 4)])).isfinite().all()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (torch.zeros(2, 2).long(), "must have shape [N, G, 2], found (2, 2)"),
        (torch.ones(2, 1, 2), "must be whole numbers of at least 0, or -1 twice for none"),
        (gold([(3, -1)]), "or -1 twice for none"),
        (gold([(3, 2)]), "must not end before they begin"),
        (gold([(0, 0)]), "have no answer: set task.tasks.t.unanswerable=true"),
    ],
)
def test_bad_labels(target: Tensor, message: str) -> None:
    with pytest.raises(DataError) as error:
        SpanExtraction("t").check(target)
    assert message in str(error.value)


def test_good_labels_and_bad_options() -> None:
    SpanExtraction("t").check(gold([(1, 1), (2, 5)], [(-1, -1)]))
    SpanExtraction("t", unanswerable=True).check(gold([(0, 0)]))
    with pytest.raises(ConfigError, match="max_answer of task 't' must be a whole number of at least 1, found 0"):
        SpanExtraction("t", max_answer=0)
    assert SpanExtraction("t").judge == "f1"
    assert SpanExtraction("t", judge="exact_match").higher_is_better()


def test_description() -> None:
    task = SpanExtraction("t")
    assert task.describe(gold([(2, 4), (2, 2), (-1, -1)])[0]) == "2-4 or 2"
    assert task.describe(gold([(-1, -1)])[0]) == "cut off"
    assert task.describe(gold([(0, 0)])[0]) == "no answer"
    assert task.is_right(gold([(2, 4), (2, 2)])[0], gold([(2, 2)])[0])
    assert not task.is_right(gold([(2, 4)])[0], gold([(2, 2)])[0])
