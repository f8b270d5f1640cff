"""The examples of docs/your_loop.md run as printed, and all end with the plain loop's parameters."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

PAGE = (Path(__file__).parents[2] / "docs/your_loop.md").read_text()
BLOCKS = re.findall(r"<!-- (setup|run|run alone)(?:: (\w+))? -->\n```python\n(.*?)```", PAGE, re.DOTALL)
(SETUP,) = (code for kind, _, code in BLOCKS if kind == "setup")
EXAMPLES = {needs or "plain": (kind, code) for kind, needs, code in BLOCKS if kind != "setup"}


def parameters(code: str) -> list[torch.Tensor]:
    """Of the network after setup and example."""
    names: dict[str, object] = {"__name__": "example"}
    exec(SETUP + code, names)
    return [parameter.detach() for parameter in names["network"].parameters()]


@pytest.fixture(scope="module")
def plain():
    return parameters(EXAMPLES["plain"][1])


def test_every_example_is_collected():
    assert list(EXAMPLES) == ["plain", "lightning", "accelerate", "transformers", "peft"]
    assert PAGE.count("```python") == len(BLOCKS) + 1  # the first one is a sketch


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name != "plain"])
def test_an_example_runs_as_printed(name, plain, tmp_path, monkeypatch):
    needed = [name, "accelerate"] if name == "transformers" else [name]
    absent = [package for package in needed if find_spec(package) is None]
    if absent:
        pytest.skip(f"{absent[0]} is not installed")
    monkeypatch.chdir(tmp_path)
    kind, code = EXAMPLES[name]
    found = parameters(code)
    if kind == "run":
        for mine, theirs in zip(found, plain, strict=True):
            torch.testing.assert_close(mine, theirs)
    else:
        assert not all(torch.equal(mine, theirs) for mine, theirs in zip(found, plain))
