"""Anchors: how many entries a file unfolds to is counted without unfolding it."""

import pytest

from mtlrun.runs.yamlfile import parse_yaml, unfolds_too_far


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
        ("a: &a [*a]\n", False),  # lies in itself: another mistake
        ("a: [&\n*", False),  # no YAML
        ("", False),
        ("title: A & B *C*", False),
    ],
)
def test_unfolded_sizes(text, far):
    assert unfolds_too_far(text) is far


def test_a_report_takes_such_a_file_for_damaged():
    assert parse_yaml(levels(7)) is None
    assert parse_yaml("a: &a {b: 1}\nc: *a\n") == {"a": {"b": 1}, "c": {"b": 1}}
