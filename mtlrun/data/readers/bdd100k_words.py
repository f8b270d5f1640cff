"""The categories of BDD100K's boxes: their names of 2018 and of 2020, and how often each occurs.

As in the official configuration of the detection task (bdd100k/configs/det.toml of github.com/bdd100k/bdd100k).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mtlrun.errors import DataError, near_miss

CATEGORIES = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign",
)  # fmt: skip

OLDER = {"person": "pedestrian", "bike": "bicycle", "motor": "motorcycle", "caravan": "car", "van": "car"}
"""Names in the files of 2018, and what they are called since."""

IGNORED = ("other person", "other vehicle", "trailer")
"""Regions in which the official protocol counts no detection, neither right nor wrong."""


class Census:
    """The class of each category, and how many boxes of each have been read.

    Args:
        classes: of each category that is detected.
    """

    def __init__(self, classes: Mapping[str, int]) -> None:
        self.classes = dict(classes)
        self.counts: Counter[str] = Counter()

    def class_of(self, category: str) -> int | None:
        """The class of a box, which is counted; None if its category is not detected.

        Raises:
            DataError: if BDD100K has no such category.
        """
        name = OLDER.get(category, category)
        if name not in CATEGORIES and name not in IGNORED:
            known = (*CATEGORIES, *OLDER, *IGNORED)
            raise DataError(f"boxes of BDD100K have no category '{category}'{near_miss(category, known)}")
        self.counts[name] += 1
        return self.classes.get(name)

    def check(self, detect: Mapping[str, Sequence[str]]) -> None:
        """Raise DataError if a category that should be detected never occurs.

        Args:
            detect: per class of ours its categories.
        """
        for name, categories in detect.items():
            there = [word for word in categories if self.counts[OLDER.get(word, word)]]
            if len(there) == len(categories):
                continue
            absent = next(category for category in categories if category not in there)
            found = ", ".join(f"{category} {count}" for category, count in self.counts.most_common()) or "none"
            without = f"'data.detect.{name}=[{','.join(there)}]'" if there else f"no class {name} in data.detect"
            raise DataError(f"no box is of category '{absent}' of data.detect.{name} (boxes: {found}): give {without}")

    @property
    def statement(self) -> str:
        """What the official protocol ignores and is background here, in words; empty if there is none."""
        left = {name: self.counts[name] for name in IGNORED if self.counts[name]}
        if not left:
            return ""
        found = ", ".join(f"{count} of {name}" for name, count in left.items())
        return f"; regions that the official score ignores are background here ({found})"
