"""Classes that have moved: run folders from before name them as they were called then, and can still be resumed."""

from __future__ import annotations

from typing import Any

MOVED = {
    **{
        f"mtlrun.data.{name}.load": f"mtlrun.data.sets.{name}.load"
        for name in (
            "arrays", "bdd100k", "celeba", "cityscapes", "image_folders", "multidigits", "multimnist", "nyuv2",
            "presence", "qm9", "toy",
        )
    },
    **{
        f"mtlrun.data.studies.{name}.load": f"mtlrun.data.sets.study_{name}.load"
        for name in ("conflict", "scales", "scarce", "shortcut", "subspace")
    },
    **{f"mtlrun.data.{name}.build.load": f"mtlrun.data.sets.{name}.load" for name in (
        "animals", "driving", "medical", "text",
    )},
    "mtlrun.data.medical.chestxray.load_chestxray14": "mtlrun.data.sets.chestxray14.load",
    "mtlrun.data.medical.chestxray.load_chexpert": "mtlrun.data.sets.chexpert.load",
    "mtlrun.data.medical.medmnist.load": "mtlrun.data.sets.medmnist.load",
    "mtlrun.data.office.load": "mtlrun.data.readers.domain_folders.load",
    "mtlrun.data.text.files.load": "mtlrun.data.sets.text_files.load",
    "mtlrun.data.toy.first": "mtlrun.data.sets.toy.first",
    "mtlrun.data.toy.second": "mtlrun.data.sets.toy.second",
    "mtlrun.loggers.csv.Csv": "mtlrun.loggers.base.NoLogger",
}  # fmt: skip
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
