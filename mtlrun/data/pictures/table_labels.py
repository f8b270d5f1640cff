"""The tasks that a table of pictures has, with their labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from mtlrun.data.label_kinds import Labels
from mtlrun.data.pictures.labels import PictureLabels
from mtlrun.data.pictures.table import PictureTable, label_columns, several_answers, spread
from mtlrun.data.tables.target_names import task_names
from mtlrun.data.tables.targets import labels_of_columns
from mtlrun.errors import ConfigError, choose
from mtlrun.lines import shortened
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
    names = task_names(label_columns(raw, named, answers, found.aside))
    lines = [found.table.rows.get(place) for place in rows]
    columns = {task: spread(raw.columns[name], lines) for name, task in names.items()}
    both = next((task for task in answers if task in columns), None)
    if both is not None:
        raise ConfigError(f"'{both}' is a task of data.yes_no and a column: give the task another name")
    chosen = {choose(names.get(task, task), columns, "task in data.kinds"): kind for task, kind in asked.items()}
    labels = labels_of_columns(columns, chosen, max_classes, ())
    several = {t: several_answers([spread(raw.columns[name], lines) for name in part]) for t, part in answers.items()}
    _tell_table(found.table, names)
    return labels | several


def _tell_table(table: PictureTable, names: Mapping[str, str]) -> None:
    for note in table.table.notes:
        log.info(note)
    log.info("%s names pictures in column '%s'; %d rows", table.path, table.file, len(table.rows))
    renamed = [f"{column} is task {task}" for column, task in names.items() if column != task]
    if renamed:
        log.info("names as settings take them: %s", shortened(renamed))
