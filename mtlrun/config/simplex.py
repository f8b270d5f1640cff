"""`balancer.task_weights=simplex(11)` in a sweep: plain sums of the losses, whose weights cover the simplex."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from mtlrun.config.words import as_typed
from mtlrun.data.tables.target_names import task_names
from mtlrun.errors import ConfigError
from mtlrun.runs.sweeps import sweep_words

_WORD = re.compile(r"""(?P<key>[+]*[\w./]+)=\s*(?P<quote>['"]?)simplex\((?P<points>[^()]*)\)(?P=quote)\s*""")
_MOST = 10_000
_DIGITS = 4
_CHOOSING_TASKS = ("task", "tasks", "data.targets")


def quoted(word: str) -> str:
    """A setting of that form as a text, which Hydra would take for a function that it lacks; others as they are."""
    found = _WORD.fullmatch(word)
    return f'{found["key"]}="simplex({found["points"]})"' if found else word


def refuse_single(words: Sequence[str]) -> None:
    """Raise ConfigError for such a setting outside of a sweep."""
    found = next((word for word in words if _WORD.fullmatch(word)), None)
    if found is not None:
        raise ConfigError(f"{found.replace(chr(34), '')} is a sweep over the weights: add -m")


def expand(config: DictConfig) -> None:
    """Put the weightings in the place of `simplex(N)`, in the words of a sweep and in the settings of its sweeper.

    Args:
        config: of the sweep, with its `hydra` node.

    Raises:
        ConfigError: for a number of points that is none, or tasks that are not known before the data are read.
    """
    words = config.hydra.overrides.task
    for place, word in enumerate(as_typed(words)):
        found = _WORD.fullmatch(word)
        if found:
            key = "++" + found["key"].lstrip("+")
            words[place] = f"{key}={_choices(found['points'], config, found['key'])}"
    settings = config.hydra.sweeper.get("params") or {}
    if any(_WORD.fullmatch(f"{key}={value}") for key, value in settings.items()):
        with open_dict(config):
            config.hydra.sweeper.params = dict(_expanded(str(key), value, config) for key, value in settings.items())


def _expanded(key: str, value: object, config: DictConfig) -> tuple[str, object]:
    """A setting of the sweeper, with weightings in place of `simplex(N)`."""
    found = _WORD.fullmatch(f"{key}={value}")
    return (f"++{key.lstrip('+')}", _choices(found["points"], config, key)) if found else (key, value)


def simplex_points(tasks: Sequence[str], points: int) -> list[dict[str, float]]:
    """Weightings of mean 1, so that one of all ones is the plain sum, and a learning rate means the same for each.

    Two tasks: evenly from one end, where a task has no weight, to the other. More: the middle, then the points of a
    Halton sequence, mapped onto the simplex such that every part of it is equally likely. The same ones each time.
    """
    if len(tasks) == 2:
        return [_named(tasks, [place, points - 1 - place]) for place in range(points)]
    from scipy.stats.qmc import Halton  # here: it takes a while to load

    draws = Halton(len(tasks), scramble=False).random(points + 1)[2:]  # the first is all zeros, the next the middle
    middle = _named(tasks, [1.0] * len(tasks))
    return [middle, *(_named(tasks, [-math.log(number) for number in draw]) for draw in draws)]


def _named(tasks: Sequence[str], shares: Sequence[float]) -> dict[str, float]:
    scale = len(tasks) / sum(shares)
    return {task: round(scale * share, _DIGITS) for task, share in zip(tasks, shares)}


def _choices(points: str, config: DictConfig, key: str) -> str:
    """The values of the sweep as Hydra reads them."""
    key = key.lstrip("+")
    tasks = _tasks(config, key)
    least = 2 if len(tasks) == 2 else 1
    if not points.strip().isdecimal() or not least <= int(points) <= _MOST:
        raise ConfigError(f"{key}=simplex({points}): give a number of weightings from {least} to {_MOST}")
    found = simplex_points(tasks, int(points))
    return ",".join("{" + ",".join(f"{task}:{weight:g}" for task, weight in one.items()) + "}" for one in found)


def _tasks(config: DictConfig, key: str) -> list[str]:
    """Of the run; all jobs must share them."""
    typed = sweep_words(config.hydra.sweeper.get("params"), as_typed(config.hydra.overrides.task))
    choosing = [word for word in typed if word.lstrip("+").partition("=")[0] in _CHOOSING_TASKS]
    varied = [one.input_line for one in OverridesParser.create().parse_overrides(choosing) if one.is_sweep_override()]
    if varied:
        raise ConfigError(f"{key}=simplex(...): one set of tasks at a time, found {varied[0]}")
    tasks = [*_names(config)]
    if not tasks:
        name = "data.targets" if "targets" in config.data else "tasks"
        raise ConfigError(f"{key}=simplex(...): the tasks are known only with the data, name them: {name}=[a,b]")
    if len(tasks) == 1:
        raise ConfigError(f"{key}=simplex(...): the single task '{tasks[0]}' has nothing to be weighed against")
    return tasks


def _names(config: DictConfig) -> Iterable[str]:
    """Of the tasks; none where only the data tell them. The columns that a table is to predict name its tasks."""
    if config.tasks is not None:
        return [str(name) for name in config.tasks]
    if not config.task.inferred:
        return [str(name) for name in config.task.tasks]
    targets = config.data.get("targets")
    return task_names(map(str, targets)).values() if OmegaConf.is_list(targets) else ()
