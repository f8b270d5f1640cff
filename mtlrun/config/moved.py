"""Classes that have moved: run folders from before name them as they were called then, and can still be resumed."""

from __future__ import annotations

from typing import Any

MOVED = {"mtlrun.loggers.csv.Csv": "mtlrun.loggers.base.NoLogger"}
"""Former module, or module.Class -> where it is now."""


def moved(node: Any) -> Any:
    """Plain settings with every `_target_` as it is called now."""
    if isinstance(node, dict):
        return {key: _target(value) if key == "_target_" else moved(value) for key, value in node.items()}
    return [moved(entry) for entry in node] if isinstance(node, list) else node


def _target(name: Any) -> Any:
    if not isinstance(name, str):
        return name
    module, _, member = name.rpartition(".")
    return MOVED.get(name) or (f"{MOVED[module]}.{member}" if module in MOVED else name)
