"""Standard output that ends before the command: the training goes on, and other verbs say so in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtlrun.cli.output import SteadyStream, steady_output

ROOT = Path(__file__).parents[2]
FULL = Path("/dev/full")


ENDS = [BrokenPipeError(), OSError(28, "full"), OSError(5, "no terminal"), ValueError("closed")]


class Ended:
    """A stream that takes nothing."""

    def __init__(self, error):
        self.error = error

    def write(self, text):
        raise self.error

    flush = fileno = lambda self: self.write("")


@pytest.mark.parametrize("error", ENDS)
def test_a_stream_that_ends_is_no_error(error):
    stream = SteadyStream(Ended(error))
    assert stream.write("abc") == 3
    stream.writelines(["a", "b"])
    stream.flush()


def test_what_can_be_written_is(capsys):
    with steady_output():
        print("seen")
        assert not sys.stdout.isatty()
    assert capsys.readouterr().out == "seen\n"


def test_a_pipe_whose_reader_has_gone_leads_to_nowhere():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        stream = SteadyStream(pipe)
        stream.write("lost")
        stream.flush()
        stream.write("lost too")
        stream.flush()


def command(words, **streams):
    """The real command: what the interpreter does at its end counts too."""
    code = "import sys; from mtlrun.cli.main import main; sys.exit(main())"
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    return subprocess.run([sys.executable, "-c", code, *words], env=environment, stderr=subprocess.PIPE, **streams)


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_a_list_that_nobody_can_take(tmp_path):
    with FULL.open("w") as full:
        result = command(["list", "balancer"], stdout=full, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (1, b"mtlrun: error: no space left on the disk: free some\n")


@pytest.mark.parametrize("words", [["list", "balancer"], ["--version"]])
def test_a_closed_standard_output(words, tmp_path):
    code = f"import os, sys; os.close(1); os.execv(sys.executable, [sys.executable, '-m', 'mtlrun', *{words!r}])"
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    result = subprocess.run([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")
