"""The categories of BDD100K's boxes: their names of 2018 and of 2020, and how often each occurs.

As in the official configuration of the detection task (bdd100k/configs/det.toml of github.com/bdd100k/bdd100k).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from mtlrun.errors import DataError, near_miss
from mtlrun.types import region_of

CATEGORIES = (
    "pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle", "traffic light", "traffic sign",
)  # fmt: skip

OLDER = {"person": "pedestrian", "bike": "bicycle", "motor": "motorcycle", "caravan": "car", "van": "car"}
"""Names in the files of 2018, and what they are called since."""

IGNORED = {"other person": "pedestrian", "other vehicle": "car", "trailer": "truck"}
"""Regions in which the official protocol counts no detection of a category, neither right nor wrong."""


class Census:
    """The class of each category, and how many boxes and ignored regions of each have been read.

    Args:
        classes: of each category that is detected.
    """

    def __init__(self, classes: Mapping[str, int]) -> None:
        self.classes = dict(classes)
        self.counts: Counter[str] = Counter()
        self.regions: Counter[str] = Counter()

    def class_of(self, category: str, ignored: bool = False) -> int | None:
        """The class of a box, which is counted; None if its category is not detected.

        Args:
            category: as the file has it.
            ignored: whether the file itself says that the box is a crowd, or ignored.

        Returns:
            The class, or `region_of` it for a region that is ignored.

        Raises:
            DataError: if BDD100K has no such category.
        """
        name = OLDER.get(category, category)
        if name not in CATEGORIES and name not in IGNORED:
            known = (*CATEGORIES, *OLDER, *IGNORED)
            raise DataError(f"boxes of BDD100K have no category '{category}'{near_miss(category, known)}")
        if name not in IGNORED and not ignored:
            self.counts[name] += 1
            return self.classes.get(name)
        number = self.classes.get(IGNORED.get(name, name))
        self.regions[name] += number is not None
        return None if number is None else region_of(number)

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
        """What is ignored as in the official protocol, in words; empty if there is nothing."""
        left = {name: count for name, count in sorted(self.regions.items()) if count}
        found = ", ".join(f"{count} of {name}" for name, count in left.items())
        return f"; regions that the official score ignores are ignored ({found})" if found else ""
