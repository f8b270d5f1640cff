"""Functions and classes that have moved since runs were saved: old path -> where it is now."""

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
    "mtlrun.loggers.csv.Csv": "mtlrun.loggers.base.NoLogger",
    "mtlrun.data.toy.first": "mtlrun.data.sets.toy.first",
    "mtlrun.data.toy.second": "mtlrun.data.sets.toy.second",
}  # fmt: skip


def renewed(settings: Any) -> Any:
    """Settings of a saved configuration in which each `_target_` names what it names today."""
    if isinstance(settings, list):
        return [renewed(entry) for entry in settings]
    if not isinstance(settings, dict):
        return settings
    return {
        key: MOVED.get(value, value) if key == "_target_" and isinstance(value, str) else renewed(value)
        for key, value in settings.items()
    }
