"""`mtlrun list [GROUP [OPTION]] [--config-dir DIR]`: what can be chosen."""

from __future__ import annotations

from mtlrun.cli.config_dir import split_config_dir
from mtlrun.cli.groups import groups, included, option_file, unlisted_groups
from mtlrun.errors import choose


def main(arguments: list[str]) -> int:
    """Print every group, or some, with its options and the first comment line of each; or the files of one option."""
    config_dir, names = split_config_dir(arguments)
    listed = groups(config_dir)
    found = listed | unlisted_groups()
    if len(names) == 2 and names[0] in found and names[1] not in found:
        group, option = names
        choose(option, found[group], group, f"mtlrun list {group}")
        print(_option(group, option, config_dir), end="")
        return 0
    for name in names:
        choose(name, found, "group", "mtlrun list")
    shown = {name: found[name] for name in names} if names else listed
    print("\n\n".join(_block(group, options) for group, options in shown.items()))
    return 0


def _option(group: str, option: str, config_dir: str | None) -> str:
    """The file of an option, and after it each file whose settings stand beside its own."""
    text = option_file(group, option, config_dir).read_text(encoding="utf-8").rstrip() + "\n"
    for other, name in included(text):
        settings = option_file(other, name).read_text(encoding="utf-8")
        text += f"\n# beside these, as {group}.KEY, the settings of mtlrun list {other} {name}:\n{settings}"
    return text


def _block(group: str, options: dict[str, str]) -> str:
    width = max(map(len, options))
    return "\n".join([group, *(f"  {option:<{width}}  {comment}" for option, comment in options.items())])
