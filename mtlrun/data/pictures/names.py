"""The pictures in a folder, by the names that tables and files of labels give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath

from mtlrun.data.readers.folders import pictures_below
from mtlrun.errors import DataError, near_miss


class PictureNames:
    """Pictures in a folder and below it, in the order of their paths.

    A name may be a path from that folder, from one above or from the root, or the name of the file alone; and each of
    them without its ending.

    Args:
        folder: of the pictures.
        aside: folders whose pictures are no inputs, such as masks.
        files: pictures that are none.

    Raises:
        DataError: if there is no picture.
    """

    def __init__(self, folder: Path, aside: Collection[Path] = (), files: Iterable[Path] = ()) -> None:
        self.folder = folder
        others, single = [path.resolve() for path in aside], {path.resolve() for path in files}
        found = pictures_below(folder)
        if others or single:
            found = [path for path in found if not _is_among(path.resolve(), others, single)]
        if not found:
            raise DataError(f"no picture in {folder}: data.path takes the folder of your pictures")
        self.paths = found
        relative = [path.relative_to(folder).as_posix() for path in found]
        self._whole = _places(relative)
        self._stems = _places(str(PurePosixPath(name).with_suffix("")) for name in relative)
        self._names = _places(path.name for path in found)
        self._name_stems = _places(path.stem for path in found)

    def __len__(self) -> int:
        return len(self.paths)

    def place(self, name: str) -> int | None:
        """The place among the paths of the picture that is called so; None if there is none.

        Raises:
            DataError: if it may be one of several.
        """
        parts = PurePosixPath(name.replace("\\", "/")).parts
        tails = ["/".join(parts[start:]) for start in range(len(parts))]
        found = next((self._whole[tail] for tail in tails if tail in self._whole), None)
        found = found or next((self._stems[tail] for tail in tails if tail in self._stems), None)
        last = parts[-1] if parts else ""
        found = found or self._names.get(last) or self._name_stems.get(last) or []
        if len(found) > 1:
            first, second = (self.paths[place].relative_to(self.folder) for place in found[:2])
            raise DataError(
                f"'{name}' may be {first} or {second} in {self.folder}: give each picture a name of its own"
            )
        return found[0] if found else None

    def is_whole(self, name: str) -> bool:
        """Whether a name with all its folders is that of a picture, from the pictures' folder or one above."""
        parts, above = PurePosixPath(name.replace("\\", "/")).parts, self.folder.resolve().parts
        for start in range(len(parts)):
            tail = "/".join(parts[start:])
            if parts[:start] == above[len(above) - start :] and (tail in self._whole or tail in self._stems):
                return True
        return False

    def places(self, names: Iterable[str], where: str, what: str) -> dict[str, int]:
        """The places of all names.

        Args:
            names: all different.
            where: the file or folder that has them, for messages.
            what: each name stands for, such as 'mask'.

        Raises:
            DataError: if a name has no picture, or two have the same.
        """
        found = {name: self.place(name) for name in names}
        lost = [name for name, place in found.items() if place is None]
        if lost:
            raise DataError(
                f"{where}: {what} '{lost[0]}'{_more(len(lost), len(found))} has no picture in {self.folder}"
                f"{near_miss(lost[0], self._near(lost[0]))}"
            )
        known: dict[int, str] = {}
        for name, place in found.items():
            assert place is not None
            if place in known:
                path = self.paths[place].relative_to(self.folder)
                raise DataError(f"{where}: {what}s '{known[place]}' and '{name}' both belong to the picture {path}")
            known[place] = name
        return {name: place for place, name in known.items()}

    def _near(self, name: str) -> list[str]:
        """Names that a lost one may be meant for: those of its kind, as many as can be compared in no time."""
        known = self._names if PurePosixPath(name).suffix else self._name_stems
        return [*known][:5000]


def _is_among(path: Path, folders: Iterable[Path], files: Collection[Path]) -> bool:
    return path in files or any(path.is_relative_to(folder) for folder in folders)


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        found.setdefault(name, []).append(place)
    return found


def _more(lost: int, of: int) -> str:
    return f" (and {lost - 1} more of {of})" if lost > 1 else ""
