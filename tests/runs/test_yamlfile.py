"""Anchors: how many entries a file unfolds to is counted without unfolding it."""

import pytest

from mtlrun.runs.yamlfile import LARGEST, parse_yaml, unfolded_size


def levels(count, width=10):
    text = "a0: &a0 [" + ", ".join("x" * width) + "]\n"
    for level in range(1, count):
        text += f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]\n"
    return text


@pytest.mark.parametrize(
    ("text", "far"),
    [
        (levels(3), False),
        (levels(7), True),
        (levels(60), True),
        ("a: &a {b: 1}\nc: *a\n", False),
        ("a: &a [*a]\n", True),  # lies in itself
        ("a: [&\n*", False),  # no YAML
        ("", False),
        ("title: A & B *C*", False),
    ],
)
def test_unfolded_sizes(text, far):
    assert (unfolded_size(text) > LARGEST) is far


def test_a_report_takes_such_a_file_for_damaged():
    assert parse_yaml(levels(7)) is None
    assert parse_yaml("a: &a [*a]\n") is None
    assert parse_yaml("[" * 5000) is None
    assert parse_yaml("a: &a {b: 1}\nc: *a\n") == {"a": {"b": 1}, "c": {"b": 1}}
