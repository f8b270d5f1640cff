"""Bounds of numeric options by their names, so that a meaningless number is a line and not a training. No torch here.

torch's own optimizers and schedulers check some of their arguments, in their own words and after torch has been loaded;
others they take as they come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from mtlrun.errors import ConfigError
from mtlrun.options import as_typed, is_number

OURS = ("mtlrun.", "torch.")
"""Targets whose options are known here; a class of the user's own may mean anything by a name."""
LARGEST_SEED = 2**63 - 1


@dataclass(frozen=True)
class Bound:
    """Numbers from `low` to `high`; `without_low` and `without_high` exclude the ends.

    whole: no fractions; numbers: of them, where the option is a list of that length.
    """

    low: float = -math.inf
    high: float = math.inf
    without_low: bool = False
    without_high: bool = False
    whole: bool = False
    numbers: int | None = None

    def holds(self, value: Any) -> bool:
        if self.numbers is not None:
            return isinstance(value, list) and len(value) == self.numbers and all(map(self._admits, value))
        return all(map(self._admits, value if isinstance(value, list) else [value]))

    def _admits(self, value: Any) -> bool:
        if not is_number(value):
            return False
        if self.whole and not isinstance(value, int):
            return False
        return (self.low < value or (self.low == value and not self.without_low)) and (
            value < self.high or (value == self.high and not self.without_high)
        )

    def __str__(self) -> str:
        one = "a whole number" if self.whole else "a number"
        low = f"{'above' if self.without_low else 'from'} {self.low:g}"
        high = "" if self.high == math.inf else f" {'to below' if self.without_high else 'to'} {self.high:g}"
        if not high and not self.without_low:
            low = f"of at least {self.low:g}"
        words = f"{one} {low}{high}"
        return words if self.numbers is None else f"a list of {self.numbers}, each {words}"


NOT_NEGATIVE, POSITIVE = Bound(0), Bound(0, without_low=True)
PART, PART_BELOW_1 = Bound(0, 1), Bound(0, 1, without_high=True)
COUNT, COUNT_FROM_1 = Bound(0, whole=True), Bound(1, whole=True)
DECAYS = Bound(0, 1, without_high=True, numbers=2)

OPTIMIZER: dict[str, Bound] = {
    **dict.fromkeys(
        ("lr", "weight_decay", "eps", "lr_decay", "lambd", "initial_accumulator_value", "momentum_decay"), NOT_NEGATIVE
    ),
    **dict.fromkeys(("momentum", "alpha", "rho"), PART_BELOW_1),
    "dampening": PART,
    "betas": DECAYS,
    "backbone_lr": NOT_NEGATIVE,
    "sharing_lr": NOT_NEGATIVE,
}
SCHEDULER: dict[str, Bound] = {
    **dict.fromkeys(("eta_min", "min_lr", "base_lr", "threshold", "power"), NOT_NEGATIVE),
    **dict.fromkeys(("gamma", "max_lr", "div_factor", "final_div_factor"), POSITIVE),
    **dict.fromkeys(("factor", "pct_start", "end_factor"), PART),
    **dict.fromkeys(("base_momentum", "max_momentum"), PART_BELOW_1),
    **dict.fromkeys(("total_iters", "patience", "cooldown"), COUNT),
    **dict.fromkeys(
        ("T_max", "T_0", "T_mult", "step_size", "step_size_up", "step_size_down", "total_steps", "epochs"), COUNT_FROM_1
    ),
    "start_factor": Bound(0, 1, without_low=True),
    "milestones": COUNT,
}
PLATEAU = {"factor": PART_BELOW_1}
"""Where a name means something narrower in one class."""
WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "ReduceLROnPlateau": {"mode": ("max",), "threshold_mode": ("rel", "abs")},
    "OneCycleLR": {"anneal_strategy": ("cos", "linear")},
    "CyclicLR": {"mode": ("triangular", "triangular2", "exp_range")},
}
LARGEST: dict[str, int] = {
    **dict.fromkeys(("trainer.batch_size", "trainer.eval_batch_size"), 10_000_000),
    **dict.fromkeys(("trainer.devices", "trainer.workers"), 1024),
    **dict.fromkeys(("sharing.experts", "sharing.task_experts", "sharing.shared_experts", "sharing.sluice"), 1024),
}
"""Sizes beyond which memory ends, on any machine, long before a first step says so."""
FINITE = ("optimizer", "scheduler", "balancer", "trainer", "diagnostics")
"""Groups without a number that may be infinite."""


def check_bounds(config: DictConfig) -> None:
    """Refuse numbers without a meaning. A `hydra` node is passed over.

    Raises:
        ConfigError: for the first one.
    """
    for key in ("seed", "data.seed"):
        value = OmegaConf.select(config, key)
        if isinstance(value, int) and not 0 <= value <= LARGEST_SEED:
            raise ConfigError(f"{key}={value}: must be a whole number from 0 to 2^63 - 1")
    groups = {str(key): plain(config, str(key)) for key in config if key != "hydra"}
    for key, largest in LARGEST.items():
        value = OmegaConf.select(config, key, throw_on_missing=False)
        if isinstance(value, int) and value > largest and _known(groups[key.partition(".")[0]], OURS):
            raise ConfigError(f"{key}={value}: must be at most {largest}")
    for group, settings in groups.items():
        _check_numbers(group, settings, finite=group in FINITE and _known(settings, OURS))
    optimizer, scheduler = groups["optimizer"], groups["scheduler"]
    plateau = PLATEAU if _kind(scheduler) == "ReduceLROnPlateau" else {}
    _check_named("optimizer", optimizer, OPTIMIZER)
    _check_named("scheduler", scheduler, SCHEDULER | plateau)
    _check_words(scheduler)
    _check_nesterov(optimizer)


def _check_numbers(key: str, value: Any, finite: bool) -> None:
    """Refuse NaN anywhere, and infinity where no number may be infinite."""
    if isinstance(value, dict | list):
        for word, part in value.items() if isinstance(value, dict) else enumerate(value):
            _check_numbers(f"{key}.{word}", part, finite)
    elif isinstance(value, float) and (math.isnan(value) or (finite and math.isinf(value))):
        raise ConfigError(f"{key}={as_typed(value)}: must be a {'finite ' if finite else ''}number")


def _check_named(group: str, settings: Mapping[str, Any], bounds: Mapping[str, Bound]) -> None:
    """Compare the options of one of torch's classes with the bounds of their names; null is for the class to judge."""
    if not _known(settings, ("torch.optim.",)):
        return
    for option, bound in bounds.items():
        value = settings.get(option)
        if value is not None and not bound.holds(value):
            raise ConfigError(f"{group}.{option}={as_typed(value)}: must be {bound}")


def _check_words(scheduler: Mapping[str, Any]) -> None:
    for option, words in WORDS.get(_kind(scheduler), {}).items():
        if option in scheduler and scheduler[option] not in words:
            why = ", since a validation score is better when higher" if words == ("max",) else ""
            raise ConfigError(f"scheduler.{option}={as_typed(scheduler[option])}: must be {' or '.join(words)}{why}")


def _check_nesterov(optimizer: Mapping[str, Any]) -> None:
    needs = optimizer.get("momentum", 0) and not optimizer.get("dampening", 0)
    if _kind(optimizer) == "SGD" and optimizer.get("nesterov") is True and not needs:
        raise ConfigError("optimizer.nesterov=true: needs optimizer.momentum above 0, and no dampening")


def plain(config: DictConfig, key: str) -> Any:
    """The value with its interpolations resolved; as it stands where one cannot be, which others tell."""
    node = OmegaConf.select(config, key, throw_on_missing=False)
    if not OmegaConf.is_config(node):
        return node
    try:
        return OmegaConf.to_container(node, resolve=True)
    except OmegaConfBaseException:
        return OmegaConf.to_container(node)


def _known(settings: Any, targets: tuple[str, ...]) -> bool:
    """Whether a group is ours to judge: typed by a dataclass, or of a known class."""
    return isinstance(settings, dict) and str(settings.get("_target_", targets[0])).startswith(targets)


def _kind(settings: Mapping[str, Any]) -> str:
    """Name of the class if it is one of torch's, else ''."""
    return str(settings["_target_"]).rpartition(".")[2] if _known(settings, ("torch.optim.",)) else ""
