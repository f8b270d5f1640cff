"""The engine for a training loop of the user's own: `backward` takes losses by task and fills `.grad`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer
from mtlrun.errors import ConfigError
from mtlrun.gradients.base import EngineSettings, FeatureTap, ParameterGroups, Trace
from mtlrun.gradients.engine import Engine, RunningStep
from mtlrun.gradients.pairing import check_last_stage
from mtlrun.gradients.ranks import Ranks
from mtlrun.gradients.reached import found_heads
from mtlrun.linalg.gram import cosines, norms


class BalancedStep:
    """Balances the tasks' losses, step by step; made by `mtlrun.balance`, which explains the arguments.

    Args:
        balancer: of any kind.
        settings: how it is fed.
        shared: parameters that influence two tasks or more.
        task_specific: per task its own parameters; those of other tasks are found in the graph of their first loss.
        last_stage: those of `shared` that gradients=last_stage looks at.
        features: the module whose outputs gradients=features looks at.
        tasks: names of all tasks, in the order in which a method that draws random numbers visits them.
        scaler: of mixed precision with float16; it unscales and steps as usual.
    """

    def __init__(
        self,
        balancer: Balancer,
        settings: EngineSettings,
        shared: Sequence[nn.Parameter],
        task_specific: Mapping[str, Sequence[nn.Parameter]],
        last_stage: Sequence[nn.Parameter] = (),
        features: nn.Module | None = None,
        tasks: Sequence[str] = (),
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        self.balancer, self.settings, self.scaler = balancer, settings, scaler
        self.tasks = [*dict.fromkeys([*tasks, *task_specific])]
        self._declared = bool(self.tasks)
        own = {task: [*parameters] for task, parameters in task_specific.items()}
        tap = FeatureTap(features) if features is not None else None
        self._groups = ParameterGroups([*shared], own, [*last_stage], tap)
        self._learning: dict[int, bool] = {}
        self._engine: Engine | None = None
        self._engine_state: dict[str, Any] = {"held": {}, "steps_since_solve": 0}
        self._running: RunningStep | None = None
        self._unseen = False
        self._before: list[tuple[Tensor, Tensor | None]] = []
        self.trace: Trace | None = None
        """Of the last step."""

    def backward(
        self,
        losses: Mapping[str, Tensor],
        tasks: Iterable[str] | None = None,
        micro_batches: int = 1,
        measure: bool = False,
    ) -> bool:
        """Add the balanced gradients to `.grad`, as `loss.backward()` adds those of one loss, and free the graph.

        With several processes `.grad` becomes what it is in one process with the rows of all, if each process has
        equally many: a loss counts as a mean over the rows of its process.

        Args:
            losses: a number for each task that has labelled rows; further tasks may be absent.
            tasks: those of the whole step, if micro-batches after the first one have others.
            micro_batches: calls that a batch takes; their losses add up to the batch's, so divide means by it.
            measure: compute norms and cosines, at one backward pass a task for any balancer.

        Returns:
            Whether `.grad` is complete, so that the optimizer may step: True but for micro-batches before the last,
            and for a balancer that takes several batches a step.

        Raises:
            ConfigError: for a loss that is no number or depends on nothing that learns, or a task that is not known.
            NonFiniteError: naming the task whose gradient is not finite.
        """
        parts = {task: _checked(task, loss) for task, loss in losses.items()}
        try:
            trace = self._passed_back(parts, tasks, micro_batches, measure)
        except BaseException:
            self._running = None
            self._undo()
            raise
        if trace is None:
            return False
        self.trace, self._running, self._unseen = trace, None, self.balancer.observes
        self._put_back()
        return True

    def observe(self, losses: Mapping[str, Tensor]) -> None:
        """Tell FAMO, which asks for it, the losses of the same rows after the optimizer's step; no graph is needed.

        Raises:
            ConfigError: if the balancer does not ask for them, or they are of other tasks than the step's.
        """
        method = type(self.balancer).__name__
        if not self.balancer.observes or self.trace is None:
            raise ConfigError(f"observe: {method} does not ask for losses after the step, or no step was taken")
        if set(losses) != set(self.trace.tasks):
            raise ConfigError(f"observe: give the losses of the step's tasks ({', '.join(self.trace.tasks)})")
        ranks = self._engine_now().ranks
        values = torch.stack([losses[task].detach().reshape(()) for task in self.trace.tasks]).to(self.trace.losses)
        self.balancer.observe(ranks.sum(values / ranks.size), self.trace.tasks)
        self._unseen = False

    def end_epoch(self) -> None:
        """Tell DWA, and other methods that count epochs, that one is over."""
        self.balancer.end_epoch()

    def state_dict(self) -> dict[str, Any]:
        """Everything that changes from step to step: tensors and plain values only. Take it between two steps."""
        engine = self._engine.state_dict() if self._engine else self._engine_state
        method = type(self.balancer).__name__
        return {"method": method, "tasks": [*self.tasks], "balancer": self.balancer.state_dict(), "engine": engine}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on exactly where `state_dict` was taken, in the same loop.

        Raises:
            ConfigError: for the state of another method.
        """
        method = type(self.balancer).__name__
        if state["method"] != method:
            raise ConfigError(f"the state is that of {state['method']}, and this balancer is {method}")
        self.tasks = [*dict.fromkeys([*state["tasks"], *self.tasks])]
        self.balancer.load_state_dict(state["balancer"])
        self._engine, self._engine_state = None, dict(state["engine"])
        self._unseen = False  # it was taken between two steps

    @property
    def losses(self) -> dict[str, float]:
        """Of the last step, per task: over all micro-batches and processes."""
        return {} if self.trace is None else dict(zip(self.trace.tasks, self.trace.losses.tolist()))

    @property
    def weights(self) -> dict[str, float]:
        """Of the last step's update, per task; none where it is no weighted sum of the gradients."""
        if self.trace is None or self.trace.weights is None:
            return {}
        return dict(zip(self.trace.tasks, self.trace.weights.tolist()))

    @property
    def norms(self) -> dict[str, float]:
        """Of the last step's gradients on the shared parameters; none where no gradients per task were taken."""
        if self.trace is None or self.trace.gram is None:
            return {}
        return dict(zip(self.trace.tasks, norms(self.trace.gram).tolist()))

    @property
    def cosines(self) -> dict[tuple[str, str], float]:
        """Between the same gradients, by pair of tasks."""
        if self.trace is None or self.trace.gram is None:
            return {}
        tasks, values = self.trace.tasks, cosines(self.trace.gram).tolist()
        return {(tasks[a], tasks[b]): values[a][b] for a in range(len(tasks)) for b in range(a + 1, len(tasks))}

    def to_log(self) -> dict[str, float]:
        """The last step flat, such as {'loss/depth': 0.3, 'weight/depth': 1.2, 'cosine/depth/lane': -0.1}."""
        named = {"loss": self.losses, "weight": self.weights, "norm": self.norms}
        flat = {f"{word}/{task}": value for word, values in named.items() for task, value in values.items()}
        return flat | {f"cosine/{a}/{b}": value for (a, b), value in self.cosines.items()}

    def _passed_back(
        self, losses: Mapping[str, Tensor], tasks: Iterable[str] | None, micro_batches: int, measure: bool
    ) -> Trace | None:
        """Of the step, if this call completes it."""
        if self._running is None:
            self._running = self._begin(losses, tasks, micro_batches, measure)
        late = next((task for task in losses if task not in self._running.step.tasks), None)
        if late is not None:
            raise ConfigError(f"task '{late}' is new in this micro-batch: give tasks=[...] with the first one")
        engine = self._engine_now()
        self._find(losses, engine)
        size = engine.ranks.size
        self._running.add(losses if size == 1 else {task: loss / size for task, loss in losses.items()})
        return self._running.finish() if self._running.complete else None

    def _begin(
        self, losses: Mapping[str, Tensor], tasks: Iterable[str] | None, micro_batches: int, measure: bool
    ) -> RunningStep:
        if self._unseen:
            method = type(self.balancer).__name__
            raise ConfigError(
                f"{method} compares the losses before and after the optimizer's step: call observe(losses of the same "
                "rows) between the optimizer's step and the next backward"
            )
        engine = self._engine_now()
        said = engine.ranks.all_gather_object([*losses, *(tasks or ())])
        active = self._named([*dict.fromkeys(task for names in said for task in names)])
        unknown = [task for task in active if task not in self._groups.task_specific]
        if unknown and engine.ranks.size > 1:
            here = engine.ranks.all_gather_object([task for task in unknown if task in losses])
            if any(names != unknown for names in here):
                raise ConfigError(f"not every process has a loss of task '{unknown[0]}': give task_specific={{...}}")
        self._find(losses, engine)
        for task in active:
            engine.groups.task_specific.setdefault(task, [])
        self._set_aside(chain(engine.groups.shared, *(engine.groups.task_specific[task] for task in active)))
        return engine.begin(active, micro_batches, measure, self._scale())

    def _named(self, present: Sequence[str]) -> list[str]:
        """The tasks of a step in order; those that have not been seen are taken in, or refused if all were named."""
        fresh = [task for task in present if task not in self.tasks]
        if fresh and self._declared:
            raise ConfigError(f"no task '{fresh[0]}' (there are: {', '.join(self.tasks)})")
        if not present:
            raise ConfigError("backward: no task has a loss in this step")
        self.tasks += fresh
        if self.trace is None:
            self._check_options()
        return [task for task in self.tasks if task in present]

    def _check_options(self) -> None:
        """Whether the balancer's options name tasks that there are."""
        try:
            self.balancer.check(self.tasks)
        except ConfigError as error:
            hint = "" if self._declared else "; if some come in later steps only, name all: tasks=[...]"
            raise ConfigError(f"{error}{hint}") from error

    def _find(self, losses: Mapping[str, Tensor], engine: Engine) -> None:
        """Read the own parameters of tasks that are new off the graphs of their losses."""
        own = self._groups.task_specific
        wanted = {task: loss for task, loss in losses.items() if task not in own}
        if not wanted:
            return
        for task, parameters in found_heads(wanted, self._groups.shared, own).items():
            own[task] = cast(list[nn.Parameter], parameters)
            engine.groups.task_specific[task] = own[task]
            if self._running is not None:
                self._set_aside(parameters)

    def _set_aside(self, parameters: Iterable[Tensor]) -> None:
        """Keep gradients from before the step: the engine makes those of the step alone, and may multiply them."""
        for parameter in parameters:
            self._before.append((parameter, parameter.grad))
            parameter.grad = None

    def _undo(self) -> None:
        """Leave `.grad` as it was before a step that failed."""
        for parameter, gradient in self._before:
            parameter.grad = gradient
        self._before = []

    def _put_back(self) -> None:
        for parameter, gradient in self._before:
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        self._before = []

    def _scale(self) -> float:
        """The scaler's factor; a first call makes its tensors, since the engine scales the losses itself."""
        if self.scaler is None or not self.scaler.is_enabled():
            return 1.0
        self.scaler.scale(torch.ones((), device=self._groups.shared[0].device))
        return float(self.scaler.get_scale())

    def _engine_now(self) -> Engine:
        """The engine on the parameters that learn now: a part may have been frozen or thawed since the last step."""
        if self._engine is not None and self._running is None and self._thawed_or_frozen():
            self._engine_state, self._engine = self._engine.state_dict(), None
        if self._engine is None:
            self._engine = Engine(self._groups, self.balancer, self.settings, _all_ranks())
            self._engine.load_state_dict(self._engine_state)
            check_last_stage(self.balancer, self.settings, self._engine.groups)
        self._learning |= {id(parameter): parameter.requires_grad for parameter in self._parameters()}
        return self._engine

    def _thawed_or_frozen(self) -> bool:
        return any(self._learning.get(id(p), p.requires_grad) != p.requires_grad for p in self._parameters())

    def _parameters(self) -> Iterable[nn.Parameter]:
        return chain(self._groups.shared, *self._groups.task_specific.values())


def _all_ranks() -> Ranks:
    """All processes; asked at the first step, when their group has been set up."""
    if dist.is_available() and dist.is_initialized():
        return Ranks(dist.get_rank(), dist.get_world_size())
    return Ranks()


def _checked(task: str, loss: Tensor) -> Tensor:
    """A loss as a number in float32 or more, with its graph."""
    if not isinstance(loss, Tensor) or loss.numel() != 1:
        found = f"shape {[*loss.shape]}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
        raise ConfigError(f"the loss of task '{task}' must be one number, found {found}: take the mean")
    if not loss.requires_grad:
        raise ConfigError(f"the loss of task '{task}' depends on no parameter that learns: leave the task out")
    return loss.reshape(()).float() if loss.dtype in (torch.float16, torch.bfloat16) else loss.reshape(())
