"""Pre-training on several tasks, then fine-tuning on one, as a user types it."""

import csv
import json

import pytest
from forked import forked_workers

from mtlrun.cli.main import main


def losses(folder):
    with (folder / "tasks.csv").open() as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_fine_tuning_in_one_process_and_in_two(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    basics = ["task=arrays", f"data.path={table}", "trainer.max_steps=3", "diagnostics.plots=false"]
    basics += ["trainer.device=cpu", "backbone.norm=batch"]
    assert main([*basics, "hydra.run.dir=first"]) == 0
    tuned = ["tasks=[sign]", "init_from=first", "freeze=backbone", "trainer.devices=1,2", "hydra.sweep.dir=tuned"]
    with forked_workers():
        assert main(["-m", *basics, *tuned]) == 0
    alone, together = (tmp_path / "tuned" / f"{job}_trainer.devices-{job + 1}" for job in range(2))
    assert losses(together) == pytest.approx(losses(alone), rel=1e-4)
    assert "took 16 of 16 tensors; not used: head of 'size'" in (together / "run.log").read_text()
    best = str(tmp_path / "first" / "checkpoints" / "best.pt")
    assert json.loads((together / "run.json").read_text())["init_from"] == {"checkpoint": best, "epoch": 0}
