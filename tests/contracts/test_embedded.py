"""Every task set whose data are embedded keeps the promises of its sources and of its tasks."""

import pytest
from sampling import sampled
from small_sets import SMALL

from mtlrun.config.compose import compose
from mtlrun.config.promises import Parts


@pytest.mark.parametrize("task", sampled(SMALL, ["animals", "clicks", "driving", "multidigits", "text"]))
def test_sources_and_tasks_keep_their_promises(task: str) -> None:
    parts = Parts(compose([f"task={task}", *SMALL[task]]))
    verdicts = [*parts.verdicts("data"), *parts.verdicts("task")]
    assert not [verdict for verdict in verdicts if verdict.outcome == "broken"]
    assert sum(verdict.outcome == "ok" for verdict in verdicts) > len(verdicts) / 2
