"""Pages with every option of every group, written from conf/: what the site shows cannot go stale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from mtlrun.cli.groups import groups, included, option_file, unlisted_groups
from mtlrun.paths import CONF

_VALUE = r"\"[^\"]*\"|'[^']*'|.*?"
_ENTRY = re.compile(rf"^( *)([\w/@.-]+):(?: +({_VALUE}))??(?: *(?<!\S)#\s?(.*))?$")
_HIDDEN = ("defaults", "_target_", "_partial_")


def pages() -> dict[str, str]:
    """File below docs/ -> its Markdown: a page for each group, and one that lists them."""
    found = {f"options/{_file(group)}": _page(group) for group in _all()}
    lines = [f"| [`{group}=`]({_file(group)}) | {len(options)} |" for group, options in _all().items()]
    table = "\n".join(["| group | options |", "| --- | ---: |", *lines])
    words = "What a run can be told, as the files in `conf/` have it. `mtlrun list GROUP OPTION` prints the same."
    top = _table([row for row in settings((CONF / "config.yaml").read_text(encoding="utf-8")) if "." not in row[0]])
    parts = ["# All options", words, table, "## Of the whole run", top]
    return {"options/index.md": "\n\n".join(parts) + "\n"} | found


def settings(text: str) -> Iterator[tuple[str, str, str]]:
    """(key with its groups, default, meaning) of each line of a YAML file that sets something."""
    above: list[tuple[int, str]] = []
    anchors: dict[str, str] = {}
    for line in text.splitlines():
        found = _ENTRY.match(line)
        if found is None:
            continue
        depth, key, default, meaning = len(found.group(1)), found.group(2), found.group(3) or "", found.group(4) or ""
        above = [(at, name) for at, name in above if at < depth]
        path = [*(name for _, name in above), key]
        if default.startswith("&"):  # what follows is meant again where its name stands with a star
            anchors[default[1:]], default = ".".join(path), ""
        if default.startswith("*"):
            default = f"as {anchors[default[1:]]}"
        if not default:
            above.append((depth, key))
        if path[0] not in _HIDDEN and key not in _HIDDEN and (default or meaning):
            yield ".".join(path), default, meaning


def _all() -> dict[str, dict[str, str]]:
    return groups() | unlisted_groups()


def _file(group: str) -> str:
    return f"{group.replace('/', '_')}.md"


def _page(group: str) -> str:
    parts = [f"# {group}", f"`{group}=OPTION`, then `{_prefix(group)}KEY=VALUE`."]
    for option, comment in _all()[group].items():
        parts += [f"## {option}", _prose(comment), *_tables(group, option)]
    return "\n\n".join(parts) + "\n"


def _prefix(group: str) -> str:
    return "" if group in ("task", "experiment") else f"{group.replace('/', '.')}."


def _tables(group: str, option: str) -> Iterator[str]:
    text = option_file(group, option).read_text(encoding="utf-8")
    yield from _notes(text)
    rows = [*settings(text)]
    if rows:
        yield _table(rows)
    for other, name in included(text):
        yield f"And the settings of [{other} {name}]({_file(other)}#{name})."
    if not rows and not [*included(text)]:
        yield "It has no settings."


def _notes(text: str) -> Iterator[str]:
    """The comment lines on top, after the first, which says what the option is."""
    lines = [line.strip("# ").strip() for line in text.splitlines() if line.startswith("#")]
    prose = [line for line in lines if not line.startswith("@package")][1:]
    if prose:
        yield "\n".join(["```text", *prose, "```"])


def _table(rows: list[tuple[str, str, str]]) -> str:
    lines = [f"| `{key}` | {_code(default)} | {_prose(meaning)} |" for key, default, meaning in rows]
    return "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *lines])


def _code(text: str) -> str:
    return f"<code>{_prose(text)}</code>" if text else ""


def _prose(text: str) -> str:
    """As it is: no markup, no end of a cell."""
    return re.sub(r"([|*_`\[\]\\~])", lambda found: f"&#{ord(found.group())};", escape(text, quote=False))


if __name__ == "__main__":
    for name, page in pages().items():
        print(Path(name), len(page.splitlines()), "lines")
