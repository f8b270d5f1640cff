import pytest
import torch

from mtlrun.balancers.number_per_task import NumberPerTask
from mtlrun.errors import ConfigError


def test_numbers_by_name_with_a_default():
    numbers = NumberPerTask("ideal", {"b": 2}, 0.5)
    assert numbers.get(("a", "b"), torch.ones(2)).tolist() == [0.5, 2.0]
    assert numbers.get(("b", "a"), torch.ones(2, dtype=torch.float64)).dtype == torch.float64
    numbers.check(["a", "b"])
    with pytest.raises(ConfigError, match="did you mean 'bb'"):
        numbers.check(["a", "bb"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"a": 0.0}, r"balancer\.ideal\.a must be a number > 0, found 0\.0"),
        ({"a": "x"}, r"balancer\.ideal\.a must be a number > 0, found 'x'"),
        ([1.0], r"balancer\.ideal must map task names to numbers, found \[1\.0\]"),
    ],
)
def test_bad_numbers(given, message):
    with pytest.raises(ConfigError, match=message):
        NumberPerTask("ideal", given, 1.0, above=0.0)
