"""The uplink over an emulated link: real TCP through a wire of 40 kbit/s, and into a black hole."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.records.fields import Stream
from tests.sync.uplink_rig import Box, Centre, CentreKeys
from tests.system.thin_link import FarMosquitto, ThinLink, near_uplink, thin_link
from tests.system.uplink_process import Uplink, until

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]

BYTES_A_SECOND = 100_000
FILE_BYTES = 20_300
ROUND_TRIP_S = 0.2
QUEUED_S = 2.5
"""The goal is four; where so much of it is kept free there is room for lost packets."""
THIN = {"rate_bps": BYTES_A_SECOND * 8, "delay_ms": ROUND_TRIP_S * 500, "loss": 0.0, "queue_bytes": 1_000_000}


@pytest.fixture
def laboratory() -> Iterator[tuple[ThinLink, FarMosquitto]]:
    with thin_link() as made:
        yield made


@pytest.fixture
def keys() -> CentreKeys:
    return CentreKeys()


def test_an_alert_waits_behind_seconds_of_backlog_at_most(
    tmp_path: Path, keys: CentreKeys, laboratory: tuple[ThinLink, FarMosquitto]
) -> None:
    """Counted in what comes before it; the seconds are the bench's, and the window has tests of its own.

    Two things keep it so: the window, and what the kernel may hold unsent. It fails when both are gone.
    """
    link, broker = laboratory
    uplink: Uplink = near_uplink(link, tmp_path, keys)
    box = Box(keys, uplink.spool_out)
    for _ in range(60):
        box.save(n=1, size=20_000)
    link.shape(**THIN)
    with Centre(box, broker.path) as centre, uplink:
        until(lambda: len(centre.order) > 12, 60)
        for _ in range(2):
            before = len(centre.order)
            box.save(Stream.ALERT, n=1, size=300)
            until(lambda: centre.holds_all(Stream.ALERT), 60)
            ahead = (len(centre.order) - 1 - before) * FILE_BYTES
            assert ahead / BYTES_A_SECOND <= ROUND_TRIP_S + QUEUED_S
        assert not centre.holds_all(Stream.VITALS)  # there was something to overtake


def test_a_day_s_bytes_are_those_on_the_wire_and_bind_all_but_alerts_over_restarts(
    tmp_path: Path, keys: CentreKeys, laboratory: tuple[ThinLink, FarMosquitto]
) -> None:
    link, broker = laboratory
    uplink = near_uplink(link, tmp_path, keys)
    uplink.settings |= {"profile": "2g", "day_bytes": 60_000}
    box = Box(keys, uplink.spool_out)
    for _ in range(40):
        box.save(n=1, size=2600)

    def on_the_wire() -> int:
        counts = link.counts()
        return int(counts["up"]["bytes"] + counts["down"]["bytes"])

    with Centre(box, broker.path) as centre:
        uplink.start()
        until(lambda: uplink.link().get("held"))
        until(lambda: uplink.link()["backlog"] == [0, 0])  # what went before it was told to wait has landed
        uplink.stop()
        spent = json.loads((uplink.notes / "traffic.json").read_text())["spent"]
        assert spent == pytest.approx(on_the_wire(), rel=0.03)
        assert 60_000 <= spent <= 60_000 + 16_000
        landed = len(centre.order)
        uplink.start()  # the same day, however often it begins again
        box.save(Stream.ALERT)
        until(lambda: centre.holds_all(Stream.ALERT))
        uplink.kill()
        uplink.start()
        box.save(Stream.ALERT)
        until(lambda: centre.holds_all(Stream.ALERT))
        uplink.stop()
        assert [word for word, _ in centre.order[landed:] if word == "vitals"] == []
        assert not centre.holds_all(Stream.VITALS)
