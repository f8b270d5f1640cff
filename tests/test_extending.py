"""docs/extending.md shows what `mtlrun new` writes, word for word."""

import re
from pathlib import Path

import pytest

from mtlrun.cli.new import main
from mtlrun.cli.templates import KINDS, class_name, example
from mtlrun.errors import ConfigError

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text()
SHOWN = re.findall(r"^`([\w./]+)`\n\n```\w+\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
NAMES = {path.split("/")[1]: Path(path).stem for path, _ in SHOWN if path.startswith("my_conf/")}


def test_every_kind_has_its_example():
    assert sorted(NAMES) == sorted(KINDS)
    assert len(SHOWN) == 3 * len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_shows_what_is_written(kind):
    files = {str(path): text for path, text in example(kind, NAMES[kind]).files.items()}
    assert files.items() <= dict(SHOWN).items(), "write the block of docs/extending.md anew from mtlrun/templates"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("Large", "'Large' cannot name a module: take small letters, digits and _, such as my_balancer"),
        ("2nd", "'2nd' cannot name a module"),
        ("../x", "'../x' cannot name a module"),
        ("class", "'class' cannot name a module"),
        ("pcgrad", "there is a balancer 'pcgrad' already, and it would win: choose another name"),
        ("torch", "there is a Python module 'torch' already: choose another name, such as my_torch"),
        ("loss_balancer", "the class of 'loss_balancer' would be called LossBalancer, which it builds on"),
    ],
)
def test_bad_names_are_refused(name, line, tmp_path):
    with pytest.raises(ConfigError, match=re.escape(line)):
        main(["balancer", name, "--to", str(tmp_path)])
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["balancr", "mine"], "no kind of part 'balancr'; did you mean 'balancer'?"),
        (["balancer"], "name a kind of part, and the part: mtlrun new balancer|"),
        (["balancer", "mine", "--to"], "--to needs a value"),
    ],
)
def test_wrong_words_are_told(words, line):
    with pytest.raises(ConfigError, match=re.escape(line)):
        main(words)


def test_nothing_is_overwritten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_mine.py").write_text("mine")
    with pytest.raises(ConfigError, match=r"test_mine\.py exists already"):
        main(["balancer", "mine"])
    assert [path.name for path in tmp_path.iterdir()] == ["test_mine.py"]
    assert (tmp_path / "test_mine.py").read_text() == "mine"


def test_what_is_printed_can_be_typed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["sharing", "mine", "--to=there"]) == 0
    assert capsys.readouterr().out == (
        "wrote\n  there/mine.py\n  there/my_conf/sharing/mine.yaml\n  there/test_mine.py\n"
        "next\n  cd there\n  mtlrun check --config-dir my_conf task=multidigits sharing=mine\n"
        "  python -m pytest test_mine.py\n  mtlrun --config-dir my_conf task=multidigits sharing=mine\n"
    )


def test_class_names():
    assert [class_name(name) for name in ("largest", "my_own2")] == ["Largest", "MyOwn2"]
