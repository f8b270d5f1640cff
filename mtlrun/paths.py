"""Where the configuration tree lies: beside the package in a checkout, inside it in a wheel."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent
CONF = next(path for path in (_HERE / "conf", _HERE.parent / "conf") if (path / "config.yaml").is_file())
TEMPLATES = _HERE / "templates"
"""What `mtlrun new` fills in: a folder for each kind of part."""
