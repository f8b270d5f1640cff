"""Where a run's lines go, and what becomes of them when they cannot go there."""

import logging
import shutil

from mtlrun.cli.logs import FileHandler, logging_to


def test_lines_are_left_out_once_the_folder_of_a_closed_log_is_gone(tmp_path):
    """Python opens a closed log anew at the next line: one job's handler may outlive its folder, and no other job ends
    by that."""
    folder = tmp_path / "run"
    folder.mkdir()
    handler = FileHandler(folder / "run.log", encoding="utf-8")
    record = logging.makeLogRecord({"msg": "a line"})
    handler.handle(record)
    handler.close()
    handler.handle(record)
    assert (folder / "run.log").read_text() == "a line\na line\n"
    handler.close()
    shutil.rmtree(folder)
    handler.handle(record)
    assert [*tmp_path.iterdir()] == []


def test_afterwards_logging_is_as_it_was(tmp_path, capsys):
    before = [*logging.getLogger().handlers]
    with logging_to(tmp_path / "run.log", console=True):
        logging.getLogger("mtlrun").info("told")
    logging.getLogger("mtlrun").warning("no more")
    assert logging.getLogger().handlers == before
    assert (tmp_path / "run.log").read_text().endswith(" INFO mtlrun: told\n")
    assert capsys.readouterr().out == "told\n"


def test_two_that_overlap_leave_the_level_as_it_was():
    """As runs in two threads do, of which the first to begin ends first."""
    ours = logging.getLogger("mtlrun")
    before = ours.level
    one, other = logging_to(None, console=False), logging_to(None, console=False)
    one.__enter__()
    other.__enter__()
    one.__exit__(None, None, None)
    assert ours.level == logging.INFO
    other.__exit__(None, None, None)
    assert ours.level == before
