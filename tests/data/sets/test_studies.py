"""The studies' data has the properties that their theory starts from."""

import inspect
from math import erf, sqrt
from pathlib import Path

import pytest
import torch
import yaml

from mtlrun.balancers import load as load_balancer
from mtlrun.data.sets import study_conflict as conflict
from mtlrun.data.sets import study_scales as scales
from mtlrun.data.sets import study_scarce as scarce
from mtlrun.data.sets import study_shortcut as shortcut
from mtlrun.data.sets import study_subspace as subspace
from mtlrun.errors import ConfigError
from mtlrun.linalg.gram import cosines, gram_matrix

CONF = Path(__file__).parents[3] / "conf"
STUDIES = {"subspace": subspace, "scarce": scarce, "scales": scales, "conflict": conflict, "shortcut": shortcut}


def rows(splits, split, task):
    """Inputs and targets of a task's labelled rows."""
    (source,) = getattr(splits, split)
    inputs, targets = source.fetch(source.labelled(task).nonzero().squeeze(1))
    return inputs, targets[task]


def least_squares(inputs, targets):
    return torch.linalg.lstsq(inputs, targets[:, None]).solution[:, 0]


@pytest.mark.parametrize("name", STUDIES)
def test_yaml_states_every_option_with_its_default(name):
    stated = yaml.safe_load((CONF / "data" / f"study_{name}.yaml").read_text())
    assert stated.pop("_target_") == f"mtlrun.data.sets.study_{name}.load"
    assert stated == {option: p.default for option, p in inspect.signature(STUDIES[name].load).parameters.items()}


def test_every_study_has_a_file_a_task_set_and_a_place_here():
    files = {path.stem.removeprefix("study_") for path in Path(subspace.__file__).parent.glob("study_*.py")}
    sets = {path.stem.removeprefix("study_") for path in (CONF / "task").glob("study_*.yaml")}
    assert files == sets == {*STUDIES}


@pytest.mark.parametrize("name", STUDIES)
def test_task_set_says_theory_and_command_first(name):
    first, theory, command = (CONF / "task" / f"study_{name}.yaml").read_text().splitlines()[:3]
    assert first == "# @package _global_"
    assert len(theory) > 60
    assert command.startswith(f"# mtlrun -m task=study_{name} ")


@pytest.mark.parametrize("name", STUDIES)
def test_same_seed_same_data_other_seed_other_data(name):
    first, again, other = (STUDIES[name].load(seed=seed) for seed in (1, 1, 2))
    for split in ("train", "val", "test"):
        inputs = [getattr(splits, split)[0].fetch(torch.arange(5))[0] for splits in (first, again, other)]
        assert torch.equal(inputs[0], inputs[1])
        assert not torch.equal(inputs[0], inputs[2])


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("subspace", {"vectors": "subspce"}, "no data.vectors 'subspce'; did you mean 'subspace'?"),
        ("subspace", {"vectors": "orthogonal", "tasks": 9, "dimensions": 8}, "data.dimensions=9 or more, found 8"),
        ("subspace", {"rank": 0}, "data.rank should be a whole number from 1 to 10000000, found 0"),
        ("subspace", {"noise": -1}, "data.noise must be a finite number of at least 0, found -1"),
        ("scarce", {"relatedness": 1.5}, "data.relatedness must be a number from 0 to 1, found 1.5"),
        ("scarce", {"scarce_rows": 2.5}, "data.scarce_rows should be a whole number from 1 to 10000000, found 2.5"),
        ("scales", {"unit": "km"}, "no data.unit 'km'"),
        ("scales", {"dimensions": 5}, "data.dimensions should be a whole number from 6 to 10000000, found 5"),
        ("conflict", {"rows": True}, "data.rows should be a whole number"),
        *(
            (name, {"dimensions": 10**7, "held_out": 10**6}, "e+13 in all")
            for name in ("scarce", "scales", "conflict", "shortcut")
        ),
        ("subspace", {"tasks": 10**7}, "at most 1e+12 are drawn: choose fewer rows, or smaller ones"),
        ("shortcut", {"agreement": "all"}, "data.agreement must be a number from 0 to 1, found 'all'"),
    ],
)
def test_impossible_options_are_refused(name, options, message):
    with pytest.raises(ConfigError) as caught:
        STUDIES[name].load(**options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("vectors", "rank"), [("subspace", 2), ("orthogonal", 8)])
def test_true_vectors_span_what_they_are_said_to(vectors, rank):
    splits = subspace.load(vectors=vectors, rows=200, noise=0.0)
    truth = torch.stack([least_squares(*rows(splits, "train", task)) for task in splits.inferred])
    torch.testing.assert_close(truth.norm(dim=1), torch.ones(8), atol=1e-4, rtol=0)
    assert torch.linalg.matrix_rank(truth, atol=1e-3) == rank
    if vectors == "orthogonal":
        torch.testing.assert_close(truth @ truth.T, torch.eye(8), atol=1e-3, rtol=0)


def test_excess_risk_of_least_squares_is_what_theory_says():
    """s^2 d / (n - d - 1), the mean over tasks and data sets."""
    found = []
    for seed in range(5):
        splits = subspace.load(seed=seed)
        for task in splits.inferred:
            inputs, targets = rows(splits, "test", task)
            found.append((inputs @ least_squares(*rows(splits, "train", task)) - targets).square().mean() - 0.25)
    assert torch.stack(found).mean().item() == pytest.approx(0.25 * 50 / 49, rel=0.1)


@pytest.mark.parametrize("relatedness", [1.0, 0.6, 0.0])
def test_relatedness_is_the_cosine_of_the_true_vectors(relatedness):
    splits = scarce.load(relatedness=relatedness, noise=0.0)
    vectors = [least_squares(*rows(splits, "test", task)) for task in ("scarce", "ample")]
    assert torch.cosine_similarity(*vectors, dim=0).item() == pytest.approx(relatedness, abs=1e-4)


def test_the_scarce_rows_do_not_change_with_relatedness():
    one, other = (scarce.load(relatedness=value) for value in (1.0, 0.2))
    for mine, theirs in zip(rows(one, "train", "scarce"), rows(other, "train", "scarce")):
        assert torch.equal(mine, theirs)


def test_units_change_the_distance_alone():
    metres, millimetres = (scales.load(unit=unit) for unit in ("m", "mm"))
    torch.testing.assert_close(rows(millimetres, "val", "distance")[1], rows(metres, "val", "distance")[1] * 1000)
    for task, part in (("kind", 0), ("kind", 1), ("distance", 0)):
        assert torch.equal(rows(millimetres, "val", task)[part], rows(metres, "val", task)[part])
    assert torch.bincount(rows(metres, "train", "kind")[1]).min() > 150


def test_settled_uncertainty_gives_the_same_shared_update_in_both_units():
    """The same network: in millimetres loss and gradient of the distance are 10^6 times as large."""
    losses, rows_TP = torch.tensor([700.0, 1.2]), torch.randn(2, 30, generator=torch.Generator().manual_seed(0))
    rows_TP *= torch.tensor([[400.0], [0.5]])
    updates = []
    for factor in (1.0, 1e6):
        scale = torch.tensor([factor, 1.0])
        balancer = load_balancer("uncertainty", initial=25.0, lr=0.05)
        for _ in range(1000):
            weights, update = balancer.combine(losses * scale, rows_TP * scale[:, None])
        torch.testing.assert_close(weights * losses * scale, torch.full((2,), 0.5), rtol=0.01, atol=0)
        updates.append(update)
    torch.testing.assert_close(updates[0], updates[1], rtol=0.01, atol=1e-4)
    plain = [load_balancer("equal").combine(losses * s, rows_TP * s[:, None])[1] for s in (scale / scale, scale)]
    assert plain[1].norm() / plain[0].norm() > 1e5


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_one_shared_vector_is_pulled_both_ways(share):
    """At w = share u the gradients are share u - u and share u + u up to a factor."""
    splits = conflict.load(rows=4000)
    inputs, plus = rows(splits, "train", "plus")
    _, minus = rows(splits, "train", "minus")
    vector = share * least_squares(inputs, plus)
    gradients = torch.stack([inputs.T @ (inputs @ vector - target) for target in (plus, minus)])
    assert cosines(gram_matrix(gradients))[0, 1].item() == pytest.approx(-1, abs=0.01)


def normal_probability(value):
    return (1 + erf(value / sqrt(2))) / 2


def test_the_best_answer_in_training_is_the_worst_at_test():
    """Phi of the formulas in the docstring, for least squares on the labels, which is optimal here."""
    splits = shortcut.load(rows=20000, held_out=20000)
    solution = least_squares(rows(splits, "train", "b")[0], rows(splits, "train", "b")[1] * 2.0 - 1)
    right = {}
    for split, task in (("val", "b"), ("test", "a"), ("test", "b")):
        inputs, labels = rows(splits, split, task)
        right[split, task] = ((inputs @ solution > 0) == (labels == 1)).float().mean().item()
    assert right["val", "b"] == pytest.approx(normal_probability(sqrt(5)), abs=0.01)
    assert right["test", "a"] == pytest.approx(normal_probability(3 / sqrt(5)), abs=0.01)
    assert right["test", "b"] == pytest.approx(normal_probability(-3 / sqrt(5)), abs=0.01)


@pytest.mark.parametrize("share", [1.0, 0.8, 0.0])
def test_agreement_is_the_share_of_equal_labels(share):
    splits = shortcut.load(agreement=share, test_agreement=1 - share, rows=5000, held_out=5000)
    for split, expected in (("train", share), ("val", share), ("test", 1 - share)):
        equal = rows(splits, split, "a")[1] == rows(splits, split, "b")[1]
        assert equal.float().mean().item() == pytest.approx(expected, abs=0.03)
