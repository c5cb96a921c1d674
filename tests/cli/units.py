"""A unit for tests of what is done with one: made here, by the command's own code, without a process."""

from pathlib import Path
from unittest import mock

from cli import unit_setup
from edge.config import Places
from edge.security import process

PIN = "482913"


def make_unit(home: Path, unit: str = "van-07", user: str = "fatima") -> Path:
    """A training unit in ``home``; its supervisor's slot is as quick as the fixture of this folder says."""
    with mock.patch.object(process, "harden"):  # for good, and this process has other tests
        unit_setup.make_unit(Places.at(home), realm="training", unit=unit, user=user, pin=PIN)
    return home
