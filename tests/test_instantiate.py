"""What a class refuses, and what breaks inside a user's, in one line; what breaks inside ours stays a defect."""

import pytest

from mtlrun.errors import ConfigError, DataError
from mtlrun.instantiate import instantiate
from mtlrun.samplers.temperature import Temperature

WRONG = r"part: Part\(\) got an unexpected keyword argument "
TAKES = r"\(it takes: size, broken\)"


class Part:
    def __init__(self, size, broken=False):
        if broken:
            len(size)


class Careful:
    def __init__(self):
        raise DataError("no rows")


def nothing():
    return None


def part(name: str, **settings):
    return {"_target_": f"{__name__}.{name}", **settings}


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
        instantiate(part("Part", **arguments), "part", Part)
    with pytest.raises(ConfigError, match=message):
        instantiate(part("Part"), "part", Part, **arguments)


def test_a_users_constructor_that_raises_is_told_with_its_line():
    message = r"Part\(\) failed: TypeError: object of type 'int' has no len\(\) \(test_instantiate\.py, line \d+\)$"
    with pytest.raises(ConfigError, match=message):
        instantiate(part("Part"), "part", Part, size=1, broken=True)


def test_a_mistake_that_a_class_words_itself_keeps_its_words():
    with pytest.raises(DataError, match=r"^no rows$"):
        instantiate(part("Careful"), "part", Careful)


def test_a_defect_of_ours_is_not_the_users_mistake(monkeypatch):
    monkeypatch.setattr(Temperature, "__init__", lambda self: len(1))
    with pytest.raises(TypeError, match="has no len"):
        instantiate({"_target_": "mtlrun.samplers.temperature.Temperature"}, "sampler", Temperature)


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (f"{__name__}.nothing", "None"),
        ("builtins.dict", "a dict"),
        ("collections.OrderedDict", "a OrderedDict"),
    ],
)
def test_what_is_no_such_part(target, found):
    message = f"part._target_={target}: must give a {__name__}.Part, and gives {found}"
    with pytest.raises(ConfigError) as refused:
        instantiate({"_target_": target}, "part", Part)
    assert str(refused.value) == message


BROKEN = {
    "needs": (
        "import not_installed\n",
        "importing {name} failed: ModuleNotFoundError: No module named 'not_installed'",
    ),
    "raises": ("raise OSError('full')\n", "importing {name} failed: OSError: full ({name}.py, line 1)"),
    "syntax": ("class Mine:\n  def f(:\n", "importing {name} failed: SyntaxError: invalid syntax ({name}.py, line 2)"),
    "other": ("class Mime: ...\n", "'{name}' has no 'Mine'; did you mean 'Mime'?"),
    "value": ("Mine = 3\n", "is no class or function, but a int"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("inside", [False, True])
def test_a_target_that_cannot_be_had_says_why(name, inside, tmp_path, monkeypatch):
    text, line = BROKEN[name]
    module = f"users_{name}_{inside}".lower()
    (tmp_path / f"{module}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    target = {"_target_": f"{module}.Mine"}
    settings, key = (part("Part", size=[target]), "part.size.0") if inside else (target, "part")
    with pytest.raises(ConfigError) as refused:
        instantiate(settings, "part", object)
    said = str(refused.value)
    assert said.startswith(f"{key}._target_={module}.Mine: ")
    assert line.format(name=module) in said
