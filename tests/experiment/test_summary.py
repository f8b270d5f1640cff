"""What a summary says of the solver beside the scores."""

import json

import mtlrun
from mtlrun.balancers import nash_mtl
from mtlrun.linalg.fair import FairWeights, fair_solution


def test_guarded_steps_are_counted(tmp_path, monkeypatch):
    def guarded(gram, power):
        return FairWeights(fair_solution(gram, power).weights, guarded=True)

    monkeypatch.setattr(nash_mtl, "fair_solution", guarded)
    words = ["task=toy", "balancer=nash_mtl", "data.rows=4", "trainer.batch_size=1", "trainer.epochs=1"]
    run = mtlrun.run([*words, "diagnostics.plots=false", "trainer.device=cpu"], folder=tmp_path / "run")
    content = json.loads((tmp_path / "run/summary.json").read_text())
    assert run.summary["solver_guards"] == content["solver_guards"] == content["steps"] == 4
