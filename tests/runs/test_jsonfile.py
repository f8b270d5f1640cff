from enum import Enum
from pathlib import Path

import numpy as np
import pytest

from mtlrun.runs.jsonfile import plain, read_json, write_json


class Colour(Enum):
    red = "r"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (float("-inf"), None),
        (True, True),
        (np.float64(0.5), 0.5),
        (np.float32("nan"), None),
        (np.array([1.0, np.inf]), [1.0, None]),
        ((1, {2: Path("a/b")}), [1, {"2": "a/b"}]),
        (Colour.red, "r"),
        ({"b", "a"}, ["a", "b"]),
        (range(2), [0, 1]),
    ],
)
def test_plain_values(value, expected):
    assert plain(value) == expected


def test_an_object_without_plain_form_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError, match="object"):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}


@pytest.mark.parametrize("text", [None, "", '{"a": 1', "[1]", "\xff"])
def test_reading_tolerates_absent_and_torn_files(tmp_path, text):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))
    assert read_json(path) is None
