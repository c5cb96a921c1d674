"""Old copies of a store are put back at random; the centre ends up with everything once.

``QAFILA_RESTORES`` sets how often (3), ``QAFILA_SEED`` replays the choices.
"""

import asyncio
import os
from pathlib import Path

import pytest

from torture.restores import restore

ROUNDS = int(os.environ.get("QAFILA_RESTORES", "3"))
SEED = os.environ.get("QAFILA_SEED", "7")

pytestmark = [pytest.mark.system, pytest.mark.timeout(120 + 60 * ROUNDS)]


def test_nothing_is_lost_or_doubled_when_old_copies_are_put_back(tmp_path: Path) -> None:
    done = asyncio.run(restore(tmp_path, ROUNDS, f"restores {SEED}"))
    assert done.broken == ()
    assert (done.lost, done.doubled) == (0, 0)
    assert done.acknowledged > ROUNDS * 100
    assert done.detected > 0, "no store was ever seen to be old"
