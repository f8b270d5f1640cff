"""Files that are no checkpoint of ours, or damaged: one line before anything of them is used."""

import errno
import zipfile

import pytest
import torch

from mtlrun.errors import ResumeError
from mtlrun.training import checkpoint
from mtlrun.training.trainer import Stopwatch

ENTRY = {"name": "a", "rows": 3, "digest": "0f", "sums": {"": [1.0, 0.5]}, "sample": torch.arange(3)}
DATA = {"train": [ENTRY], "val": [], "test": [ENTRY]}
NOT_SAID = "it does not say which data it was trained on"
NAN = float("nan")
NETWORK = {"model": {"weight": torch.ones(3), "count": torch.tensor(2)}, "backbone_paths": {}, "tasks": ["a"]}
GOOD = NETWORK | {"step": 5, "epoch": 1}


def refusal(path):
    with pytest.raises(ResumeError) as refused:
        checkpoint.load(path)
    line = str(refused.value)
    assert str(path) in line
    assert "\n" not in line
    return line


def test_what_is_saved_is_loaded(tmp_path):
    checkpoint.save(tmp_path / "last.pt", GOOD)
    loaded = checkpoint.load(tmp_path / "last.pt")
    assert loaded["step"] == 5
    overflown = {"state": {0: {"exp_avg_sq": torch.tensor([float("inf")])}}}
    checkpoint.save(tmp_path / "last.pt", GOOD | {"data": DATA, "optimizer": overflown})
    assert checkpoint.load(tmp_path / "last.pt")["data"].keys() == DATA.keys()
    assert torch.equal(loaded["model"]["weight"], torch.ones(3))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ([1, 2], "it holds a list, no network"),
        (torch.ones(2), "it holds a Tensor, no network"),
        ({"step": 1}, "it holds no network of a run"),
        (GOOD | {"model": {"weight": 1.0}}, "it holds no network of a run"),
        (GOOD | {"model": [torch.ones(2)]}, "it holds no network of a run"),
        ({key: GOOD[key] for key in ("model", "epoch")}, "its step is None"),
        (GOOD | {"step": -1}, "its step is -1"),
        (GOOD | {"step": 10**30}, "its step is 1000"),
        (GOOD | {"step": True}, "its step is True"),
        (GOOD | {"step": "x" * 500}, "its step is 'xxx"),
        (GOOD | {"epoch": 1.5}, "its epoch is 1.5"),
        (GOOD | {"model": {"weight": torch.tensor([1.0, float("nan")])}}, "the network's weight is not finite"),
        (GOOD | {"model": {"weight": torch.tensor([1.0, float("inf")])}}, "the network's weight is not finite"),
        (GOOD | {"optimizer": {"state": {0: {"exp_avg": torch.tensor([NAN])}}}}, "the optimizer's state is NaN"),
        (GOOD | {"optimizer": {"param_groups": [{"lr": NAN, "betas": (0.9, 0.99)}]}}, "the optimizer's state is NaN"),
        (GOOD | {"tasks": 7}, "it does not say what its network is made of"),
        (GOOD | {"tasks": [7]}, "it does not say what its network is made of"),
        (GOOD | {"backbone_paths": 3}, "it does not say what its network is made of"),
        (GOOD | {"backbone_paths": {"a": 1}}, "it does not say what its network is made of"),
        (GOOD | {"best": 3}, "it does not say what its network is made of"),
        ({name: GOOD[name] for name in GOOD if name != "tasks"}, "it does not say what its network is made of"),
        (GOOD | {"data": "x"}, NOT_SAID),
        (GOOD | {"data": [1]}, NOT_SAID),
        (GOOD | {"data": {"train": 7}}, NOT_SAID),
        (GOOD | {"data": DATA | {"val": [7]}}, NOT_SAID),
        (GOOD | {"data": DATA | {"val": [ENTRY | {"rows": "3"}]}}, NOT_SAID),
        (GOOD | {"data": DATA | {"val": [ENTRY | {"sums": {"": "12"}}]}}, NOT_SAID),
    ],
)
def test_another_content(content, line, tmp_path):
    torch.save(content, tmp_path / "last.pt")
    assert line in refusal(tmp_path / "last.pt")


@pytest.mark.parametrize("content", [b"", b"PK", b"hello" * 100, bytes(5000)])
def test_another_kind_of_file(content, tmp_path):
    (tmp_path / "last.pt").write_bytes(content)
    assert "is damaged or not a checkpoint of mtlrun" in refusal(tmp_path / "last.pt")


def test_a_file_cut_short(tmp_path):
    checkpoint.save(tmp_path / "last.pt", GOOD)
    whole = (tmp_path / "last.pt").read_bytes()
    for size in (10, len(whole) // 2, len(whole) - 1):
        (tmp_path / "last.pt").write_bytes(whole[:size])
        assert "is damaged" in refusal(tmp_path / "last.pt")


def test_a_flipped_bit_in_a_tensor(tmp_path):
    path = tmp_path / "last.pt"
    checkpoint.save(path, GOOD | {"model": {"weight": torch.full((64,), 1.5)}})
    content = bytearray(path.read_bytes())
    place = content.index(torch.full((64,), 1.5).numpy().tobytes())
    content[place + 100] ^= 1
    path.write_bytes(content)
    assert "does not have its checksum" in refusal(path)


def test_parts_that_grow(tmp_path):
    """A file of a few kilobytes that would fill the memory."""
    path = tmp_path / "last.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(50_000_000))
    assert path.stat().st_size < 100_000
    assert "its parts are compressed" in refusal(path)


class Counter:
    """A part with a state."""

    def load_state_dict(self, state):
        self.count = int(state["count"])
        assert self.count >= 0, "has no state"


@pytest.mark.parametrize("state", [{}, None, [], {"count": "many"}, {"count": -1}, {"count": None}, 3])
def test_a_state_of_another_part(state, tmp_path):
    with pytest.raises(ResumeError, match="does not fit the balancer of this configuration"):
        checkpoint.load_part("balancer", Counter(), state, tmp_path / "last.pt")


@pytest.mark.parametrize("seconds", ["x", None, -1.0, NAN, float("inf")])
def test_seconds_that_are_none(seconds, tmp_path):
    with pytest.raises(ResumeError, match="does not fit the stopwatch of this configuration"):
        checkpoint.load_part("stopwatch", Stopwatch(), {"seconds": seconds}, tmp_path / "last.pt")


class FullDisk:
    """A file with room for so many bytes."""

    def __init__(self, room):
        self.room = room

    def write(self, data):
        self.room -= len(data)
        if self.room < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return len(data)

    def flush(self):
        pass


@pytest.mark.parametrize("room", [0, 100, 2000])
def test_a_full_disk_is_told_as_such(room, tmp_path, monkeypatch):
    complete = checkpoint.complete_file

    class Full:
        def __init__(self, path):
            self.inner = complete(path)

        def __enter__(self):
            self.inner.__enter__()
            return FullDisk(room)

        def __exit__(self, *error):
            return self.inner.__exit__(*error)

    monkeypatch.setattr(checkpoint, "complete_file", Full)
    with pytest.raises(OSError, match="No space left") as refused:
        checkpoint.save(tmp_path / "last.pt", {"weight": torch.ones(5000)})
    assert refused.value.errno == errno.ENOSPC
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("saved", "line"),
    [
        ({"tasks": ["a"], "strange": 1}, "holds 'strange', which nothing here goes on with"),
        ({"tasks": ["x", "a"]}, "is of the tasks x, a, and this run has a"),
    ],
)
def test_parts_that_nobody_goes_on_with_and_other_tasks_are_refused(saved, line, tmp_path):
    with pytest.raises(ResumeError, match=line):
        checkpoint.check_parts(saved, {"tasks", "model"}, ["a"], tmp_path / "last.pt")
    checkpoint.check_parts({"tasks": ["a"], "model": {}}, {"tasks", "model"}, ["a"], tmp_path / "last.pt")
