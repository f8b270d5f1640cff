"""Kills, signals, full disks, malformed commands and crafted files against mtlrun, with counts of what held.

    python scripts/attack.py [--kills 6] [--seed 0] [--only kills,fills]

Everything happens in one temporary folder, on a table of 300 rows. A killed or signalled run, and one whose disk was
full, must resume to the tables that an undisturbed run writes; a mistake must be one line and exit code 2, and leave
nothing; a crafted file must not run code. Full disks need the right to mount a tmpfs, and are left out without it.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from crafted import CHECKPOINTS, checkpoints, configurations, tables
from forked_commands import WAIT_SECONDS, Command
from rich.console import Console
from rich.table import Table

from mtlrun.training.interrupt import STOPS

COMPARED = ("metrics.csv", "tasks.csv", "cosines.csv")
MISTAKES = (
    "balancer=gradnrom",
    "trainer.epohcs=3",
    "trainer.epochs=0",
    "trainer.epochs=1e3",
    "trainer.batch_size=10000000000000",
    "trainer.batch_size=8 trainer.accumulate=9",
    "sharing=mmoe sharing.experts=1000000",
    "optimizer.lr=nan",
    "optimizer.lr=-1",
    "optimizer.betas=[2,3]",
    "optimizer._target_=torch.optim.Admaw",
    "balancer._target_=nowhere.Mine",
    "balancer._target_=broken.Mine",
    "balancer._target_=raising.Early",
    "balancer._target_=raising.Late",
    "balancer._target_=builtins.dict",
    "scheduler=cosine scheduler.T_max=-3",
    "data=null",
    "data.path=nowhere.npz",
    "data.path=7",
    "data.path=",
    "data.path=notes.txt",
    "data.targets=left",
    "data.val=nan",
    "data.val=0.9",
    "-m seed=range(0,0)",
    "-m seed=0,1 trainer.epochs=0,1",
    "hydra.run.dir=",
    "hydra.run.dir=table.npz",
    "hydra.run.dir=/proc/mtlrun",
    "hydra.run.dir=undisturbed",
    "tasks=[left",
    "tasks=[lfet]",
    "tasks=[]",
    "seed=0,1",
    "seed=-1",
    "init_from=nowhere",
    "init_from=notes.txt",
    "freeze=[nowhere]",
    "resume nowhere",
    "resume undisturbed",
    "resume undisturbed seed=3",
    "eval nowhere",
    "eval undisturbed split=tset",
    "report nowhere",
    "rerun undisturbed",
    "list balancr",
    "resmue undisturbed",
)
"""Settings of a run on the table, and verbs; `broken` and `raising` are modules beside it."""
MODULES = {
    "broken.py": "import nowhere_at_all\n",
    "raising.py": """
from mtlrun.balancers.base import LossBalancer


class Early(LossBalancer):
    def __init__(self):
        raise KeyError("early")

    def weights(self, losses, tasks):
        return losses


class Late(LossBalancer):
    def weights(self, losses, tasks):
        return losses[len(tasks)]
""",
}
FILLS_KB = (24, 60, 110, 160, 230, 320)
"""Sizes of disks: from too small to begin on, to full near the end."""
VERBS = ("resume", "eval", "report", "list", "rerun", "watch", "check", "new")


class Attack:
    """Commands in one folder, and counts of (kind, held or not)."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.counts, self.failures = folder, Counter[tuple[str, bool]](), list[str]()
        self.draw = random.Random(seed)
        draw = np.random.default_rng(seed)
        inputs = draw.normal(size=(300, 6)).astype(np.float32)
        left, right = ((inputs[:, column] > 0).astype(np.int64) for column in range(2))
        np.savez(folder / "table.npz", inputs=inputs, left=left, right=right)
        (folder / "notes.txt").write_text("no data\n")
        for name, text in MODULES.items():
            (folder / name).write_text(text)

    def note(self, kind: str, held: bool, what: str) -> None:
        self.counts[kind, held] += 1
        if not held:
            self.failures.append(f"{kind}: {what}")
            print(self.failures[-1], flush=True)

    def refused(self, kind: str, what: str, *words: str, codes: Sequence[int] = (2,)) -> None:
        """Note whether a command ends with one line and one of the codes, and leaves no run and no code has run."""
        before = self.runs()
        code, err = Command(words, self.folder).wait()
        lines = err.count("\n")
        left, ran = self.runs() - before, (self.folder / "pwned").exists()
        held = code in codes and lines <= 1 and (lines == 1) == (code != 0) and not left and not ran
        self.note(kind, held, f"{what}: exit code {code}, {lines} lines, left {len(left)}, ran {ran}: {err[-400:]}")

    def runs(self) -> set[Path]:
        return {path.parent for name in ("run.json", ".hydra") for path in self.folder.rglob(name)}

    def training(self, name: str) -> list[str]:
        lengths = ["trainer.epochs=8", "trainer.batch_size=8", "trainer.checkpoint_every=5"]
        quiet = ["trainer.device=cpu", "diagnostics.plots=false", f"hydra.run.dir={name}"]
        return ["task=arrays", "data.path=table.npz", "balancer=pcgrad", *lengths, *quiet]

    def stopped(self, name: str, number: int) -> int:
        """Start a run, send the signal somewhere in its training, and return the exit code."""
        command = Command(self.training(name), self.folder)
        lines, deadline = self.draw.randrange(2, 300), time.monotonic() + WAIT_SECONDS
        while command.running() and self.lines(name) < lines and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(self.draw.uniform(0, 0.1))
        command.send(number)
        return command.wait()[0]

    def lines(self, name: str) -> int:
        path = self.folder / name / "tasks.csv"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def same(self, name: str, of: str = "undisturbed") -> bool:
        """Whether the run wrote what the undisturbed one did, and left nothing half written."""
        pairs = [(self.folder / name / table, self.folder / of / table) for table in COMPARED]
        whole = not [*(self.folder / name).rglob(".*.tmp")]
        return whole and all(one.exists() and one.read_bytes() == other.read_bytes() for one, other in pairs)


def stops(attack: Attack, kills: int) -> None:
    """Each polite signal once, and SIGKILL so many times."""
    for index, number in enumerate([*STOPS, *[signal.SIGKILL] * kills]):
        name, kind = f"stopped-{index}", "kills" if number == signal.SIGKILL else "signals"
        code = attack.stopped(name, number)
        expected = (-number, 0) if number == signal.SIGKILL else (128 + number, 0)
        again, err = Command(["resume", name], attack.folder).wait() if code else (0, "")
        what = f"{signal.Signals(number).name}: exit code {code}, resumed {again} {err.strip()[-300:]}"
        attack.note(kind, code in expected and again == 0 and attack.same(name), what)


def killed_sweep(attack: Attack, kills: int) -> None:
    """A sweep of two jobs, killed and finished by `rerun`."""
    words = [word for word in attack.training("") if not word.startswith("hydra.run.dir")]
    Command([*words, "-m", "seed=0,1", "hydra.sweep.dir=whole"], attack.folder).wait()
    for index in range(kills):
        command = Command([*words, "-m", "seed=0,1", f"hydra.sweep.dir=sweep-{index}"], attack.folder)
        job, deadline = f"sweep-{index}/{attack.draw.randrange(2)}", time.monotonic() + WAIT_SECONDS
        while command.running() and not any(attack.lines(each) > 2 for each in _jobs(attack, job)):
            time.sleep(0.005)
            if time.monotonic() > deadline:
                break
        command.send(signal.SIGKILL)
        command.wait()
        code, err = Command(["rerun", f"sweep-{index}"], attack.folder).wait()
        held = code == 0 and all(attack.same(f"sweep-{index}/{n}_seed-{n}", f"whole/{n}_seed-{n}") for n in (0, 1))
        attack.note("killed sweeps", held, f"rerun: exit code {code} {err.strip()[-300:]}")


def _jobs(attack: Attack, start: str) -> list[str]:
    return [str(path.relative_to(attack.folder)) for path in attack.folder.glob(f"{start}_*")]


def fills(attack: Attack) -> None:
    """Runs on disks that are too small; each is then enlarged, and the run resumed."""
    for size in FILLS_KB:
        name = f"disk-{size}"
        with _disk(attack.folder / name, size) as mounted:
            if not mounted:
                print("no right to mount a tmpfs: full disks are left out")
                return
            code, err = Command(attack.training(f"{name}/run"), attack.folder).wait()
            told = code == 0 or (code == 1 and err.count("\n") == 1 and "no space left" in err)
            _mount("-o", "remount,size=64m", str(attack.folder / name))
            began = (attack.folder / name / "run" / "run.json").exists()
            words = ["resume", f"{name}/run"] if began else attack.training(f"{name}/second")
            again, second = Command(words, attack.folder).wait() if code else (0, "")
            same = attack.same(f"{name}/run" if began else f"{name}/second")
            what = f"{size} KB: exit code {code} {err[-300:]}, then {again} {second[-300:]}, same {same}"
            attack.note("full disks" if code else "disks with room", told and again == 0 and same, what)


@contextmanager
def _disk(folder: Path, size: int) -> Iterator[bool]:
    folder.mkdir()
    mounted = _mount("-t", "tmpfs", "-o", f"size={size}k", "none", str(folder))
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)


def _mount(*words: str) -> bool:
    try:
        return subprocess.run(["mount", *words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def mistakes(attack: Attack) -> None:
    """Malformed commands."""
    for line in MISTAKES:
        words = line.split()
        run = [] if words[0] in VERBS or words[0].isalpha() else ["task=arrays", "data.path=table.npz"]
        attack.refused("mistakes", line, *run, *words)


def crafted_checkpoints(attack: Attack) -> None:
    """Checkpoints that are not the run's, each to `resume`; some to `eval` and `init_from`."""
    path = attack.folder / "undisturbed" / "checkpoints" / "last.pt"
    original = path.read_bytes()
    for index, (name, content) in enumerate(checkpoints(path, attack.folder / "pwned")):
        path.write_bytes(content)
        attack.refused("crafted checkpoints", f"resume, {name}", "resume", "undisturbed", "trainer.epochs=9")
        if index >= len(CHECKPOINTS):  # damaged bytes, and code: whoever reads one must notice
            attack.refused("crafted checkpoints", f"eval, {name}", "eval", "undisturbed", "checkpoint=last")
            attack.refused("crafted checkpoints", f"start, {name}", *attack.training("x"), f"init_from={path}")
    path.write_bytes(original)


def crafted_files(attack: Attack) -> None:
    """Data files, YAML files of groups, and files of run folders."""
    good = (attack.folder / "table.npz").read_bytes()
    for name, content in tables(good, attack.folder / "pwned"):
        (attack.folder / "bad.npz").write_bytes(content)
        attack.refused("crafted data", name, "task=arrays", "data.path=bad.npz", "hydra.run.dir=x")
    (attack.folder / "conf/balancer").mkdir(parents=True)
    saved = attack.folder / "undisturbed/.hydra/config.yaml"
    original = saved.read_bytes()
    for name, content in configurations(attack.folder / "pwned"):
        (attack.folder / "conf/balancer/mine.yaml").write_bytes(content)
        words = ["--config-dir", "conf", *attack.training("x"), "balancer=mine"]
        attack.refused("crafted YAML", name, *words)
        saved.write_bytes(content)
        attack.refused("crafted YAML", f"run, {name}", "resume", "undisturbed", "trainer.epochs=9")
        attack.refused("crafted YAML", f"report, {name}", "report", "undisturbed", codes=(0, 2))
        saved.write_bytes(original)


def outputs(attack: Attack) -> None:
    """Trainings whose reader leaves, that write to a full disk or to nothing: they go on to the end."""
    start = f"exec {sys.executable} -m mtlrun {' '.join(attack.training('{}'))}"
    ends = {"pipe": "| head -c 1 >/dev/null", "full": ">/dev/full", "closed": ">&- 2>&-"}
    for name, end in ends.items():
        line = f"set -o pipefail; {start.format(name).replace('exec ', '')} {end}"
        done = subprocess.run(["bash", "-c", line], cwd=attack.folder, capture_output=True, check=False)
        attack.note("ended outputs", done.returncode == 0 and attack.same(name), f"{name}: {done.returncode}")


def starts(attack: Attack, count: int = 8) -> None:
    """Starts at the same moment: each has a folder of its own, and none more."""
    words = [word for word in attack.training("") if not word.startswith(("hydra.run.dir", "trainer.epochs"))]
    commands = [Command([*words, "trainer.max_steps=1"], attack.folder) for _ in range(count)]
    codes = [command.wait()[0] for command in commands]
    folders = [*attack.folder.glob("outputs/*/*/run.json")]
    attack.note("starts at once", codes == [0] * count and len(folders) == count, f"{codes}, {len(folders)} folders")
    tight = Command(attack.training("files"), attack.folder, files=12).wait()
    held = tight[0] == 1 and tight[1].count("\n") == 1
    attack.note("too few open files", held, f"{tight[0]}: {tight[1][-300:]}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds, separated by commas")
    options = parser.parse_args(arguments)
    kinds: dict[str, Callable[[Attack], None]] = {
        "kills": lambda attack: stops(attack, options.kills),
        "sweeps": lambda attack: killed_sweep(attack, max(1, options.kills // 3)),
        "fills": fills,
        "mistakes": mistakes,
        "checkpoints": crafted_checkpoints,
        "files": crafted_files,
        "outputs": outputs,
        "starts": starts,
    }
    with tempfile.TemporaryDirectory() as folder:
        attack = Attack(Path(folder), options.seed)
        code, err = Command(attack.training("undisturbed"), attack.folder).wait()
        if code:
            raise SystemExit(f"the undisturbed run failed: {err}")
        for name, work in kinds.items():
            if not options.only or name in options.only.split(","):
                work(attack)
    table = Table("attack", "held", "of")
    for kind in dict.fromkeys(kind for kind, _ in attack.counts):
        held = attack.counts[kind, True]
        table.add_row(kind, str(held), str(held + attack.counts[kind, False]))
    Console().print(table)
    return int(bool(attack.failures))


if __name__ == "__main__":
    sys.exit(main())
