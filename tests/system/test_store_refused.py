"""Writes that the disk refuses, full or read-only: nothing acknowledged is lost, and words say why."""

import asyncio
import shutil
from pathlib import Path

import pytest

from torture.fresh import readers
from torture.refusing import ERRORS, refuse

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace refuses the writes"),
]


def test_what_was_said_to_be_saved_is_there_whichever_write_was_refused(tmp_path: Path) -> None:
    with readers() as reading:
        done = asyncio.run(refuse(reading, tmp_path, 2 * len(ERRORS), 7, requests=12))
    assert done.broken == ()
    assert (done.lost, done.doubled) == (0, 0)
    assert done.acknowledged > 12
