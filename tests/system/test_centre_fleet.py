"""A small fleet sends real envelopes to a centre whose processes are killed meanwhile; a loss is counted."""

import random
import types
from pathlib import Path

import pytest

from cli.rehearsal import broker, fleet
from cli.rehearsal.fleet import Plan, play
from cli.rehearsal.fleet_unit import FleetUnit
from tests.sync.central_world import make_centre

pytestmark = pytest.mark.system


@pytest.fixture(autouse=True)
def _broker() -> None:
    try:
        broker.choose("mosquitto")
    except broker.BrokerMissing:
        pytest.skip("Mosquitto is not installed here")


def test_a_fleet_is_received_whole_whoever_is_killed() -> None:
    if not fleet.installed():
        pytest.skip("PostgreSQL is not installed here")
    plan = Plan(units=6, visits=2, every_s=0.5, collectors=1, exploders=2, kills=1, seed=7, on_postgres=True)
    played = play(plan, lambda _: None)
    assert played.entries == 6 * (1 + 2 * 11)
    assert (played.lost, played.doubled, played.conflicts) == (0, 0, 0)
    assert played.kills == 1
    assert 0 < played.landed_p50_s <= played.opened_p50_s


def test_what_is_not_there_is_counted_as_lost(tmp_path: Path) -> None:
    centre = make_centre(tmp_path)
    unit = FleetUnit("unit-00001", random.Random(7))  # noqa: S311  a test's own chance
    unit.waits = {"landed": [1.0], "opened": [2.0]}
    here = types.SimpleNamespace(
        _home=centre.home, _killed=0, _plan=Plan(1, 1, 1.0, 1, 1, 0, 7, on_postgres=False)
    )
    played = fleet._Play._count(here, [unit], 1.0)  # type: ignore[arg-type]  # all that it looks at
    assert (played.entries, played.lost) == (1, 1)
