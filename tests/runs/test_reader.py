import json

import pytest

from mtlrun.runs.folder import RunFolder
from mtlrun.runs.reader import Run, find_runs


def _hydra(folder, overrides="[]", job=None):
    hydra = folder / ".hydra"
    hydra.mkdir(parents=True)
    (hydra / "config.yaml").write_text("seed: 3\noptimizer:\n  lr: 1e-3\n  other: ${optimizer.lr}\n")
    (hydra / "overrides.yaml").write_text(overrides)
    number = "???" if job is None else job
    (hydra / "hydra.yaml").write_text(
        f"hydra:\n  job:\n    num: {number}\n  runtime:\n    choices:\n      balancer: pcgrad\n"
    )


def test_settings_of_a_run(tmp_path):
    _hydra(tmp_path, "- balancer=pcgrad\n- seed=3\n", job=4)
    run = Run(tmp_path)
    assert run.config == {"seed": 3, "optimizer": {"lr": 1e-3, "other": "${optimizer.lr}"}}
    assert run.overrides == ["balancer=pcgrad", "seed=3"]
    assert (run.choices, run.job) == ({"balancer": "pcgrad"}, 4)


def test_outside_of_a_sweep_there_is_no_job(tmp_path):
    _hydra(tmp_path)
    assert Run(tmp_path).job is None


def test_an_empty_folder_has_nothing(tmp_path):
    run = Run(tmp_path)
    assert (run.status, run.error, run.config, run.overrides, run.summary) == (None, None, {}, [], {})
    assert (run.metrics, run.tasks, run.cosines, run.choices, run.job) == ([], [], [], {}, None)


def test_half_written_files_count_as_empty(tmp_path):
    (tmp_path / ".hydra").mkdir()
    for name, text in {
        "run.json": '{"status": "fin',
        "summary.json": "{",
        "metrics.csv": "epoch,step,split",
        ".hydra/config.yaml": "a: [1,",
        ".hydra/overrides.yaml": "",
        ".hydra/hydra.yaml": "hydra: 3",
    }.items():
        (tmp_path / name).write_text(text)
    test_an_empty_folder_has_nothing(tmp_path)


def test_status_follows_the_run(tmp_path):
    folder, run = RunFolder(tmp_path), Run(tmp_path)
    folder.start([], seed=0)
    assert run.status == "running"
    folder.finish("failed", "why")
    assert (run.status, run.error) == ("failed", "why")


def test_a_run_that_ends_between_two_looks_has_its_end(tmp_path, monkeypatch):
    folder, run = RunFolder(tmp_path), Run(tmp_path)
    folder.start([], seed=0)

    def ends_now(path):
        folder.finish("failed", "why")
        return False

    monkeypatch.setattr("mtlrun.runs.reader.is_held", ends_now)
    status, info = run.status_and_info()
    assert (status, info["error"]) == ("failed", "why")


@pytest.mark.parametrize(("host", "expected"), [("elsewhere", "running"), (None, "interrupted")])
def test_without_locks_a_dead_process_counts_as_interrupted(tmp_path, monkeypatch, host, expected):
    monkeypatch.setattr("mtlrun.runs.lock.fcntl", None)
    folder = RunFolder(tmp_path)
    folder.start([], seed=0)
    record = json.loads(folder.run_json.read_text())
    record |= {"pid": 2**22 + 1, "host": host or record["host"]}  # beyond the largest process id
    folder.run_json.write_text(json.dumps(record))
    assert Run(tmp_path).status == expected


def test_runs_are_found_in_natural_order_and_not_inside_runs(tmp_path):
    for job in (10, 2, 1):
        _hydra(tmp_path / "sweep" / str(job))
    single = tmp_path / "single"
    RunFolder(single).start([], seed=0)
    _hydra(single / "checkpoints" / "nested")
    _hydra(tmp_path / ".hidden" / "run")
    (tmp_path / "other").mkdir()
    found = [run.path.relative_to(tmp_path).as_posix() for run in find_runs(tmp_path)]
    assert found == ["single", "sweep/1", "sweep/2", "sweep/10"]
    assert [run.path for run in find_runs(single)] == [single]
    assert find_runs(tmp_path / "absent") == []
