"""Names of sharing schemes, for tests that run all of them."""

from __future__ import annotations

from mtlrun.paths import CONF

ONE_BACKBONE = {"segnet_mtan"}
"""Schemes that are written for one backbone and refuse the others."""
SCHEMES = sorted(path.stem for path in (CONF / "sharing").glob("*.yaml"))
ON_ANY_BACKBONE = [name for name in SCHEMES if name not in ONE_BACKBONE]
