"""What the user asked, and the commands that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mtlrun.commands import command_line, setting_group
from mtlrun.reporting.further_seeds import sweep_command


@dataclass(frozen=True)
class Asked:
    """The user's settings as typed, the folder of their own groups, the number of seeds, the budget, and the folder of
    the advice if they named one."""

    words: tuple[str, ...]
    config_dir: str | None = None
    seeds: int = 3
    budget: float = 1.0
    to: str | None = None

    def train(self, more: Sequence[str], without: Sequence[str] = ()) -> str:
        """One run with further settings, ready to paste; `without` names groups whose words are left out."""
        flags = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return command_line("mtlrun", *flags, *self._kept(without), *more)

    def sweep(self, more: Sequence[str], without: Sequence[str] = ()) -> str:
        """A sweep with further settings."""
        return sweep_command([*self._kept(without), *more], self.config_dir)

    def again(self, seeds: int | None = None, budget: float | None = None) -> str:
        """The same advice with more seeds, or longer runs."""
        own = [f"--seeds={seeds or self.seeds}", f"--budget={budget or self.budget:g}"]
        own += [] if self.to is None else [f"--to={self.to}"]
        flags = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return command_line("mtlrun", "advise", *flags, *self.words, *own)

    def _kept(self, without: Sequence[str]) -> list[str]:
        return [word for word in self.words if setting_group(word) not in without]
