"""What others say, on one line."""

import pytest

from mtlrun.lines import reason


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError("two\nlines"), "two lines"), (KeyError(), "KeyError"), (ValueError("x" * 400), "x" * 300)],
)
def test_what_another_package_says_fits_on_a_line(error: Exception, told: str) -> None:
    assert reason(error) == told
