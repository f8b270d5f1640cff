"""The tasks that a table of pictures has, with their labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from mtlrun.data.label_kinds import Labels
from mtlrun.data.pictures.labels import PictureLabels
from mtlrun.data.pictures.table import PictureTable, in_rows, label_columns, several_answers
from mtlrun.data.tables.targets import labels_by_task
from mtlrun.errors import ConfigError
from mtlrun.options import distinct
from mtlrun.runs.task_names import check_task_name

log = logging.getLogger(__name__)


def table_labels(
    found: PictureLabels,
    rows: Sequence[int],
    targets: Sequence[str] | None,
    yes_no: Mapping[str, Sequence[str]],
    kinds: Mapping[str, str],
    max_classes: int,
) -> dict[str, Labels]:
    """The labels of the table's tasks for the pictures at those places.

    Raises:
        ConfigError: if a column or task is not there, or is named twice.
        DataError: if values suit no kind.
    """
    own = {**found.masks, **found.boxes}
    asked = {task: kind for task, kind in kinds.items() if task not in own}  # of these the configuration decides
    if found.table is None:
        if targets or yes_no or asked:
            raise ConfigError("data.targets, data.yes_no and data.kinds speak of a table: give data.table=FILE")
        return {}
    raw, named = found.table.table, None if targets is None else distinct("data.targets", targets)
    answers = {
        check_task_name(str(task), "a task in data.yes_no"): [*map(str, names)] for task, names in yes_no.items()
    }
    _tell_table(found.table)
    lines = [found.table.rows.get(place) for place in rows]
    columns = {name: in_rows(raw.columns[name], lines) for name in label_columns(raw, named, answers, found.aside)}
    labels = labels_by_task(columns, asked, max_classes, ())
    both = next((task for task in answers if task in labels), None)
    if both is not None:
        raise ConfigError(f"'{both}' is a task of data.yes_no and a column: give the task another name")
    several = {t: several_answers([in_rows(raw.columns[name], lines) for name in part]) for t, part in answers.items()}
    return labels | several


def _tell_table(table: PictureTable) -> None:
    for note in table.table.notes:
        log.info(note)
    log.info("%s names pictures in column '%s'; %d rows", table.path, table.file, len(table.rows))
