"""What a user types, as it comes."""

import json

import pytest
from commands import status

from mtlrun.cli.main import main


def quick(table):
    quiet = ["diagnostics.plots=false", "diagnostics.pictures=0", "trainer.device=cpu"]
    return ["task=arrays", f"data.path={table}", "trainer.max_steps=4", *quiet]


def test_sweep_makes_one_folder_per_job_and_goes_on_after_a_failure(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sweep = tmp_path / "sweep"
    words = ["-m", *quick(table), "optimizer=sgd", "optimizer.lr=0.1,1e38,0.2", f"hydra.sweep.dir={sweep}"]
    code, out = main(words), capsys.readouterr().out
    jobs = sorted(path for path in sweep.iterdir() if (path / "run.json").exists())
    assert len(jobs) == 3
    assert [status(job) for job in jobs] == ["finished", "failed", "finished"]
    assert code == 1
    assert out.count("failed") >= 1


def test_user_brings_a_balancer(table, tmp_path, finish):
    """The README's example: a file beside the user, a YAML in a folder of their own."""
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "from mtlrun.balancers.base import LossBalancer\n\n\n"
        "class Largest(LossBalancer):\n"
        "    def __init__(self, power: float = 1.0) -> None:\n"
        "        self.power = power\n\n"
        "    def weights(self, losses, tasks):\n"
        "        return torch.softmax(self.power * losses, 0)\n"
    )
    (tmp_path / "my_conf" / "balancer").mkdir(parents=True)
    (tmp_path / "my_conf" / "balancer" / "largest.yaml").write_text(
        "# More weight to larger losses\n_target_: mine.Largest\npower: 1.0\n"
    )
    words = ["--config-dir", "my_conf", "balancer=largest", "balancer.power=2", *quick(table), "hydra.run.dir=run"]
    code, _, err = finish(*words)
    assert code == 0, err
    assert status(tmp_path / "run") == "finished"


def test_lazy_sources_are_read_by_workers_and_resume_exactly(tmp_path, finish):
    (tmp_path / "lazy.py").write_text(
        "import torch\n"
        "from mtlrun.data.source import Source, Splits\n\n\n"
        "class Numbers(Source):\n"
        "    tasks, input_shape = ('sign', 'size'), (4,)\n\n"
        "    def __init__(self, name, size):\n"
        "        self.name, self.size = name, size\n\n"
        "    def __len__(self):\n"
        "        return self.size\n\n"
        "    def labelled(self, task):\n"
        "        rows = torch.arange(self.size)\n"
        "        return rows % 3 > 0 if task == 'size' else rows >= 0\n\n"
        "    def fetch(self, rows):\n"
        "        draws = [torch.Generator().manual_seed(int(row)) for row in rows]\n"
        "        inputs = torch.stack([torch.randn(4, generator=draw) for draw in draws])\n"
        "        return inputs, {'sign': (inputs[:, 0] > 0).long(), 'size': inputs.sum(1)}\n\n\n"
        "def load():\n"
        "    return Splits([Numbers('a', 96)], [Numbers('b', 32)], [Numbers('c', 32)], 'numbers')\n"
    )
    (tmp_path / "my_conf" / "data").mkdir(parents=True)
    (tmp_path / "my_conf" / "data" / "lazy.yaml").write_text("# Lazy numbers\n_target_: lazy.load\n")
    (tmp_path / "my_conf" / "task").mkdir()
    (tmp_path / "my_conf" / "task" / "lazy.yaml").write_text(
        "# @package _global_\n# Lazy numbers\n"
        "defaults: [override /data: lazy, override /backbone: mlp]\n"
        "task:\n  name: lazy\n  tasks:\n"
        "    sign: {_target_: mtlrun.tasks.classification.Classification, classes: 2}\n"
        "    size: {_target_: mtlrun.tasks.regression.Regression}\n"
    )
    basics = ["--config-dir", "my_conf", "task=lazy", "trainer.epochs=2", "trainer.batch_size=16"]
    basics += ["trainer.device=cpu", "diagnostics.plots=false", "diagnostics.pictures=0", "backbone.dropout=0.1"]
    for workers in (0, 2):
        code, _, err = finish(*basics, f"trainer.workers={workers}", f"hydra.run.dir=workers{workers}")
        assert code == 0, err
    for name in ("metrics.csv", "tasks.csv", "cosines.csv"):
        assert (tmp_path / "workers0" / name).read_text() == (tmp_path / "workers2" / name).read_text()


def files(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != "eval.json"}


def test_eval_repeats_the_summary_and_leaves_the_run_alone(table, tmp_path, finish):
    assert finish(*quick(table), "hydra.run.dir=run", "logger=tensorboard")[0] == 0
    before = files(tmp_path / "run")
    code, out, err = finish("eval", "run")
    assert code == 0, err
    assert files(tmp_path / "run") == before
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert f"{summary['tasks']['sign']['best']['test']['accuracy']:.4f}" in out


@pytest.mark.slow
def test_sixteen_runs_in_the_same_second(table, tmp_path, start):
    processes = [start(*quick(table), f"seed={seed}") for seed in range(16)]
    for process in processes:
        _, err = process.communicate(timeout=600)
        assert process.returncode == 0, err
    folders = [path.parent for path in tmp_path.glob("outputs/*/*/run.json")]
    assert len(folders) == 16
    seeds = {json.loads((folder / "run.json").read_text())["seed"] for folder in folders}
    assert seeds == set(range(16))
    assert all((folder / "summary.json").exists() for folder in folders)
