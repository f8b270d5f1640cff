"""What a class refuses, in one line; what breaks inside it stays a defect."""

import pytest

from mtlrun.errors import ConfigError
from mtlrun.instantiate import instantiate

WRONG = r"part: Part\(\) got an unexpected keyword argument "
TAKES = r"\(it takes: size, broken\)"


class Part:
    def __init__(self, size, broken=False):
        if broken:
            len(size)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"size": 1, "sise": 2},
            rf"^{WRONG}'sise'; did you mean 'size'\? leave it out with ~part\.sise {TAKES}$",
        ),
        ({"size": 1, "other": 2}, rf"^{WRONG}'other': leave it out with ~part\.other {TAKES}$"),
        ({}, r"^part: Part\(\) missing a required argument: 'size'$"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ConfigError, match=message):
        instantiate({"_target_": f"{__name__}.Part", **arguments}, "part")
    with pytest.raises(ConfigError, match=message):
        instantiate({"_target_": f"{__name__}.Part"}, "part", **arguments)


def test_a_defect_of_the_class_is_not_the_users_mistake():
    with pytest.raises(TypeError, match="has no len"):
        instantiate({"_target_": f"{__name__}.Part"}, "part", size=1, broken=True)
