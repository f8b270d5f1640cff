"""Where tables, masks and boxes are that belong to a folder of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mtlrun.errors import ConfigError, DataError, near_miss
from mtlrun.runs.task_names import check_task_name


def beside(option: str, value: str, pictures: Path) -> Path:
    """A file or folder, from the current folder or, if it is not there, from that of the pictures.

    Raises:
        ConfigError: if it can be the name of none.
        DataError: if it is in neither.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{option}={value}: should be the name of a file or folder")
    given = Path(value).expanduser()
    found = next((path for path in (given, pictures / given) if path.exists()), None)
    if found is None:
        known = [path.name for folder in (given.parent, pictures) if folder.is_dir() for path in folder.iterdir()]
        raise DataError(
            f"{option}={value}: no such file or folder, here or in {pictures}{near_miss(given.name, known)}"
        )
    return found


def by_task(option: str, value: str | Mapping[str, str] | None) -> dict[str, str]:
    """Per task where its labels are; one place alone is that of the task with the option's name.

    Raises:
        ConfigError: if it is neither a place nor places by the tasks' names.
    """
    if value is None:
        return {}
    places = {str(task): place for task, place in value.items()} if isinstance(value, Mapping) else {option: value}
    for task, place in places.items():
        check_task_name(task, f"a task in data.{option}")
        if not isinstance(place, str) or not place.strip():
            raise ConfigError(f"data.{option}={value}: should be the name of a file or folder, or {{TASK: NAME}}")
    return places
