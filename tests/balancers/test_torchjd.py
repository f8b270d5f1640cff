import io
import logging

import pytest
import torch

from mtlrun.balancers import load
from mtlrun.balancers.base import GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.errors import ConfigError, NonFiniteError

aggregation = pytest.importorskip("torchjd.aggregation", reason="torchjd is not installed")
scalarization = pytest.importorskip("torchjd.scalarization", reason="this torchjd has no scalarizers")

TASKS = ("a", "b", "c")
KINDS = {
    "AlignedMTL": GramBalancer,
    "MGDAWeighting": GramBalancer,
    "GradVac": GramBalancer,
    "Random": JacobianBalancer,
    "MeanWeighting": JacobianBalancer,
    "ConFIG": JacobianBalancer,
    "scalarization.Random": LossBalancer,
    "GeometricMean": LossBalancer,
    "UW": LossBalancer,
    "FAMO": LossBalancer,
}
OPTIONS = {
    "Krum": {"n_byzantine": 0},
    "TrimmedMean": {"trim_number": 1},
    "STCH": {"mu": 0.5, "weights": {"a": 0.2, "b": 0.3, "c": 0.5}},
    "Constant": {"weights": [1, 2, 3]},
    "CRMOGMWeighting": {"weighting": {"_target_": "torchjd.aggregation.MGDAWeighting"}, "alpha": 0.5},
}
STATEFUL = ["GradVac", "PCD", "ExcessMTL", "CRMOGMWeighting", "MoDoWeighting", "SDMGradWeighting"]
LEARNING = ["UW", "IMTLL", "DWA", "FAMO"]
DRAWING = ["PCGrad", "Random", "GradDrop", "scalarization.Random"]


def make(method, **more):
    return load("torchjd", method=method, options=OPTIONS.get(method, {}), **more)


def numbers(tasks=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    losses = torch.rand(tasks, generator=generator, dtype=torch.float64) + 0.5
    return losses, torch.randn(tasks, 12, generator=generator, dtype=torch.float64)


def run(balancer, steps, start=0, order=(0, 1, 2)):
    out = []
    rows, names = list(order), [TASKS[row] for row in order]
    for step in range(start, start + steps):
        losses, jacobian = numbers(seed=step)
        out.append(balancer.combine(losses[rows], jacobian[rows], names)[1])
        if balancer.observes:
            balancer.observe((losses * torch.tensor([0.9, 0.8, 1.1]))[rows], names)
        if step % 3 == 2:
            balancer.end_epoch()
    return torch.stack(out)


@pytest.mark.parametrize("method", KINDS)
def test_the_kind_follows_what_the_class_reads(method):
    assert isinstance(make(method), KINDS[method])


@pytest.mark.parametrize("method", ["AlignedMTL", "MGDA", "IMTLG", "Krum", "ConFIG", "TrimmedMean", "Constant"])
def test_updates_are_those_of_the_aggregator(method):
    options = {name: torch.tensor([1.0, 2, 3]).double() if name == "weights" else value
               for name, value in OPTIONS.get(method, {}).items()}  # fmt: skip
    losses, jacobian = numbers()
    expected = getattr(aggregation, method)(**options)(jacobian)
    torch.testing.assert_close(make(method).combine(losses, jacobian, TASKS)[1], expected)


@pytest.mark.parametrize("method", ["STCH", "GeometricMean", "scalarization.Mean", "scalarization.Sum"])
def test_weights_are_the_derivatives_of_the_scalarizer(method):
    balancer = make(method)
    weights = {"weights": torch.tensor([0.2, 0.3, 0.5]).double()} if method == "STCH" else {}
    scalarizer = getattr(scalarization, method.rpartition(".")[2])(**(OPTIONS.get(method, {}) | weights))
    losses, jacobian = numbers()
    leaf = losses.clone().requires_grad_()
    (expected,) = torch.autograd.grad(scalarizer(leaf), leaf)
    found, update = balancer.combine(losses, jacobian, TASKS)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(update, expected @ jacobian)


@pytest.mark.parametrize(("method", "name"), [("UW", "uncertainty"), ("DWA", "dwa")])
def test_learned_and_epochwise_weights_are_those_of_the_balancer_here(method, name):
    torch.testing.assert_close(run(make(method), 12), run(load(name), 12))


def test_famo_sees_the_losses_after_the_step():
    balancer, famo = make("FAMO"), scalarization.FAMO(2).double()
    after = torch.tensor([0.5, 1.5], dtype=torch.float64)
    assert balancer.observes
    for _ in range(5):
        leaf = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
        (expected,) = torch.autograd.grad(famo(leaf), leaf)
        weights, _ = balancer.combine(leaf, torch.eye(2, dtype=torch.float64))
        torch.testing.assert_close(weights, expected)
        famo.update(after)
        balancer.observe(after)
    assert weights[0] * 1.0 < weights[1] * 2.0  # shares of the log losses: the first one falls faster


def test_products_of_two_batches():
    batches = torch.cat([numbers(seed=seed)[1] for seed in range(3)])
    balancer = make("SDMGradWeighting")
    assert balancer.batches == 3
    weights, update = balancer.combine(torch.ones(3), batches, TASKS)
    torch.testing.assert_close(weights, aggregation.SDMGradWeighting()(batches[:3] @ batches[3:6].T))
    torch.testing.assert_close(update, weights @ batches[6:])
    torch.testing.assert_close(
        make("SDMGradWeighting").combine(torch.ones(3), batches[:3], TASKS)[0],
        aggregation.SDMGradWeighting()(batches[:3] @ batches[:3].T),
    )


@pytest.mark.parametrize("method", [*STATEFUL, *LEARNING, *DRAWING])
def test_ten_steps_equal_five_and_five_after_loading(method):
    straight, file = run(make(method), 10), io.BytesIO()
    first, second = make(method), make(method, seed=9)
    run(first, 5)
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    file = io.BytesIO()
    torch.save(second.state_dict(), file)  # state that was loaded and not used is saved again
    file.seek(0)
    third = make(method)
    third.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(run(third, 5, start=5), straight[5:])


@pytest.mark.parametrize("method", [*STATEFUL, *LEARNING])
def test_state_follows_the_names_not_the_rows(method):
    straight, turned = make(method), make(method)
    torch.testing.assert_close(run(turned, 3), run(straight, 3))
    torch.testing.assert_close(run(turned, 3, start=3, order=(2, 0, 1)), run(straight, 3, start=3))


@pytest.mark.parametrize("method", [*STATEFUL, *LEARNING, *DRAWING, "STCH"])
def test_each_set_of_active_tasks_has_a_state_of_its_own(method):
    mixed, pair, trio = make(method), make(method), make(method)
    if method not in (*DRAWING, "GradVac"):  # their draws follow from the number of the step
        torch.testing.assert_close(run(mixed, 3), run(trio, 3))
        torch.testing.assert_close(run(mixed, 3, order=(2, 0)), run(pair, 3, order=(2, 0)))
        torch.testing.assert_close(run(mixed, 1, start=3), run(trio, 1, start=3))
    assert torch.cat([run(mixed, 2), run(mixed, 2, order=(2, 0)), run(mixed, 2)]).isfinite().all()


def test_numbers_by_task_name_follow_the_active_tasks():
    balancer = load("torchjd", method="Constant", options={"weights": {"a": 1, "b": 2, "c": 3}})
    weights, _ = balancer.combine(torch.ones(2), torch.eye(2), ["c", "a"])
    assert weights.tolist() == [3.0, 1.0]


@pytest.mark.parametrize("method", DRAWING)
def test_draws_follow_from_the_seed_and_leave_the_global_generator_alone(method):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = run(make(method), 3)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(5)
    assert torch.equal(run(make(method), 3), first)
    assert not torch.equal(run(make(method, seed=1), 3), first)


def test_weights_of_a_step_do_not_change_the_state():
    asked, plain = make("DWA"), make("DWA")
    for step in range(3):
        asked.weights(numbers(seed=99)[0], TASKS)
        assert torch.equal(run(asked, 3, start=3 * step), run(plain, 3, start=3 * step))


def test_a_step_that_torchjd_fails_in_uses_the_last_good_weights(monkeypatch):
    balancer = make("AlignedMTL")
    losses, jacobian = numbers()
    good, _ = balancer.combine(losses, jacobian, TASKS)

    def fail(*_):
        raise ValueError("Failed to solve")

    monkeypatch.setattr(aggregation.AlignedMTLWeighting, "forward", fail)
    weights, _ = balancer.combine(losses, jacobian + 1, TASKS)
    assert torch.equal(weights, good)
    assert balancer.fallbacks == 1


def test_weights_that_are_not_finite_are_named():
    with pytest.raises(NonFiniteError, match="GeometricMean has no finite weights"):
        make("GeometricMean").combine(torch.tensor([1.0, 0.0]), torch.eye(2))


def test_an_object_that_cannot_be_saved_starts_afresh_and_says_so(monkeypatch, caplog):
    balancer = make("GradVac")
    run(balancer, 3)
    balancer.objects.modules()[0].solver = object()
    fresh = make("GradVac")
    with caplog.at_level(logging.WARNING, "mtlrun"):
        fresh.load_state_dict(balancer.state_dict())
    assert "the state of torchjd's GradVac could not be saved" in caplog.text
    assert run(fresh, 2).isfinite().all()


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("Krm", {}, "no balancer.method 'Krm'; did you mean 'Krum'"),
        ("Krum", {}, r"balancer\.method=Krum needs an option: give balancer\.options\.n_byzantine=\.\.\."),
        ("Krum", {"n_byzantin": 1}, "no option of torchjd's Krum 'n_byzantin'; did you mean 'n_byzantine'"),
        ("Krum", {"n_byzantine": -1}, "balancer.method=Krum: n_byzantine must be non-negative"),
        ("Krum", {"n_byzantine": "x"}, "balancer.method=Krum: '<' not supported"),
        ("Constant", {"weights": {"a": "x"}}, "balancer.method=Constant: "),
        ("MGDA", [1], r"balancer\.options=\[1\]: must be a group of settings"),
    ],
)
def test_bad_options(method, options, message):
    with pytest.raises(ConfigError, match=message) as told:
        load("torchjd", method=method, options=options)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("method", "options", "tasks", "message"),
    [
        ("Krum", {"n_byzantine": 1}, "ab", "Krum with the 2 tasks of this run: .* at least 4 rows"),
        ("TrimmedMean", {"trim_number": 1}, "ab", "TrimmedMean with the 2 tasks of this run: "),
        ("ConFIG", {"pref_vector": [1, 2, 3]}, "ab", "ConFIG with the 2 tasks of this run: .* 3 rows"),
        ("scalarization.Constant", {"weights": [1, 2, 3]}, "ab", "Constant with the 2 tasks of this run: "),
        ("Constant", {"weights": {"a": 1, "d": 2}}, "ab", "no task in balancer.options.weights named 'd'"),
        ("Constant", {"weights": {"a": 1}}, "ab", r"balancer\.options\.weights has no number for task 'b'"),
    ],
)
def test_what_does_not_suit_the_tasks_is_refused_before_training(method, options, tasks, message):
    balancer = load("torchjd", method=method, options=options)
    with pytest.raises(ConfigError, match=message):
        balancer.check(tasks)


@pytest.mark.parametrize("method", ["AlignedMTL", "GradVac", "FAMO", "ConFIG", "MoDoWeighting"])
def test_the_check_before_training_leaves_no_trace(method):
    checked, plain = make(method), make(method)
    checked.check(TASKS)
    assert torch.equal(run(checked, 3), run(plain, 3))


def test_too_few_rows_for_an_aggregator_in_a_step():
    balancer = make("TrimmedMean")
    with pytest.raises(ConfigError, match="TrimmedMean with tasks a, b in a step: "):
        balancer.combine(torch.ones(2), torch.eye(2), ["a", "b"])


def test_without_the_package(monkeypatch):
    def refuse(name):
        raise ModuleNotFoundError(f"No module named '{name}'")

    monkeypatch.setattr("mtlrun.balancers.torchjd_objects.import_module", refuse)
    with pytest.raises(ConfigError, match=r"cannot start \(No module .*\): pip install 'mtlrun\[torchjd\]'"):
        load("torchjd")
