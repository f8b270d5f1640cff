"""A SLURM cluster of one node, this one, for as long as a test takes: munged, slurmctld and slurmd of one's own."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol")
os.environ["PATH"] += os.pathsep + "/usr/sbin"  # where Debian has the daemons


def absent() -> str | None:
    """Why there can be no cluster here; None if there can."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no {', '.join(missing)}: apt-get install slurmctld slurmd slurm-client munge"
    return None if os.getuid() == 0 else "slurmd starts jobs as root only"


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start it; gives the environment in which its commands find it.

    Args:
        folder: for its files; the path must be short, since a socket lies in it.
    """
    (folder / "state").mkdir(parents=True)
    (folder / "spool").mkdir()
    (folder / "slurm.conf").write_text(_configuration(folder))
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    commands = [_munged(folder), ["slurmctld", "-D", "-c"], ["slurmd", "-D"]]
    daemons = []
    try:
        for command in commands:
            with open(folder / f"{command[0]}.out", "wb") as output:
                daemons.append(
                    subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT)
                )
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _munged(folder: Path) -> list[str]:
    files = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid", "log-file": "munged.log"}
    options = [f"--{option}={folder / name}" for option, name in {**files, "seed-file": "munge.seed"}.items()]
    return ["munged", "--foreground", "--force", *options]


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        words = ["sinfo", "--noheader", "--format=%T"]
        states = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True, check=False)
        if states.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.out")))
    raise RuntimeError(f"the cluster did not start: {states.stdout}{states.stderr}\n{logs}")


def _configuration(folder: Path) -> str:
    host, cpus = socket.gethostname().partition(".")[0], os.cpu_count()
    settings = {
        "ClusterName": "one",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmUser": getpass.getuser(),
        "SlurmctldPort": _free_port(),
        "SlurmdPort": _free_port(),
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder}/munge.sock,cred_expire=5",  # what is requeued waits for as long
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "ProctrackType": "proctrack/linuxproc",  # no cgroups, which containers lack
        "TaskPlugin": "task/none",
        "MpiDefault": "none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU",
        "ReturnToService": 2,
        "KillWait": 10,
        "AccountingStorageType": "accounting_storage/none",
        "JobAcctGatherType": "jobacct_gather/none",
    }
    nodes = [
        f"NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN",
        "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP",
    ]
    return "\n".join([*(f"{key}={value}" for key, value in settings.items()), *nodes, ""])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
