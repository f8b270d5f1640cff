"""The course of an advice with made-up scores: what is trained, in which order, and what is said of it."""

import json
import shlex

import pytest
from advised import facts_of, scored

from mtlrun.advice.affinity_file import kept_affinity
from mtlrun.advice.arrangement import in_groups, sharing_less, wider
from mtlrun.advice.asked import Asked
from mtlrun.advice.costs import cost_lines
from mtlrun.advice.course import RunsFailed, advise, alternatives, most_alternatives
from mtlrun.advice.facts import PairFacts
from mtlrun.advice.files import write_advice
from mtlrun.advice.ledger import Ledger
from mtlrun.advice.partitions import Affinity
from mtlrun.advice.words import said, seeds_to_decide
from mtlrun.errors import ConfigError
from mtlrun.reporting.paired import estimate

LINEAR = {"_target_": "mtlrun.backbones.linear.Linear", "hidden": [2], "weights": None}
AFFINITY = Affinity(("a", "b", "c"), ((0.5, 0.3, -0.2), (0.2, 0.5, -0.1), (-0.3, -0.2, None)), 4)
ASKED = Asked(("task=mine", "data.path=my data.npz"))
LESS, MORE, LOST = [-10, -11, -12.5], [10, 11, 12.5], None


class Training:
    """Stands for it: relative losses in % against single-task networks, by the name of the arrangement."""

    def __init__(self, tasks="abc", **deltas):
        self.tasks, self.deltas, self.calls = tasks, deltas, []

    def failure(self, name):
        return "boom"

    def measure(self, arrangements, first, length):
        self.calls.append(([one.name for one in arrangements], first, length))
        return {one.name: self.runs(one, length) for one in arrangements}

    def runs(self, arrangement, length):
        found = self.deltas.get(arrangement.kind, [1, -2, 0.5])
        found = found.get(length, found) if isinstance(found, dict) else found
        if arrangement.kind == "apart":
            found = [0, 0, 0]
        return [] if found is LOST else scored(arrangement.name, {t: [1 + v / 100 for v in found] for t in self.tasks})


def advised(training, facts=None, budget=1.0):
    facts = facts or facts_of(dict.fromkeys(training.tasks, 100))
    return advise(facts, budget, LINEAR, training, lambda: AFFINITY)


def told(advice):
    words = said(advice, ASKED)
    return "\n".join([words.headline, *words.why, *(f"{s.sentence} {' '.join(s.commands)}" for s in words.steps)])


def test_what_gains_twice_is_trained_no_further():
    training = Training(together=LESS)
    advice = advised(training)
    assert training.calls == [(["together", "apart"], 8, 8), (["together", "apart"], 8, 16)]
    assert advice.choice.answer == "together"
    text = told(advice)
    assert text.startswith(
        "Learn them together: one network for all tasks.\nSettled at 16 of 40 epochs: the verdicts at 8"
    )
    assert "mtlrun task=mine 'data.path=my data.npz' sharing=hard" in text


def test_a_schedule_that_follows_the_length_is_trained_whole_at_the_end():
    training = Training(together={8: MORE, 16: [5, -9, 1], 32: LESS, 40: LESS}, film=LOST)
    facts = facts_of(dict.fromkeys("abc", 100), steady=False)
    advice = advised(training, facts)
    assert [call[1:] for call in training.calls] == [(8, 8), (8, 16), (8, 32), (40, 40)]
    assert "Settled at 40 of 40 epochs" in told(advice)


def test_runs_longer_than_configured_are_not_called_the_configured_length():
    facts = facts_of(dict.fromkeys("abc", 100), steady=False)
    training = Training(together={8: MORE, 16: LESS, 32: MORE, 64: LESS, 80: MORE})
    text = told(advised(training, facts, budget=2.0))
    assert "Measured at 80 epochs, longer than the configured 40. Shorter runs said otherwise (8: apart, 16" in text
    assert "\n80 epochs (configured: 40): together: Delta-m" in text
    assert "trained in one go" not in text


def test_alternatives_go_the_way_of_the_joint_network():
    training = Training(together=MORE)
    advised(training, facts_of(dict.fromkeys("abc", 100), steady=False))
    assert [call[1:] for call in training.calls] == [(8, 8), (8, 16), (8, 8), (8, 16)]
    steady = Training(together=MORE)
    advised(steady)
    assert [call[1:] for call in steady.calls] == [(8, 8), (8, 16), (16, 16)]
    assert steady.calls[-1][0] == [
        "apart",
        "groups [a,b],[c]",
        "groups [a],[b,c]",
        "groups [a,c],[b]",
        "2 times as wide",
        "film",
    ]


def test_groups_that_gain_are_the_answer_ready_to_paste():
    advice = advised(Training(together=MORE, groups=LESS, film=LOST))
    assert advice.failed == {"film": "boom"}
    text = told(advice)
    assert text.startswith("Learn them in groups [a,b],[c].")
    assert "film: not every run finished (boom)" in text
    command = next(word for step in said(advice, ASKED).steps for word in step.commands)
    assert shlex.split(command)[-2:] == ["sharing=groups", "sharing.groups=[[a,b],[c]]"]


def test_what_costs_is_kept_apart():
    text = told(advised(Training(together=MORE, groups=MORE, film=[-2, 1.5, -1])))
    assert text.startswith("Learn them apart: a network for each task.")
    assert "mtlrun -m task=mine 'data.path=my data.npz' 'tasks=[a],[b],[c]'" in text
    assert "film is not told from them by these seeds" in text
    assert "balancer=equal,uncertainty" not in text


@pytest.mark.parametrize(
    ("training", "budget", "words"),
    [
        (
            Training(together={8: MORE, 16: LESS}),
            0.4,
            "The verdicts of the budgets do not agree (8: apart, 16: together)",
        ),
        (Training(together=LESS), 0.2, "One budget alone, short of the configured epochs"),
        (Training(), 1.0, "Undecided: these seeds do not tell one network for all from a network for each."),
        (Training(together=[0, 0, 0], groups=[0, 0, 0]), 1.0, "Undecided: these seeds"),  # copies of one task set
    ],
)
def test_undecided_is_an_answer_with_what_it_would_take(training, budget, words):
    advice = advised(training, budget=budget)
    assert advice.choice.answer == "undecided"
    text = told(advice)
    assert words in text
    assert "--budget=" in text or "seeds would" in text
    assert ("Balancers worth a seed" in text) == (budget == 1.0)
    assert "cosine" not in text


def test_one_task_under_two_names_is_not_trained():
    same = PairFacts("a", "b", 100, {"train": 1.0, "test": 1.0})
    training = Training("ab")
    advice = advised(training, facts_of({"a": 100, "b": 100}, [same]))
    assert not training.calls
    assert told(advice).startswith("Nothing to gain: a, b are one task under 2 names.")
    shortcut = PairFacts("a", "b", 100, {"train": 1.0, "test": 0.0})
    advice = advised(training, facts_of({"a": 100, "b": 100}, [shortcut]))
    assert told(advice).startswith("No answer in these data: a, b have the same labels in training")


@pytest.mark.parametrize("lost", [LOST, [1]])
def test_without_two_seeds_there_is_nothing_to_compare(lost):
    class Failing(Training):
        def runs(self, arrangement, length):
            found = super().runs(arrangement, length)
            return found[: len(lost or [])] if arrangement.kind == "together" else found

    with pytest.raises(RunsFailed, match=rf"{len(lost or [])} together \(boom\); the same command starts them again"):
        advised(Failing())


def test_a_scarce_task_is_named_with_sampler_and_fine_tuning():
    text = told(advised(Training("ab", together=LESS), facts_of({"a": 20, "b": 400})))
    assert "a, with 20 rows beside 400 of b, gains by learning together" in text
    assert "sampler=proportional,temperature,uniform" in text
    assert "'tasks=[b]'" in text
    assert "'tasks=[a]' init_from=RUN" in text


def test_a_copy_among_others_is_to_be_left_out():
    pair = PairFacts("a", "b", 100, {"train": 1.0})
    text = told(advised(Training("abc", together=LESS), facts_of(dict.fromkeys("abc", 100), [pair])))
    assert "Leave out b, whose labels another task has: mtlrun task=mine 'data.path=my data.npz' 'tasks=[a,c]'" in text


def test_what_is_tried_depends_on_who_loses():
    facts = facts_of(dict.fromkeys("abc", 100), stages=("conv1", "conv2", "fc"))
    assert most_alternatives(facts, LINEAR) == 6
    lost = advised(Training(together=MORE)).settled
    names = [one.name for one in alternatives(facts, lost, {}, AFFINITY)]
    assert names[3:] == ["film", "branches after conv2"]
    undecided = advised(Training()).settled
    assert {one.kind for one in alternatives(facts, undecided, LINEAR, AFFINITY)} == {"groups"}


@pytest.mark.parametrize(
    ("backbone", "tasks", "words"),
    [
        ({"hidden": [2]}, 8, ("backbone.hidden=[6]",)),
        ({"channels": [10, 20], "width": 50}, 2, ("backbone.channels=[20,40]", "backbone.width=100")),
        ({"hidden": [2], "weights": "file.pt"}, 2, None),
        ({"depth": 18, "width": None, "channels": []}, 2, None),
    ],
)
def test_a_wider_network_where_an_option_widens_it(backbone, tasks, words):
    found = wider(backbone, tasks)
    assert [one.words[1:] for one in found] == ([] if words is None else [words])


def test_arrangements_as_settings():
    assert in_groups((("a", "b"), ("c",))).words == ("sharing=groups", "sharing.groups=[[a,b],[c]]")
    assert [one.words for one in sharing_less(["one"])] == [("sharing=film",)]
    assert sharing_less(["one", "two"])[1].words == ("sharing=hard", "sharing.split=one")


def test_the_advice_to_ask_again_names_the_same_folder():
    again = Asked(("task=mine",), "my conf", 3, 0.4, "here").again(seeds=7, budget=0.8)
    assert again == "mtlrun advise --config-dir 'my conf' task=mine --seeds=7 --budget=0.8 --to=here"


def test_seeds_that_would_decide():
    assert seeds_to_decide(estimate([-10.0, -2.0, -12.0])) in range(4, 10)
    assert seeds_to_decide(estimate([-10.0, 10.0, 0.5])) is None
    assert seeds_to_decide(estimate([0.0, 0.0])) is None


def test_the_cost_is_told_at_most():
    lines = "\n".join(cost_lines(facts_of(dict.fromkeys("abc", 100)), 1.0, 3, 5))
    assert "Stage 1: at most 6 runs, together and apart over 3 seeds, about" in lines
    assert "8, 16, 32, 40 of 40 epochs, until it is settled" in lines
    assert "at most 5 other arrangements, 15 runs" in lines
    assert "In all at most 21 runs" in lines
    anew = "\n".join(cost_lines(facts_of(dict.fromkeys("abc", 100), steady=False), 1.0, 3, 5))
    assert "Stage 1: at most 12 runs" in anew
    assert "In all at most 27 runs" in anew
    one = "\n".join(cost_lines(facts_of({"a": 1, "b": 1}), 0.2, 2, 0))
    assert "Stage 2" not in one


def test_the_ledger_keeps_each_length(tmp_path):
    found = scored("together", {"a": [0.5, 0.6]})
    ledger = Ledger(tmp_path / "new" / "measured.json", "mine")
    ledger.put("together", 8, found[:1])
    ledger.put("together", 16, found)
    again = Ledger(tmp_path / "new" / "measured.json", "mine")
    assert (again.lacks("together", 8, range(3)), again.lacks("together", 16, range(3))) == ([1, 2], [2])
    assert again.lacks("apart", 8, [0]) == [0]
    assert again.entries("together", 16, range(3)) == found
    assert again.entries("together", 8, [0])[0].tasks["a"].judged == 0.5
    with pytest.raises(ConfigError, match="new holds an advice on other settings or data: name another with --to"):
        Ledger(tmp_path / "new" / "measured.json", "other")


def test_the_affinity_is_measured_once(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("mtlrun.advice.affinity.affinity_of", lambda words, steps: asked.append(steps) or AFFINITY)
    facts = facts_of(dict.fromkeys("abc", 100))
    assert kept_affinity(tmp_path / "affinity.json", ["task=mine"], facts) == AFFINITY
    assert kept_affinity(tmp_path / "affinity.json", ["task=mine"], facts) == AFFINITY
    assert asked == [40]
    kept_affinity(tmp_path / "affinity.json", ["task=mine"], facts_of(dict.fromkeys("abd", 100)))
    assert len(asked) == 2


@pytest.mark.parametrize("training", [Training(together=LESS), Training(together=MORE, groups=LESS)])
def test_three_files_say_the_same(training, tmp_path):
    advice = advised(training)
    shown = write_advice(advice, ASKED, tmp_path)
    content = json.loads((tmp_path / "advice.json").read_text())
    page, markdown = (tmp_path / "advice.html").read_text(), (tmp_path / "advice.md").read_text()
    assert shown[0] == content["headline"]
    assert content["answer"] == advice.choice.answer
    assert content["networks"] == [*advice.choice.best.arrangement.words]
    assert content["settled_by"] == "agree"
    assert content["looks"][0]["tasks"]["a"]["verdict"] == content["looks"][1]["tasks"]["a"]["verdict"]
    for text in (page, markdown):
        assert content["headline"].split(":")[0].split("[")[0] in text
        assert "What it does not say" in text
        assert "cosine" not in text
    assert "| together | 8 |" in markdown
    assert ("a step on | a % ↑" in markdown) == ("<svg" in page) == bool(advice.others)
    assert "<script" not in page


def test_names_are_text_in_the_page(tmp_path):
    facts = facts_of({"a": 100, "b": 100})
    write_advice(advised(Training("ab", together=LESS), facts), Asked(("data.path=<b>.npz",)), tmp_path)
    assert "<b>.npz" not in (tmp_path / "advice.html").read_text()
