"""Where users keep their own classes: beside them, in the folder from which they start a run."""

from __future__ import annotations

import sys
from pathlib import Path


def look_in(folder: Path | None) -> None:
    """Find modules in the folder too, after all others: an installed script does not look there by itself."""
    if folder is not None and str(folder) not in sys.path:
        sys.path.append(str(folder))
