"""A sweep with a failing and a killed job, finished by `mtlrun rerun`: the numbers of an undisturbed sweep."""

import shutil

import pytest
from commands import wait_for

TABLES = ("metrics.csv", "tasks.csv", "cosines.csv")


@pytest.mark.slow
def test_a_disturbed_sweep_ends_with_the_same_bytes(table, tmp_path, start, finish):
    for name in "ab":
        shutil.copy(table, tmp_path / f"{name}.npz")
    words = ["-m", "task=arrays", "data.path=a.npz,b.npz", "seed=0,1", "trainer.epochs=4", "trainer.batch_size=8"]
    words += ["trainer.checkpoint_every=5", "trainer.device=cpu", "diagnostics.plots=false"]
    code, _, err = finish(*words, "hydra.sweep.dir=undisturbed")
    assert code == 0, err
    (tmp_path / "a.npz").rename(tmp_path / "elsewhere.npz")  # jobs 0 and 1 fail
    process = start(*words, "hydra.sweep.dir=disturbed")
    wait_for(lambda: [*tmp_path.glob("disturbed/2_*/checkpoints/last.pt")], process)
    process.kill()  # job 2 on its way, job 3 not begun
    process.communicate()
    (tmp_path / "elsewhere.npz").rename(tmp_path / "a.npz")
    code, out, err = finish("rerun", "disturbed")
    assert code == 0, err
    assert [line.partition(": ")[2] for line in out.splitlines()[:4]] == [
        *["failed, starts afresh"] * 2,
        "interrupted, goes on",
        "never started, starts",
    ]
    folders = sorted(path.parent.name for path in tmp_path.glob("undisturbed/*/run.json"))
    assert len(folders) == 4
    for folder in folders:
        for name in TABLES:
            one, other = (tmp_path / sweep / folder / name for sweep in ("undisturbed", "disturbed"))
            assert one.read_bytes() == other.read_bytes(), (folder, name)
