import subprocess
import sys

import pytest

MODULES = [
    *(f"mtlrun.runs.{name}" for name in ("folder", "records", "reader", "environment", "update_share")),
    "mtlrun.reporting.plots",
    "mtlrun.reporting.tables",
    "mtlrun.reporting.page.render",
    "mtlrun.reporting.watching",
    "mtlrun.training.progress",
]


@pytest.mark.parametrize("module", MODULES)
def test_no_torch_is_imported(module):
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_listing_runs_stays_light():
    code = "import sys, mtlrun.runs.reader; sys.exit('matplotlib' in sys.modules or 'omegaconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
