"""The front of fixed weights, and where methods stand to it."""

import pytest

from mtlrun.reporting.exports import as_dict
from mtlrun.reporting.make import report
from mtlrun.reporting.markdown import as_markdown
from mtlrun.reporting.page.render import as_page
from mtlrun.reporting.scalarisation import front_lines
from mtlrun.reporting.terminal import as_text

WEIGHTINGS = {0.0: (0.5, 0.9), 0.5: (0.7, 0.8), 1.0: (0.6, 0.75), 2.0: (0.9, 0.5)}
"""Weight of the first task -> scores; the third weighting is beaten by the second."""
METHODS = {"behind": (0.65, 0.78), "level": (0.8, 0.7), "beyond": (0.75, 0.85)}


def weighted(left):
    weights = {"left": left, "right": 2 - left}
    return {"balancer._target_": "mtlrun.balancers.fixed.Fixed", "balancer.task_weights": weights}


@pytest.fixture
def swept(result, tmp_path):
    for weight, scores in WEIGHTINGS.items():
        result(f"w{weight}", dict(zip(("left", "right"), scores)), balancer="fixed", settings=weighted(weight))
    for name, scores in METHODS.items():
        result(name, dict(zip(("left", "right"), scores)), balancer=name)
    return tmp_path


def test_who_stands_on_the_front(swept):
    (section,) = report(swept).sections
    front = section.front
    assert [section.rows[place].settings["balancer.task_weights.left"] for place in front.front] == [0.0, 0.5, 2.0]
    assert len(front.rows) == 4
    assert {section.rows[one.row].settings["balancer"]: one.place for one in front.methods} == {
        "behind": "behind",
        "level": "on",
        "beyond": "beyond",
    }


def test_every_rendering_shows_it(swept):
    made = report(swept)
    for text in (as_text(made), as_markdown(made), as_page(made)):
        assert "left=0.5 right=1.5" in text
        assert "beyond" in text
    assert 'class="weighted" d="M' in as_page(made)
    assert as_dict(made)["sections"][0]["front"]["front"]
    lines = front_lines(made.sections[0])
    assert lines[0].startswith("Scalarisation front: 3 of 4 fixed weightings")
    assert [line for line in lines if "behind the front; left=0.5 right=1.5 is at least as good" in line]


def test_two_weightings_are_no_front(result, tmp_path):
    for weight in (0.0, 1.0):
        result(f"w{weight}", {"left": 0.5, "right": 0.5}, balancer="fixed", settings=weighted(weight))
    made = report(tmp_path)
    assert made.sections[0].front is None
    assert "calarisation" not in as_text(made) + as_markdown(made)
