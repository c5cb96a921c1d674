"""The emulated link does what it says: it takes time, loses, swallows, and leads nowhere else."""

import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.system.emulated_link import BROKER, IP, Direction
from tests.system.thin_link import PORT, FarMosquitto, ThinLink, thin_link

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

NEAR = f"""
import json, socket, sys, time
begin = time.monotonic()
try:
    with socket.create_connection(({BROKER!r}, {PORT}), timeout=float(sys.argv[1])):
        pass
    print(json.dumps(time.monotonic() - begin))
except TimeoutError:
    print("null")
"""


@pytest.fixture(scope="module")
def laboratory() -> Iterator[tuple[ThinLink, FarMosquitto]]:
    with thin_link() as made:
        yield made


def connect(link: ThinLink, wait_s: float = 30.0) -> float | None:
    """How long TCP took to connect from the near end, or None when it did not in time."""
    done = subprocess.run(
        [*link.near, sys.executable, "-c", NEAR, str(wait_s)], capture_output=True, text=True, check=True
    )
    took: float | None = json.loads(done.stdout)
    return took


def test_a_round_trip_takes_its_time(laboratory: tuple[ThinLink, FarMosquitto]) -> None:
    link, _ = laboratory
    link.shape(delay_ms=150)
    took = connect(link)
    link.shape(delay_ms=0)
    assert took is not None
    assert took >= 0.3


def test_a_hole_swallows_and_answers_nothing(laboratory: tuple[ThinLink, FarMosquitto]) -> None:
    link, _ = laboratory
    link.hole(swallow=True)
    assert connect(link, 1.5) is None
    counts = link.counts()
    assert counts["up"]["swallowed"] >= 1
    link.hole(swallow=False)
    assert connect(link) is not None


def test_nothing_leads_out(laboratory: tuple[ThinLink, FarMosquitto]) -> None:
    link, _ = laboratory
    for end in (link.near, link.far):
        routes = subprocess.run(
            [*end, str(IP), "route", "get", "192.0.2.1"], capture_output=True, text=True, check=False
        )
        assert routes.returncode != 0
        assert "unreachable" in routes.stderr


def test_a_wire_takes_a_packet_after_another() -> None:
    way = Direction(1)
    way.rate_bps, way.delay_s, way.queue_bytes = 8000.0, 0.5, 3000
    for _ in range(5):
        way.offer(bytes(1000), 10.0)
    assert way.counts.dropped == 2  # three fill the queue
    assert [len(way.due(at)) for at in (11.4, 11.6, 12.6, 13.6)] == [0, 1, 1, 1]


def test_losses_are_as_many_as_asked_for_and_the_same_for_a_seed() -> None:
    def lost(seed: int) -> int:
        way = Direction(seed)
        way.loss = 0.1
        for _ in range(2000):
            way.offer(b"x", 0.0)
        assert way.counts.lost + len(way.due(0.0)) == 2000
        return way.counts.lost

    assert lost(1) == lost(1)
    assert 140 <= lost(1) <= 260
