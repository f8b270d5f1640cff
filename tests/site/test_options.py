"""The pages of all options: every setting of every file of conf/, with its default and its meaning."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
from site_options import pages, settings  # noqa: E402  (scripts/ is no package)

CONF = ROOT / "conf"
FILES = sorted(path.relative_to(CONF) for path in CONF.rglob("*.yaml"))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ("lr: 0.1  # of the weights", ("lr", "0.1", "of the weights")),
        ("lr: 0.1", ("lr", "0.1", "")),
        ("betas: [0.9, 0.999]  # of Adam", ("betas", "[0.9, 0.999]", "of Adam")),
        ('name: "a # b"  # two', ("name", '"a # b"', "two")),
        ("url: http://x/#y", ("url", "http://x/#y", "")),
        ("dir: outputs/${now:%Y}/x  # where", ("dir", "outputs/${now:%Y}/x", "where")),
        ("depth:  # inverse", ("depth", "", "inverse")),
    ],
)
def test_a_line_is_a_key_its_default_and_its_meaning(line, row):
    assert [*settings(line)] == [row]


def test_what_is_meant_again_is_named_by_its_place():
    text = "a:\n  one: &same  # twice\n    x: 1\n  two: *same\n"
    assert [*settings(text)] == [("a.one", "", "twice"), ("a.one.x", "1", ""), ("a.two", "as a.one", "")]


def test_groups_stand_before_a_key_and_classes_are_no_settings():
    text = "# What it is\n_target_: a.B\ntask:\n  tasks:\n    sign:\n      _target_: a.C\n      classes: 3\nlr: 1\n"
    assert [*settings(text)] == [("task.tasks.sign.classes", "3", ""), ("lr", "1", "")]


@pytest.mark.parametrize("file", FILES, ids=str)
def test_no_setting_of_a_file_is_left_out(file):
    """Against a reader of YAML: what has a value, by its place."""
    text = (CONF / file).read_text()
    found = {key: default for key, default, _ in settings(text) if default}
    _compare(yaml.safe_load(text), found)


def _compare(node, found, above=""):
    for name, value in node.items():
        key = f"{above}{name}"
        if name in ("defaults", "_target_", "_partial_"):
            assert key not in found
        elif isinstance(value, dict) and key not in found:
            _compare(value, found, f"{key}.")
        elif not found[key].startswith("as "):  # an alias of YAML: the place that it means is compared itself
            assert yaml.safe_load(found[key]) == value


def test_every_option_has_a_heading_and_every_link_a_target():
    written = pages()
    headings = {name: set(re.findall(r"^## (\S+)$", page, re.MULTILINE)) for name, page in written.items()}
    for group in ("balancer", "sharing", "gradients", "trainer"):
        assert headings[f"options/{group}.md"] == {path.stem for path in (CONF / group).glob("*.yaml")}
    for page in written.values():
        for file, option in re.findall(r"\]\((\w+\.md)#(\w+)\)", page):
            assert option in headings[f"options/{file}"]
    assert "settings of [gradients default](gradients.md#default)" in written["options/balancer.md"]


def test_nothing_of_a_comment_is_taken_for_markup():
    from site_options import _prose

    assert _prose("a|b <i> *c* `d` [e](f) g_h_") == (
        "a&#124;b &lt;i&gt; &#42;c&#42; &#96;d&#96; &#91;e&#93;(f) g&#95;h&#95;"
    )
