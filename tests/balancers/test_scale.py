import pytest
import torch

from mtlrun.balancers import load

TASKS = ("a", "b")


def feed(balancer, *steps, tasks=TASKS):
    for losses in steps:
        values = torch.tensor(losses, dtype=torch.float64)
        weights = balancer.combine(values, torch.eye(len(values)), tasks)[0]
    return weights.tolist()


def test_initial_by_hand():
    balancer = load("scale")
    assert feed(balancer, [4.0, 0.5]) == [0.25, 2.0]
    assert feed(balancer, [1.0, 9.0], [2.0, 0.1]) == [0.25, 2.0]


def test_running_by_hand():
    """References of a: 4, then 4/2 + 2/2 = 3, then 3/2 + 1/2 = 2."""
    balancer = load("scale", by="running", momentum=0.5)
    assert [feed(balancer, [loss, 1.0]) for loss in (4.0, 2.0, 1.0)] == [[1 / 4, 1.0], [1 / 3, 1.0], [1 / 2, 1.0]]


def test_without_momentum_it_is_the_sum_of_log_losses():
    losses = torch.tensor([0.3, 50.0], dtype=torch.float64, requires_grad=True)
    (expected,) = torch.autograd.grad(losses.log().sum(), losses)
    balancer = load("scale", by="running", momentum=0)
    feed(balancer, [7.0, 8.0])
    assert feed(balancer, losses.tolist()) == pytest.approx(expected.tolist())


@pytest.mark.parametrize("by", ["initial", "running"])
def test_the_units_of_the_losses_cancel(by):
    one, other = load("scale", by=by), load("scale", by=by)
    for losses in ([3.0, 0.2], [2.0, 0.5], [1.5, 0.1]):
        first = feed(one, losses)
        second = feed(other, [losses[0] * 1e-6, losses[1] * 1e6])
        assert [first[0] * losses[0], first[1] * losses[1]] == pytest.approx(
            [second[0] * losses[0] * 1e-6, second[1] * losses[1] * 1e6]
        )


@pytest.mark.parametrize("by", ["initial", "running"])
def test_a_first_loss_of_zero_is_no_reference(by):
    balancer = load("scale", by=by)
    assert feed(balancer, [0.0, 2.0]) == [1.0, 0.5]
    assert feed(balancer, [4.0, 2.0]) == [0.25, 0.5]


def test_a_negative_loss_counts_by_its_size():
    assert feed(load("scale"), [-4.0, 2.0]) == [0.25, 0.5]


def test_a_task_that_comes_later_starts_from_its_own_first_loss():
    balancer = load("scale")
    feed(balancer, [4.0], tasks=("a",))
    assert feed(balancer, [1.0, 5.0]) == pytest.approx([0.25, 0.2])


def test_asking_for_weights_changes_nothing():
    balancer, losses = load("scale", by="running"), torch.tensor([4.0, 1.0])
    first = balancer.weights(losses, TASKS)
    assert torch.equal(balancer.weights(losses, TASKS), first)
    assert balancer.weights(losses / 2, TASKS).tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"by": "first"}, "no balancer.by 'first'"),
        ({"momentum": 1.0}, r"balancer\.momentum must be at least 0 and below 1, found 1\.0"),
        ({"momentum": "x"}, r"balancer\.momentum=x: must be a number"),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(ValueError, match=message):
        load("scale", **option)
