"""mtlrun advise on data whose answer is known, at their documented sizes, over three seeds."""

import json

import numpy as np
import pytest

from mtlrun.cli.main import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def advised(tmp_path_factory):
    """advised(*words) -> advice.json and advice.md, of one advice for all tests."""
    known = {}

    def run(*words):
        if words not in known:
            folder = tmp_path_factory.mktemp("advice")
            assert main(["advise", *words, "--yes", f"--to={folder}"]) == 0
            known[words] = json.loads((folder / "advice.json").read_text()), (folder / "advice.md").read_text()
        return known[words]

    return run


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["task=study_subspace"], "together"),
        (["task=study_subspace", "data.vectors=orthogonal"], "apart"),
        (["task=study_scarce"], "together"),
        (["task=study_scarce", "data.relatedness=0"], "apart"),
        (["task=study_shortcut"], "same"),
    ],
)
def test_the_known_answer_is_found(words, answer, advised):
    content, text = advised(*words)
    assert content["answer"] == answer
    assert "cosine" not in text


def test_a_short_budget_alone_would_have_misled(advised):
    """At a fifth of the epochs sharing costs on the mean over the tasks; at the end it gains on almost all."""
    content, _ = advised("task=study_subspace")
    first, last = content["looks"][0], content["looks"][-1]
    assert first["delta_m"]["mean"] > 10
    assert last["delta_m"]["high"] < 0
    assert sum(task["verdict"] == "better" for task in last["tasks"].values()) >= 6


def test_opposite_signs_are_kept_apart_and_film_is_as_good(advised):
    content, text = advised("task=study_conflict")
    assert (content["answer"], content["as_good"]) == ("apart", ["film"])
    assert "mtlrun task=study_conflict sharing=film" in text


def test_the_scarce_task_and_the_shortcut_are_named(advised):
    _, text = advised("task=study_scarce")
    assert "scarce, with 20 rows beside 400 of ample, gains by learning together" in text
    assert "init_from=RUN" in text
    content, text = advised("task=study_shortcut")
    assert content["duplicates"] == [["a", "b"]]
    assert "a shortcut that fails where they differ" in text


def test_two_copies_of_one_task_set_gain_nothing(advised, tmp_path):
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(300, 6)).astype(np.float32)
    first = (inputs @ draw.normal(size=6) + draw.normal(size=300)).astype(np.float32)
    second = (inputs[:, 0] + draw.normal(size=300) > 0).astype(np.int64)
    np.savez(tmp_path / "copies.npz", inputs=inputs, first=first, second=second, again_first=first, again_second=second)
    content, _ = advised(
        "task=arrays", f"data.path={tmp_path / 'copies.npz'}", "data.inputs=inputs", "trainer.epochs=5"
    )
    assert content["duplicates"] == [["first", "again_first"], ["second", "again_second"]]
    assert any("Leave out again_first, again_second" in step["what"] for step in content["steps"])
    assert content["answer"] == "undecided"
