"""Errors of Hydra, OmegaConf and YAML in one line of ours: what is wrong, where it was set, what to do."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable
from pathlib import Path
from traceback import walk_tb

from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import Container, DictConfig, ListConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException, ValidationError
from omegaconf.nodes import BooleanNode, EnumNode, FloatNode, IntegerNode, StringNode
from yaml import MarkedYAMLError, YAMLError

from mtlrun.commands import command_line
from mtlrun.errors import MtlrunError, named, near_miss
from mtlrun.paths import CONF

_DEEPEST = 100  # frames of a traceback that say what went round in circles
_READ_DEFAULTS = ("hydra._internal.config_repository", "hydra._internal.defaults_list", "hydra.core.default_element")
_ENGINE = ("every", "gradients", "memory", "rescale", "heads")
_ENGINE_LINES = "defaults: [/gradients@_here_: losses|default|jacobian, _self_]"
_EXPECTED = {
    IntegerNode: "a whole number",
    FloatNode: "a number",
    BooleanNode: "true or false",
    StringNode: "a text",
    ListConfig: "a list such as [a,b]",
    DictConfig: "a group of settings",
}


def explain(error: BaseException) -> str | None:
    """The line for a mistake of the user's; None for any other error, which is a bug."""
    if isinstance(error, MtlrunError):
        return str(error)
    if str(error).startswith("Config group override must be"):
        return _no_option(error)
    if isinstance(error, MissingConfigException):
        return _missing_option(error)
    if isinstance(error, OverrideParseException):
        return f"cannot read '{error.override}': settings are key=value, special characters quoted"
    if isinstance(error, MarkedYAMLError):
        return _broken_yaml(error)
    if isinstance(error, UnicodeError | YAMLError | RecursionError):
        return _unreadable(error)
    if isinstance(error, InstantiationException):
        return _not_instantiated(error)
    if isinstance(error, ConfigCompositionException):
        return _not_composed(error)
    if isinstance(error, OmegaConfBaseException):
        return _wrong_setting(error, str(error.full_key or ""))
    if isinstance(error, HydraException) or str(error).startswith("Config group override"):
        return " ".join(str(error).split())
    if isinstance(error, ValueError | AssertionError):
        return _wrong_defaults(error)
    return None


def suggest(word: str, options: Iterable[str], command: str = "") -> str:
    """The nearest option as a question; if none is near the options, of many a part and the command that lists them."""
    names = [str(option) for option in options if not str(option).startswith("_")]
    return near_miss(word, names) or named(names, command)


def _missing_option(error: MissingConfigException) -> str:
    group, _, option = (error.missing_cfg_file or "").rpartition("/")
    where = _file_of(str(error))
    if not group:
        return f"{where}no configuration file '{option}'"
    if group.startswith("experiment/"):
        return where + _missing_preset(f"{group.partition('/')[2]}/{option}")
    hint = _left_out(group, option) or suggest(option, error.options or [], f"mtlrun list {group}")
    return f"{where}no {group} '{option}'{hint}"


def _no_option(error: BaseException) -> str:
    """What was written in place of a group's option: Hydra names only its type."""
    places = (frame.f_locals.get("override") for frame, _ in walk_tb(error.__traceback__))
    override = next((place for place in places if hasattr(place, "key_or_group")), None)
    if override is None:
        return " ".join(str(error).split())
    group = override.key_or_group
    null = override.value() is None
    words = "no group takes null; name an option" if null else "must be the name of an option"
    return f"{override.input_line}: {words}: {command_line('mtlrun', 'list', group)}"


def _left_out(group: str, option: str) -> str:
    """What to add where a folder here has the option, and was not named; nothing where none has it."""
    inside = f"{glob.escape(group)}/{glob.escape(option)}.yaml"
    file = next((file for pattern in (inside, f"*/{inside}") for file in sorted(Path().glob(pattern))), None)
    if file is None:
        return ""
    folder = file.parents[group.count("/") + 1]
    return f": {file} is there, so add {command_line('--config-dir', str(folder))}"


def _missing_preset(name: str) -> str:
    """Those of papers lie in a folder for each paper."""
    home = CONF / "experiment"
    known = [path.relative_to(home).with_suffix("").as_posix() for path in sorted(home.glob("*/*.yaml"))]
    return f"no experiment '{name}'{suggest(name, known, 'mtlrun list experiment')}"


def _broken_yaml(error: MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"{mark.name}, line {mark.line + 1}: " if mark else ""
    return f"{where}not valid YAML: {error.problem or error.context}"


def _unreadable(error: BaseException) -> str | None:
    """Of a file of the user's that is no text, or whose lists and groups lie in themselves."""
    frames = (frame for frame, _ in walk_tb(error.__traceback__) if frame.f_code.co_name == "load_config")
    file = next((frame.f_locals["full_path"] for frame in frames if "full_path" in frame.f_locals), None)
    if file is None:
        names = [frame.f_globals.get("__name__") for frame, _ in walk_tb(error.__traceback__)][-_DEEPEST:]
        circle = isinstance(error, RecursionError) and "hydra._internal.defaults_list" in names
        return "a defaults list of your YAML files leads back to itself" if circle else None
    if isinstance(error, RecursionError):
        return f"{file}: an anchor that lies in itself, or too many levels of lists and groups"
    return f"{file}: not valid YAML: no text in UTF-8"


def _wrong_defaults(error: ValueError | AssertionError) -> str | None:
    """Of a file whose `defaults` are no list, or have an entry that names no option; None for what is no such error."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    if not frames or frames[-1].f_globals.get("__name__") not in _READ_DEFAULTS:
        return None
    paths = [frame.f_locals["config_path"] for frame in frames if isinstance(frame.f_locals.get("config_path"), str)]
    found = " ".join(str(error).split())
    for known in (f"In {paths[-1]}: ", f"Invalid defaults list in '{paths[-1]}', ") if paths else ():
        found = found.removeprefix(known)
    file = f"{paths[-1]}.yaml: " if paths else "in one of your YAML files "
    needed = "its defaults should be a list such as [{override /balancer: pcgrad}, _self_]"
    return f"{file}{needed}" + (f" ({found})" if found else "")


def _not_instantiated(error: InstantiationException) -> str:
    """What a class that YAML names has said, without Hydra's frame around it."""
    if isinstance(error.__cause__, MtlrunError):
        return str(error.__cause__)
    lines = [line for line in str(error).splitlines() if line.strip()]
    text = " ".join(line.strip() for line in lines if not line.startswith("full_key"))
    keys = [line.removeprefix("full_key: ").strip() for line in lines if line.startswith("full_key")]
    text = text.replace(", set env var HYDRA_FULL_ERROR=1 to see chained exception.", "")
    cause = error.__cause__
    known = f": {cause}" if cause is not None and str(cause) not in text else ""
    return f"{keys[0] + ': ' if keys else ''}{text}{known}"


def _not_composed(error: ConfigCompositionException) -> str:
    text = str(error)
    cause = error.__cause__ or error.__context__
    if _lacks_package(text, cause):
        inside = f"without it, all that it sets lies in {_group(text)}"
        return f"{_file_of(text)}its first line must be '# @package _global_': {inside}"
    if isinstance(cause, OmegaConfBaseException):
        override = re.search(r"Error merging override (\S+)", text)
        return _file_of(text) + _wrong_setting(cause, override.group(1) if override else "")
    sweep = re.match(r"(?:Ambiguous value for argument|Sweep parameters) '(.*?)'", text)
    if sweep:
        return f"{sweep.group(1)} lists several values: add -m to sweep over them, or write [...] for a list"
    exists = re.match(r"Could not append to config. An item is already at '(.*)'", text)
    if exists:
        return f"'{exists.group(1)}' exists already: leave out the +"
    return " ".join(line.strip() for line in text.splitlines() if "To append" not in line)


def _lacks_package(text: str, cause: BaseException | None) -> bool:
    """Whether a file of the groups that set things outside of themselves has put them inside."""
    group = _group(text)
    if group not in ("task", "experiment"):
        return False
    if re.search(rf"Could not override '\S+@{group}\.", text):
        return True
    key = str(getattr(cause, "full_key", "")).split(".")
    return key[0] == group and (group == "experiment" or key[1:2] == ["task"])


def _group(text: str) -> str:
    """'task' for an error inside the file task/mine.yaml."""
    found = re.match(r"In '(.*?)':", text)
    return found.group(1).rpartition("/")[0] if found else ""


def _file_of(text: str) -> str:
    """'task/mine.yaml: ' for an error inside a file; nothing for the command line and the main file."""
    found = re.match(r"In '(.*?)':", text)
    return f"{found.group(1)}.yaml: " if found and found.group(1) not in ("config", "hydra/config") else ""


def _wrong_setting(error: OmegaConfBaseException, override: str) -> str:
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and isinstance(error.parent_node, Container):
        return unknown_setting(str(error.full_key), error.parent_node)
    if isinstance(error, ValidationError):
        return _wrong_value(error, override)
    key = f"{error.full_key}: " if error.full_key else ""
    return key + (str(error).splitlines() or [type(error).__name__])[0]


def unknown_setting(key: str, parent: Container) -> str:
    """The line for a key that `parent`, the node above it, does not have."""
    path, _, word = key.rpartition(".")
    if isinstance(parent, DictConfig) and len(parent) == 0 and path:
        return f"'{path}' has no entry '{word}' yet: write +{key}=... to add one"
    if path == "balancer" and word in _ENGINE and _is_own(parent):
        return f"no setting '{word}' in balancer: write +{key}=..., or begin its YAML with {_ENGINE_LINES}"
    where = f" in {path}" if path else ""
    options = [str(option) for option in parent] if isinstance(parent, DictConfig) else []
    hint = _lives_in(word, parent) if not path else ""
    return f"no setting '{word}'{where}{hint or suggest(word, options)}"


def _lives_in(word: str, root: Container) -> str:
    """The places of a setting that was given without its group, as a question; nothing if there is none."""
    groups = [str(key) for key in root if key != "hydra"] if isinstance(root, DictConfig) else []
    found = [f"'{group}.{word}'" for group in groups if OmegaConf.is_dict(root[group]) and word in root[group]]
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _is_own(balancer: Container) -> bool:
    """Whether the node names a class of the user's."""
    return isinstance(balancer, DictConfig) and not str(balancer.get("_target_")).startswith("mtlrun.")


def _wrong_value(error: ValidationError, override: str) -> str:
    node = error.child_node
    key, _, found = override.partition("=")
    key = key.lstrip("+") or str(error.full_key)
    found = found or str(getattr(error, "value", ""))
    if isinstance(node, EnumNode):
        options = list(node.enum_type.__members__)
        return f"{key}={found}: no such {key.rpartition('.')[2]}{suggest(found, options)}"
    if "not Optional" in str(error):
        return f"{key}={found}: must have a value"
    if "is not a ListConfig" in str(error):
        return f"{key}={found}: must be a list, such as {key}=[{found}]"
    if not key or key == "None":
        return str(error).splitlines()[0]
    expected = next((text for kind, text in _EXPECTED.items() if isinstance(node, kind)), None)
    return f"{key}={found}: must be {expected}" if expected else f"{key}={found}: {str(error).splitlines()[0]}"
