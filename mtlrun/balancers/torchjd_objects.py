"""Objects of the TorchJD package: found by name, built from plain options, one per set of active tasks, saved."""

from __future__ import annotations

import copy
import inspect
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, get_args

import torch
from torch import Tensor, nn

from mtlrun.balancers.draws import check_seed, step_seed
from mtlrun.balancers.module_state import get_state, set_state, unsavable
from mtlrun.errors import ConfigError, choose
from mtlrun.lines import one_line

log = logging.getLogger("mtlrun")

FAILURES = (ValueError, TypeError, RuntimeError, IndexError, ArithmeticError, ImportError)
"""What TorchJD raises for arguments and inputs that it cannot use."""
COUNTS = ("shape", "n_tasks")
"""Arguments that are the number of tasks, which need not be given."""
ACROSS_BATCHES = {"MoDoWeighting": 2, "SDMGradWeighting": 3}
"""Batches of a step for weightings that read the products of two batches' gradients; the last batch is combined."""


class Construction:
    """A class of TorchJD and the options to build it with.

    Args:
        method: a class of `torchjd.aggregation` or `torchjd.scalarization`; 'scalarization.Mean' for a scalarizer whose
            name an aggregator has as well.
        options: arguments of its constructor. A tensor is a list of numbers, in the order of the tasks, or maps each
            task name to its number.

    Raises:
        ConfigError: for an unknown method, an unknown or missing option, or a missing package.
    """

    def __init__(self, method: str, options: Mapping[str, Any]) -> None:
        classes = torchjd_classes()
        self.method = choose(method, classes, "balancer.method")
        self.options = dict(options)
        self._class = classes[method]
        self._parameters = inspect.signature(self._class).parameters
        for option in options:
            choose(option, self._parameters, f"option of torchjd's {method}")
        for name, parameter in self._parameters.items():
            if parameter.default is parameter.empty and name not in self.options and name not in COUNTS:
                raise ConfigError(f"balancer.method={method} needs an option: give balancer.options.{name}=...")

    def example_tasks(self) -> tuple[str, ...]:
        """As many tasks as the options speak of, else two."""
        sizes = (value for value in self.options.values() if isinstance(value, list | dict))
        return tuple(map(str, next(map(list, sizes), ["0", "1"])))

    def build(self, tasks: tuple[str, ...], like: Tensor) -> nn.Module:
        """The object for these tasks, its tensors with the dtype and on the device of `like`.

        Raises:
            ConfigError: if TorchJD refuses the options.
        """
        counts = {name: len(tasks) for name in COUNTS if name in self._parameters}
        try:
            given = {name: self._argument(name, value, tasks, like) for name, value in self.options.items()}
            module = self._class(**(counts | given))
        except FAILURES as error:
            raise ConfigError(f"balancer.method={self.method}: {one_line(error)}") from error
        return (module if self.method in ACROSS_BATCHES else as_aggregator(module)).to(like)

    def check(self, tasks: Sequence[str]) -> None:
        """Raise ConfigError for an option by task name that names another task, or not all of them."""
        for name, value in self.options.items():
            for task in value if isinstance(value, Mapping) else ():
                choose(task, tasks, f"task in balancer.options.{name} named")

    def _argument(self, name: str, value: Any, tasks: tuple[str, ...], like: Tensor) -> Any:
        if isinstance(value, Mapping):
            missing = [task for task in tasks if task not in value]
            if missing:
                raise ConfigError(f"balancer.options.{name} has no number for task '{missing[0]}'")
            value = [value[task] for task in tasks]
        wants_tensor = "Tensor" in str(self._parameters[name].annotation)
        return like.new_tensor(value) if wants_tensor and isinstance(value, list) else copy.deepcopy(value)


class Objects:
    """The objects of one balancer and their random draws.

    TorchJD keeps state by row, not by name: each set of active tasks has an object of its own, whose rows stay in the
    order in which these tasks came first.

    Args:
        recipe: what to build.
        seed: of the draws, which TorchJD takes from the global generator; they follow from the seed and the step.
    """

    def __init__(self, recipe: Construction, seed: int) -> None:
        self.recipe, self.seed, self.step = recipe, check_seed(seed), 0
        self._built: dict[frozenset[str], tuple[tuple[str, ...], nn.Module]] = {}
        self._saved: dict[frozenset[str], dict[str, Any]] = {}

    def get(self, tasks: tuple[str, ...], like: Tensor) -> tuple[nn.Module, list[int]]:
        """The object for these tasks, and where each of its rows stands among `tasks`."""
        key = frozenset(tasks)
        if key not in self._built:
            saved = self._saved.pop(key, {"tasks": tasks, "state": {}})
            names = tuple(saved["tasks"])
            module = self.recipe.build(names, like)
            if saved["state"]:
                set_state(module, saved["state"], like.device)
            self._built[key] = names, module
        names, module = self._built[key]
        return module, [tasks.index(name) for name in names]

    def modules(self) -> list[nn.Module]:
        return [module for _, module in self._built.values()]

    @contextmanager
    def draws(self, device: torch.device) -> Iterator[None]:
        """Random numbers of this step from the global generators, which are as before afterwards."""
        cpu = device.type == "cpu"
        reseed = torch.default_generator.manual_seed if cpu else torch.manual_seed  # the latter touches accelerators
        with torch.random.fork_rng([] if cpu else [device], device_type=device.type):
            reseed(step_seed(self.seed, self.step))
            yield

    def state_dict(self) -> dict[str, Any]:
        built = [{"tasks": list(names), "state": self._state(names, module)} for names, module in self._built.values()]
        return {"seed": self.seed, "step": self.step, "objects": [*built, *self._saved.values()]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.seed, self.step = state["seed"], state["step"]
        self._built.clear()
        self._saved = {frozenset(item["tasks"]): dict(item) for item in state["objects"]}
        if any(not item["state"] for item in state["objects"]):
            log.warning("the state of torchjd's %s could not be saved: it starts afresh", self.recipe.method)

    def _state(self, names: tuple[str, ...], module: nn.Module) -> dict[str, Any]:
        """Empty if the object has grown attributes that cannot be saved, such as the problem of a solver."""
        fresh = self.recipe.build(names, torch.zeros(()))
        return {} if unsavable(module) - unsavable(fresh) else get_state(module)


def torchjd_classes() -> dict[str, type[nn.Module]]:
    """What `balancer.method` can name. A bare name means the aggregator where a scalarizer has it, too.

    Raises:
        ConfigError: if TorchJD is missing or too old.
    """
    try:
        aggregation, scalarization = import_module("torchjd.aggregation"), import_module("torchjd.scalarization")
    except ImportError as error:
        raise ConfigError(f"balancer=torchjd cannot start ({error}): pip install 'mtlrun[torchjd]'") from error
    classes = {name: getattr(aggregation, name) for name in aggregation.__all__}
    for name in scalarization.__all__:
        classes[f"scalarization.{name}" if name in classes else name] = getattr(scalarization, name)
    return {name: found for name, found in classes.items() if not inspect.isabstract(found)}


def as_aggregator(module: nn.Module) -> nn.Module:
    """A weighting as the aggregator that applies it; anything else as it is."""
    library = import_module("torchjd.aggregation")
    if not isinstance(module, library.Weighting):
        return module
    return (library.GramianWeightedAggregator if reads_gram(module) else library.WeightedAggregator)(module)


def reads_gram(weighting: nn.Module) -> bool:
    """Whether a weighting reads the Gram matrix, rather than the gradients, by the type that it declares."""
    types = import_module("torchjd.linalg")
    bases = [base for part in type(weighting).__mro__ for base in vars(part).get("__orig_bases__", ())]
    declared = [argument for base in bases for argument in get_args(base)]
    if types.PSDMatrix in declared or types.Matrix in declared:
        return types.PSDMatrix in declared
    inner = getattr(weighting, "weighting", None)  # one that passes another one's weights on declares neither
    return isinstance(inner, nn.Module) and reads_gram(inner)
