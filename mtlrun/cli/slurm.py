"""SLURM clusters without accounting: `squeue` tells which jobs of a sweep are over, where `sacct` cannot."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import time
from typing import Any

_QUERY_SECONDS = 30
"""Longest time for one question to SLURM."""


def watch_the_queue() -> None:
    """Have submitit ask `squeue` for its jobs if `sacct` does not work here.

    Without either, submitit would print a warning at each question, and wait for ever for a job that died.
    """
    if _answer("sacct", "--noheader") is not None or shutil.which("squeue") is None:
        return
    from submitit.slurm import slurm  # here: it belongs to an extra

    slurm.SlurmJob.watcher = _queue_watcher(slurm.SlurmInfoWatcher)


def _queue_watcher(base: Any) -> Any:
    class QueueWatcher(base):
        """What the queue lists is going on, in whatever state; what has left it is over."""

        def update(self) -> None:
            """Ask once for all jobs; keep what is known where there is no answer."""
            self._num_calls += 1
            self._last_status_check = time.time()
            listed = _answer("squeue", "--noheader", "--array", "--format=%i", f"--user={getpass.getuser()}")
            if listed is not None:
                there = {*listed.split()}
                states = {job: "RUNNING" if job in there else "COMPLETED" for job in self._registered}
                self._info_dict.update({job: {"JobID": job, "State": state} for job, state in states.items()})

    return QueueWatcher(delay_s=20)


def _answer(*words: str) -> str | None:
    """What a program of SLURM prints; None where it is absent, fails or does not answer."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_QUERY_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
