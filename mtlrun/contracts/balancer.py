"""What every balancer promises, whatever it reads. Shapes: T tasks, P shared parameters."""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mtlrun.balancers.base import Balancer, GramBalancer, JacobianBalancer, LossBalancer
from mtlrun.contracts.matrices import awkward, numbers
from mtlrun.contracts.promise import Broken, Promises, Skipped, demand
from mtlrun.errors import NonFiniteError, NotConverged
from mtlrun.linalg.gram import gram_matrix

PART = "balancer"
ANSWER = "one finite weight per task, or one update as long as the gradients"


@dataclass(frozen=True)
class BalancerSubject:
    """A balancer to look at.

    make: builds a fresh one, with the same options each time.
    tasks: names; those of the run, where options name some.
    """

    make: Callable[[], Balancer]
    tasks: tuple[str, ...] = ("a", "b", "c")

    @property
    def name(self) -> str:
        return type(self.make()).__name__

    def losses_and_gradients(self, seed: int = 0) -> tuple[Tensor, Tensor]:
        return numbers(len(self.tasks), seed=seed)


PROMISES: Promises[BalancerSubject] = Promises(PART)


def check_balancer(make: Callable[[], Balancer], tasks: Sequence[str] = ("a", "b", "c")) -> None:
    """Raise BrokenPromise, with one line, for the first promise that the balancer breaks.

    Args:
        make: builds a fresh balancer at each call.
        tasks: names that its options may use.
    """
    PROMISES.check(BalancerSubject(make, tuple(tasks)))


def check_answer(balancer: Balancer, losses: Tensor, jacobian: Tensor, tasks: tuple[str, ...]) -> None:
    """Look at what the method itself returns, before any guard of the base class.

    Args:
        balancer: a fresh one; its state may change.
        losses: [T]
        jacobian: [k T, P] for a method that takes k batches.

    Raises:
        Broken: if type, shape or numbers are wrong.
    """
    if isinstance(balancer, LossBalancer):
        _check_weights(balancer.weights(losses, tasks), losses, "weights()")
    elif isinstance(balancer, GramBalancer):
        try:
            weights = balancer.solve(gram_matrix(jacobian), losses.to("cpu", torch.float64), tasks)
        except NotConverged:
            return
        _check_weights(weights, losses, "solve()", any_precision=True)
    elif isinstance(balancer, JacobianBalancer):
        _check_direction(balancer.direction(jacobian, losses, tasks), losses, jacobian)
    else:
        raise Broken("it is no LossBalancer, GramBalancer or JacobianBalancer: subclass one of them")
    own = balancer.own_weights(losses, tasks)
    if own is not None:
        _check_weights(own, losses, "own_weights()", any_precision=True)


def _check_weights(weights: object, losses: Tensor, method: str, any_precision: bool = False) -> None:
    demand(isinstance(weights, Tensor), f"{method} returns a {type(weights).__name__}, not a tensor")
    assert isinstance(weights, Tensor)
    shape, wanted = list(weights.shape), list(losses.shape)
    demand(shape == wanted, f"{method} returns shape {shape} for {len(losses)} tasks, not {wanted}")
    fits = weights.is_floating_point() if any_precision else weights.dtype == losses.dtype
    demand(fits, f"{method} returns {weights.dtype} for losses of {losses.dtype}")
    here = any_precision or weights.device == losses.device
    demand(here, f"{method} returns a tensor on {weights.device} for losses on {losses.device}")
    demand(not weights.requires_grad, f"{method} returns a tensor with a graph behind it: detach it")
    demand(weights.isfinite().all(), f"{method} returns {[round(value, 4) for value in weights.tolist()]}")


def _check_direction(answer: object, losses: Tensor, jacobian: Tensor) -> None:
    pair = isinstance(answer, tuple) and len(answer) == 2
    demand(pair, f"direction() returns a {type(answer).__name__}, not (weights or None, update)")
    assert isinstance(answer, tuple)
    weights, update = answer
    if weights is not None:
        _check_weights(weights, losses, "direction()", any_precision=True)
    demand(isinstance(update, Tensor), f"the update of direction() is a {type(update).__name__}, not a tensor")
    shape, wanted = list(update.shape), [jacobian.shape[1]]
    demand(shape == wanted, f"the update of direction() has shape {shape} for {wanted[0]} parameters, not {wanted}")
    demand(update.dtype == jacobian.dtype, f"the update is {update.dtype} for gradients of {jacobian.dtype}")
    demand(update.isfinite().all(), "the update of direction() is not finite")


def run(balancer: Balancer, steps: int, tasks: tuple[str, ...], start: int = 0) -> Tensor:
    """The updates [steps, P] of some steps, three to an epoch."""
    out = []
    for step in range(start, start + steps):
        losses, jacobian = numbers(len(tasks), seed=step)
        out.append(balancer.combine(losses, jacobian, tasks)[1])
        if step % 3 == 2:
            balancer.end_epoch()
    return torch.stack(out)


@PROMISES(ANSWER)
def answer_fits(subject: BalancerSubject) -> None:
    balancer = subject.make()
    balancer.check(subject.tasks)
    for dtype in (torch.float64, torch.float32):
        losses, jacobian = numbers(len(subject.tasks) * balancer.batches, dtype=dtype)
        check_answer(subject.make(), losses[: len(subject.tasks)], jacobian, subject.tasks)


@PROMISES("the update is finite, and the weighted sum of the gradients where there are weights")
def update_is_finite(subject: BalancerSubject) -> None:
    for name, jacobian in awkward(len(subject.tasks)).items():
        balancer = subject.make()
        for _ in range(3):
            weights, update = balancer.combine(torch.ones(len(jacobian), dtype=jacobian.dtype), jacobian, subject.tasks)
            demand(update.dtype == jacobian.dtype, f"{update.dtype} for {jacobian.dtype}, gradients: {name}")
            demand(update.isfinite().all(), f"an update that is not finite, gradients: {name}")
            if weights is not None:
                expected = weights.to(jacobian) @ jacobian
                close = torch.allclose(update, expected, rtol=1e-5, atol=1e-5 * float(jacobian.norm()))
                demand(close, f"an update that is not the weighted sum, gradients: {name}")


@PROMISES("it says whether its update has weights, which heads may be weighted by")
def says_whether_it_weighs(subject: BalancerSubject) -> None:
    balancer = subject.make()
    if not isinstance(balancer, JacobianBalancer):
        raise Skipped("its update is always a weighted sum")
    weights = balancer.combine(*subject.losses_and_gradients(), subject.tasks)[0]
    demand(balancer.gives_weights or weights is None, "it returns weights: leave gives_weights at True")
    demand(not balancer.gives_weights or weights is not None, "it returns no weights: set gives_weights to False")


@PROMISES("a single task gets the direction of its own gradient")
def one_task_goes_its_way(subject: BalancerSubject) -> None:
    losses, jacobian = numbers(tasks=1)
    update = subject.make().combine(losses, jacobian, subject.tasks[:1])[1]
    cosine = float(torch.cosine_similarity(update, jacobian[0], dim=0))
    demand(abs(cosine - 1) < 1e-6, f"a cosine of {cosine:.4f} between the two")


@PROMISES("forty tasks are no trouble")
def forty_tasks(subject: BalancerSubject) -> None:
    losses, jacobian = numbers(tasks=40, parameters=300)
    more = tuple(f"task{number}" for number in range(40))
    names = (*subject.tasks, *(name for name in more if name not in subject.tasks))[:40]
    demand(subject.make().combine(losses, jacobian, names)[1].isfinite().all(), "an update that is not finite")


@PROMISES("scaled gradients keep the direction of the update")
def scale_keeps_the_direction(subject: BalancerSubject) -> None:
    if scale_degree(subject) is None:
        raise Skipped("it depends on the scale of the gradients: tune its step sizes together with the losses' units")


def scale_degree(subject: BalancerSubject, tolerance: float = 1e-9) -> float | None:
    """d in A(s J) = s^d A(J), measured at s = 1e-6 and 1e6; None where there is no such d."""
    losses, jacobian = subject.losses_and_gradients()
    update, degrees = subject.make().combine(losses, jacobian, subject.tasks)[1], []
    for scale in (1e-6, 1e6):
        scaled = subject.make().combine(losses, jacobian * scale, subject.tasks)[1]
        if not (scaled.any() and update.any()):
            return None
        degrees.append(round(math.log(float(scaled.norm() / update.norm()), scale), 6))
        if not torch.allclose(scaled, update * scale ** degrees[-1], rtol=max(tolerance, 1e-4), atol=0):
            return None
    return degrees[0] if abs(degrees[0] - degrees[1]) < 1e-5 else None


@PROMISES("random draws come from a generator of its own, the same in every process")
def leaves_the_global_generator_alone(subject: BalancerSubject) -> None:
    before = torch.get_rng_state()
    run(subject.make(), 3, subject.tasks)
    moved = not torch.equal(before, torch.get_rng_state())
    demand(not moved, "it draws from torch's global generator, which dropout uses too")


@PROMISES("five steps, saving, loading and five more give the updates of ten")
def resumes_exactly(subject: BalancerSubject) -> None:
    straight = run(subject.make(), 10, subject.tasks)
    first, second = subject.make(), subject.make()
    run(first, 5, subject.tasks)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    resumed = run(second, 5, subject.tasks, start=5)
    wrong = [step for step in range(5) if not torch.equal(resumed[step], straight[5 + step])]
    demand(not wrong, f"another update from step {5 + min(wrong, default=0)} on: is all its state in state_dict()?")


@PROMISES("its state is tensors and plain values, loadable without pickle")
def state_is_plain(subject: BalancerSubject) -> None:
    balancer, file = subject.make(), io.BytesIO()
    run(balancer, 4, subject.tasks)
    torch.save(balancer.state_dict(), file)
    file.seek(0)
    subject.make().load_state_dict(torch.load(file, weights_only=True))


@PROMISES("a task may be absent from a step; the others keep their state")
def tasks_may_be_absent(subject: BalancerSubject) -> None:
    if len(subject.tasks) == 1:
        raise Skipped("there is one task")
    balancer = subject.make()
    run(balancer, 4, subject.tasks)
    run(balancer, 2, (subject.tasks[-1], *subject.tasks[:-2]))
    demand(run(balancer, 2, subject.tasks).isfinite().all(), "an update that is not finite afterwards")


@PROMISES("state and options follow the names of the tasks, not their order")
def state_follows_names(subject: BalancerSubject) -> None:
    straight, turned, tasks = subject.make(), subject.make(), subject.tasks
    order = [*range(2, len(tasks)), *range(min(2, len(tasks)))] if len(tasks) > 2 else [*range(len(tasks))][::-1]
    for step in range(8):
        losses, jacobian = subject.losses_and_gradients(step)
        update = straight.combine(losses, jacobian, tasks)[1]
        other = turned.combine(losses[order], jacobian[order], [tasks[row] for row in order])[1]
        if not torch.allclose(update, other, rtol=1e-7, atol=1e-7):
            if _draws(subject):
                raise Skipped("it draws random numbers, which another order of the rows changes")
            raise Broken(f"another update for the same gradients in another order, at step {step}")
        if step % 2:
            straight.end_epoch()
            turned.end_epoch()


def _draws(subject: BalancerSubject) -> bool:
    """Whether it makes random draws: it keeps a generator, or the seed of one."""
    kept = vars(subject.make()).items()
    return any(isinstance(value, torch.Generator) or name.strip("_") == "seed" for name, value in kept)


@PROMISES("losses and gradients that it reads stay as they are")
def changes_no_argument(subject: BalancerSubject) -> None:
    losses, jacobian = subject.losses_and_gradients()
    kept = losses.clone(), jacobian.clone()
    subject.make().combine(losses, jacobian, subject.tasks)
    same = torch.equal(losses, kept[0]) and torch.equal(jacobian, kept[1])
    demand(same, "one of them was changed in place")


@PROMISES("weights() alone changes no state")
def weights_are_a_look(subject: BalancerSubject) -> None:
    balancer = subject.make()
    if not isinstance(balancer, LossBalancer):
        raise Skipped("it reads more than losses")
    run(balancer, 4, subject.tasks)
    losses, _ = subject.losses_and_gradients(4)
    first, second = balancer.weights(losses, subject.tasks), balancer.weights(losses, subject.tasks)
    demand(torch.equal(first, second), "other weights at the second call: change state in learn()")


@PROMISES("a gradient that is not finite is refused by its task's name")
def not_finite_is_named(subject: BalancerSubject) -> None:
    if subject.make().reads == "losses":
        raise Skipped("it reads no gradients")
    task = subject.tasks[len(subject.tasks) // 2]
    losses, jacobian = subject.losses_and_gradients()
    jacobian[subject.tasks.index(task), 3] = float("nan")
    try:
        subject.make().combine(losses, jacobian, subject.tasks)
    except NonFiniteError as error:
        demand(f"'{task}'" in str(error), f"the error does not name task '{task}': {error}")
        return
    raise Broken("it went on with NaN")


@PROMISES("half-precision gradients are solved in double precision")
def half_precision_is_solved_in_double(subject: BalancerSubject) -> None:
    if not isinstance(subject.make(), GramBalancer):
        raise Skipped("it reads no Gram matrix")
    losses, jacobian = subject.losses_and_gradients()
    for dtype in (torch.float16, torch.bfloat16):
        half = jacobian.to(dtype)
        weights, update = subject.make().combine(losses, half, subject.tasks)
        expected, _ = subject.make().combine(losses, half.double(), subject.tasks)
        assert weights is not None
        assert expected is not None
        demand(update.dtype == dtype, f"an update of {update.dtype} for gradients of {dtype}")
        close = torch.allclose(weights.double(), expected, rtol=1e-2, atol=1e-2)
        demand(close, f"weights {weights.tolist()} from {dtype}, {expected.tolist()} from the same numbers in double")


@PROMISES("where its solver fails, the last good weights are used and counted")
def falls_back(subject: BalancerSubject) -> None:
    balancer = subject.make()
    if not isinstance(balancer, GramBalancer):
        raise Skipped("it has no solver")
    demand(balancer.fallbacks == 0, f"a fresh one has counted {balancer.fallbacks}")
    losses, jacobian = subject.losses_and_gradients()
    good = balancer.combine(losses, jacobian, subject.tasks)[0]
    for count, solve in enumerate((_gives_up, _gives_nan), start=1):
        balancer.solve = solve  # type: ignore[method-assign]
        weights, update = balancer.combine(losses, jacobian, subject.tasks)
        assert weights is not None
        assert good is not None
        demand(torch.equal(weights, good), f"weights {weights.tolist()} after {good.tolist()}")
        demand(torch.allclose(update, good @ jacobian), "an update that is not their weighted sum")
        demand(balancer.state_dict()["fallbacks"] == balancer.fallbacks == count, "a fallback that is not counted")
    strangers = tuple(f"new {task}" for task in subject.tasks)
    fresh = balancer.combine(losses, jacobian, strangers)[0]
    assert fresh is not None
    demand(fresh.tolist() == [1.0] * len(strangers), f"weights {fresh.tolist()} for tasks without good ones, not ones")


def _gives_up(gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
    raise NotConverged("gave up")


def _gives_nan(gram: Tensor, losses: Tensor, tasks: tuple[str, ...]) -> Tensor:
    return torch.full_like(losses, math.nan)
