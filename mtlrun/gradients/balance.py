"""`mtlrun.balance`: the balancers without the trainer. Loads neither Hydra nor anything of the trainer's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn

from mtlrun.balancers.base import Balancer, LossBalancer
from mtlrun.balancers.from_yaml import load_with_engine
from mtlrun.errors import ConfigError, choose
from mtlrun.gradients.balanced_step import BalancedStep
from mtlrun.gradients.base import EngineSettings
from mtlrun.gradients.pairing import check_pairing
from mtlrun.options import check_like_default, distinct


def balance(
    balancer: str | Balancer,
    *,
    shared: Iterable[nn.Parameter],
    task_specific: Mapping[str, Iterable[nn.Parameter]] | None = None,
    last_stage: Iterable[nn.Parameter] = (),
    features: nn.Module | None = None,
    tasks: Sequence[str] = (),
    scaler: torch.amp.GradScaler | None = None,
    **options: Any,
) -> BalancedStep:
    """A balancer for a training loop of one's own, by the code that the trainer uses.

    >>> step = mtlrun.balance("pcgrad", shared=encoder.parameters())
    >>> step.backward({"depth": depth_loss, "segmentation": segmentation_loss})  # in place of loss.backward()
    >>> optimizer.step()

    Args:
        balancer: the name of one, as in `mtlrun list balancer`, or an object.
        shared: parameters that influence the losses of two tasks or more. Those that are frozen stay out.
        task_specific: per task its own parameters. By default they are found: what the first loss of a task depends on,
            and no other loss, is its own.
        last_stage: part of `shared`, for gradients="last_stage" (gradnorm looks there by default).
        features: the module whose output all heads read, for gradients="features".
        tasks: names of all tasks, if not every one has a loss in the first step.
        scaler: torch's GradScaler, for mixed precision with float16; call its `unscale_`, `step` and `update` as ever.
        options: those of the balancer and of the engine, with the names and defaults of `mtlrun list balancer NAME`:
            c=0.4, every=10, memory="gramian", rescale="norm", ...

    Raises:
        ConfigError: for a name, option or combination that cannot be trained, and for parameters that do not suit.
    """
    made, words = _made(balancer, options)
    settings = EngineSettings(**words)
    common = _parameters("shared", shared)
    last = _last_stage(_parameters("last_stage", last_stage, empty=True), common, settings)
    own = {task: _parameters(f"task_specific[{task!r}]", given) for task, given in (task_specific or {}).items()}
    _check_apart(common, own)
    _check_alike(common)
    check_pairing(made, settings, type(made).__name__)
    _check_learning(made, common)
    if (settings.gradients == "features") != (features is not None):
        raise ConfigError("gradients='features' and features=MODULE, whose output all heads read, go together")
    _check_batches(made, "batches" in options or isinstance(balancer, Balancer))
    return BalancedStep(made, settings, common, own, last, features, distinct("tasks", tasks), scaler)


def _made(balancer: str | Balancer, options: dict[str, Any]) -> tuple[Balancer, dict[str, Any]]:
    """The balancer, and the engine's settings."""
    if isinstance(balancer, str):
        return load_with_engine(balancer, options)
    if not isinstance(balancer, Balancer):
        raise ConfigError(f"balance: give the name of a balancer or a Balancer, found a {type(balancer).__name__}")
    known = asdict(EngineSettings())
    for option, value in options.items():
        choose(option, known, "option beside a balancer that is made already,")
        check_like_default(f"balancer.{option}", value, known[option])
    return balancer, known | options


def _parameters(argument: str, given: Iterable[nn.Parameter], empty: bool = False) -> list[nn.Parameter]:
    """Each once, in order."""
    if isinstance(given, nn.Module | Tensor):
        raise ConfigError(f"{argument} must be parameters, found a {type(given).__name__}: give MODULE.parameters()")
    listed = [*{id(parameter): parameter for parameter in given}.values()]
    wrong = next((entry for entry in listed if not isinstance(entry, Tensor) or not entry.is_leaf), None)
    if wrong is not None:
        raise ConfigError(f"{argument} must be parameters, found a {type(wrong).__name__}: give MODULE.parameters()")
    if not listed and not empty:
        raise ConfigError(f"{argument} has no parameter; a generator that was read before has none left")
    return listed


def _last_stage(last: list[nn.Parameter], shared: list[nn.Parameter], settings: EngineSettings) -> list[nn.Parameter]:
    if settings.gradients != "last_stage":
        return last
    if not last:
        raise ConfigError(
            "balancer.gradients=last_stage: give last_stage=LAYER.parameters() of the last shared layer, or "
            "gradients='parameters'"
        )
    if not {*map(id, last)} <= {*map(id, shared)}:
        raise ConfigError("last_stage must be a part of shared")
    return last


def _check_apart(shared: list[nn.Parameter], own: Mapping[str, list[nn.Parameter]]) -> None:
    owners = dict.fromkeys(map(id, shared), "shared")
    for task, parameters in own.items():
        for parameter in parameters:
            owner = owners.setdefault(id(parameter), task)
            if owner != task:
                shape = [*parameter.shape]
                raise ConfigError(f"task_specific: a parameter of shape {shape} of task '{task}' is '{owner}' too")


def _check_alike(shared: list[nn.Parameter]) -> None:
    """One buffer holds the gradients of all shared parameters that learn."""
    learning = [parameter for parameter in shared if parameter.requires_grad]
    kinds = sorted({f"{str(p.dtype).removeprefix('torch.')} on {p.device}" for p in learning})
    if len(kinds) > 1:
        raise ConfigError(f"shared parameters must have one type and device, found {' and '.join(kinds)}")
    if any(hasattr(parameter, "device_mesh") for parameter in learning):
        raise ConfigError("shared parameters are in shards (FSDP): use data parallelism that keeps them whole (DDP)")


def _check_learning(balancer: Balancer, shared: list[nn.Parameter]) -> None:
    if not isinstance(balancer, LossBalancer) and not any(parameter.requires_grad for parameter in shared):
        method = type(balancer).__name__
        raise ConfigError(
            f"balancer {method} works on the gradients of shared parameters, and here all of them are frozen: "
            "choose 'equal', or freeze less"
        )


def _check_batches(balancer: Balancer, asked: bool) -> None:
    """A loop that steps the optimizer after every call would take a part of a step for one."""
    if balancer.batches > 1 and not asked:
        count, method = balancer.batches, type(balancer).__name__
        raise ConfigError(
            f"{method} takes {count} independent batches a step: say batches={count}, or give the object that "
            "mtlrun.balancers.load makes; call backward for each batch, and step the optimizer when it returns True"
        )
