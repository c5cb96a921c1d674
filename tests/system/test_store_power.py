"""The torture finds a store that promises too early: its power cuts are worth something."""

import random
from pathlib import Path

import pytest

from torture import powerloss
from torture.fresh import readers
from torture.trace import Synced

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]


def test_an_agent_that_syncs_too_little_is_found_out(tmp_path: Path) -> None:
    """What a store does that waits for no disk: every second sync of a file did not happen."""
    recording = powerloss.record(tmp_path.resolve(), locks=1)
    with readers() as reading:
        assert powerloss.cut(reading, recording, 40, seed=1).good
        dice = random.Random(1)  # noqa: S311  a seed, so that a failure can be played again
        recording.steps[:] = [
            step for step in recording.steps if not isinstance(step.operation, Synced) or dice.random() < 0.5
        ]
        found = powerloss.cut(reading, recording, 40, seed=1)
    assert found.lost > 0
    assert found.broken
