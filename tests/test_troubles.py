"""What the machine refuses is told in one line, with what to do and the command that goes on."""

import errno
import os

import pytest
import torch

from mtlrun.errors import ConfigError, ProcessLost
from mtlrun.experiment.run import verdict
from mtlrun.runs import folder as folder_module
from mtlrun.runs.folder import made
from mtlrun.troubles import trouble

REFUSED = {
    errno.EMFILE: ("too many open files", "raise the limit (ulimit -n)"),
    errno.EROFS: ("the file system is read-only", "make it writable"),
    errno.EACCES: ("permission denied", "make it writable, or choose another folder"),
    errno.EDQUOT: ("the disk quota is used up", "free some"),
    errno.ENOSPC: ("no space left on the disk", "free some"),
}
NO_MEMORY = ("no memory left", "choose smaller batches or networks")


@pytest.mark.parametrize("number", REFUSED)
def test_what_the_system_refuses_has_words_a_place_and_a_remedy(number):
    what, remedy = REFUSED[number]
    assert trouble(OSError(number, os.strerror(number))) == (what, remedy)
    assert trouble(OSError(number, os.strerror(number), "run.log")) == (f"{what}: run.log", remedy)
    assert trouble(OSError(number, os.strerror(number), "from", None, "to")) == (f"{what}: to", remedy)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("unable to mmap 4096 bytes from file <x.pt>: Cannot allocate memory (12)"),
    ],
)
def test_no_memory_is_one_line_whoever_found_none(error):
    assert trouble(error) == NO_MEMORY


@pytest.mark.parametrize("edge", [2**30, 2**40])
def test_torch_says_so_in_words_that_are_known(edge):
    """A size beyond every address space, and one whose bytes no whole number holds."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(edge, edge)
    assert trouble(caught.value) == NO_MEMORY


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        RuntimeError("expected a tensor in channels_last memory format"),
        ProcessLost("the process of rank 1 was killed by SIGKILL (out of memory?)"),
        OSError(errno.ENOENT, "No such file or directory", "mine.csv"),
        ValueError("out of memory"),
    ],
)
def test_other_errors_are_not_the_machines(error):
    assert trouble(error) is None


def test_the_verdict_on_a_run_says_what_goes_on_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    full = OSError(errno.ENOSPC, "No space left on device", "runs/first/checkpoints/last.pt")
    line = "no space left on the disk: runs/first/checkpoints/last.pt; free some, then: mtlrun resume runs/first"
    assert verdict(full, tmp_path / "runs/first") == (1, line)
    memory = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes.")
    line = "no memory left; choose smaller batches or networks, then: mtlrun resume runs/first"
    assert verdict(memory, tmp_path / "runs/first") == (1, line)


def test_a_folder_that_cannot_be_written_into_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module.os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(ConfigError) as caught:
        made(tmp_path / "first")
    place = tmp_path / "first"
    assert str(caught.value) == f"cannot write into the folder {place}: choose another, hydra.run.dir=FOLDER"


def test_a_folder_that_cannot_be_made_says_why(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"cannot make the folder .*: a file is in the way; choose another"):
        made(tmp_path / "file" / "first")
