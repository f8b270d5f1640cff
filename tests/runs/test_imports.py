import subprocess
import sys

MODULES = [
    *(f"mtlrun.runs.{name}" for name in ("folder", "records", "reader", "environment", "update_share")),
    "mtlrun.reporting.plots",
    "mtlrun.reporting.tables",
    "mtlrun.reporting.page.render",
    "mtlrun.reporting.watching",
    "mtlrun.training.progress",
]


def test_no_torch_is_imported():
    """In one process, which names the first module that torch is there after."""
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules: sys.exit(name)"
    )
    done = subprocess.run([sys.executable, "-c", code, *MODULES], capture_output=True, text=True, check=False)
    assert (done.stderr, done.returncode) == ("", 0)


def test_listing_runs_stays_light():
    code = "import sys, mtlrun.runs.reader; sys.exit('matplotlib' in sys.modules or 'omegaconf' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
