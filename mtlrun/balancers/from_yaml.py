"""Build a balancer from its YAML alone, without composing a whole configuration, and without Hydra."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import signature
from typing import Any

from mtlrun.balancers.base import Balancer
from mtlrun.errors import choose
from mtlrun.options import check_like_default
from mtlrun.paths import CONF
from mtlrun.runs.yamlfile import read_yaml

RUN_SETTINGS = ("every", "gradients", "memory", "rescale", "heads")
"""Keys that belong to the gradient engine of a run, not to the method."""
SEED = "${seed}"
"""What the YAML of a method with random draws says: the seed of the run, which is 0 where there is no run."""


def load_balancer(name: str, options: Mapping[str, Any]) -> Balancer:
    """See `mtlrun.balancers.load`."""
    method = {key: value for key, value in _settings(name).items() if key not in RUN_SETTINGS}
    for option in options:
        choose(option, [key for key in method if key != "_target_"], f"option of balancer '{name}'")
    return _made(method, options)


def load_with_engine(name: str, options: Mapping[str, Any]) -> tuple[Balancer, dict[str, Any]]:
    """A balancer, and the engine's settings beside its own: defaults of the YAML, changed by `options`.

    Raises:
        ConfigError: for an unknown name or option, or a value that does not suit it.
    """
    settings = _settings(name)
    for option in options:
        choose(option, [key for key in settings if key != "_target_"], f"option of balancer '{name}'")
    method = {key: value for key, value in settings.items() if key not in RUN_SETTINGS}
    engine = {key: value for key, value in settings.items() if key in RUN_SETTINGS}
    for option in engine.keys() & options.keys():
        check_like_default(f"balancer.{option}", options[option], engine[option])
        engine[option] = options[option]
    return _made(method, {option: value for option, value in options.items() if option in method}), engine


def _settings(name: str) -> dict[str, Any]:
    """Every setting of `balancer=name` with its default, those of the engine first."""
    choose(name, sorted(path.stem for path in (CONF / "balancer").glob("*.yaml")), "balancer", "mtlrun list balancer")
    own: dict[str, Any] = dict(read_yaml(CONF / "balancer" / f"{name}.yaml"))
    shared: dict[str, Any] = {}
    for entry in own.pop("defaults", ()):
        if isinstance(entry, dict):  # '/gradients@_here_: KIND'; the other entry is the file itself
            (kind,) = entry.values()
            shared |= read_yaml(CONF / "gradients" / f"{kind}.yaml")
    return shared | own


def _made(method: Mapping[str, Any], options: Mapping[str, Any]) -> Balancer:
    module, _, name = method["_target_"].rpartition(".")
    factory: Callable[..., Balancer] = getattr(import_module(module), name)
    defaults = {key: 0 if value == SEED else value for key, value in method.items() if key != "_target_"}
    for option, value in options.items():
        if value is not None or not _takes_none(factory, option):
            check_like_default(f"balancer.{option}", value, defaults[option])
    return factory(**{**defaults, **{option: _built(value) for option, value in options.items()}})


def _built(value: Any) -> Any:
    """An option, with the objects that it describes by a `_target_`; only these need Hydra."""
    if not isinstance(value, Mapping) or not any(map(_describes, value.values())):
        return value
    from hydra.utils import instantiate

    return instantiate(dict(value), _convert_="all")


def _describes(value: Any) -> bool:
    return isinstance(value, Mapping) and ("_target_" in value or any(map(_describes, value.values())))


def _takes_none(factory: Callable[..., Any], option: str) -> bool:
    return "None" in str(signature(factory).parameters[option].annotation)
