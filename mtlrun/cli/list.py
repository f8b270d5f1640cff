"""`mtlrun list [GROUP [OPTION]] [--config-dir DIR]`: what can be chosen."""

from __future__ import annotations

from pathlib import Path

from mtlrun.cli.groups import Groups, groups, option_file
from mtlrun.errors import ConfigError, choose


def main(arguments: list[str]) -> int:
    """Print every group, or some, with its options and the first comment line of each; or the file of one option."""
    config_dir, names = _config_dir(arguments)
    found = groups(config_dir)
    if len(names) == 2 and names[0] in found and names[1] not in found:
        option = choose(names[1], found[names[0]], names[0])
        print(option_file(names[0], option, config_dir).read_text(encoding="utf-8"), end="")
        return 0
    for name in names:
        choose(name, found, "group")
    print("\n\n".join(_block(group, options) for group, options in _selected(found, names).items()))
    return 0


def _selected(found: Groups, names: list[str]) -> Groups:
    return {name: found[name] for name in names} if names else found


def _block(group: str, options: dict[str, str]) -> str:
    width = max(map(len, options))
    return "\n".join([group, *(f"  {option:<{width}}  {comment}" for option, comment in options.items())])


def _config_dir(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The folder given with --config-dir, and the other words."""
    words = [part for word in arguments for part in _split_flag(word)]
    flag = next((word for word in words if word in ("--config-dir", "-cd")), None)
    if flag is None:
        return None, words
    at = words.index(flag)
    if len(words) == at + 1 or not Path(words[at + 1]).is_dir():
        raise ConfigError(f"{' '.join(words[at : at + 2])}: no such folder")
    return words[at + 1], words[:at] + words[at + 2 :]


def _split_flag(word: str) -> list[str]:
    return word.split("=", 1) if word.startswith("--config-dir=") else [word]
