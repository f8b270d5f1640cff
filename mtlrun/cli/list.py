"""`mtlrun list [GROUP [OPTION]] [--config-dir DIR]`: what can be chosen."""

from __future__ import annotations

from mtlrun.cli.config_dir import split_config_dir
from mtlrun.cli.groups import Groups, groups, option_file
from mtlrun.errors import choose


def main(arguments: list[str]) -> int:
    """Print every group, or some, with its options and the first comment line of each; or the file of one option."""
    config_dir, names = split_config_dir(arguments)
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
