"""How far `qafila doctor` sees on the way to a real broker over TLS, and that it is in nobody's way."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.doctor import broker
from cli.doctor.asked import Asked
from cli.doctor.broker import STEPS, Uplink, Way
from cli.doctor.finding import Result
from edge.clock import SystemClock
from sync.boxend.pinned import Enrolment
from sync.central import collect, renewing
from sync.wire.enrolment import Broker
from tests.system.brokers import free_port
from tests.system.tls_world import DAY_MS, TlsWorld, Van, now_ms
from tests.system.uplink_process import until

pytestmark = pytest.mark.system
RESTS = Uplink(runs=False)
NOBODY = Asked(None, "agent-unreachable")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[TlsWorld]:
    made = TlsWorld(tmp_path)
    yield made
    made.close()


def enrolled(van: Van, port: int, *, host: str = "127.0.0.1") -> Enrolment:
    said = van.bundle
    return Enrolment(
        *(said.unit, said.realm, said.roots, said.keyset, said.keyset_raw),
        (Broker(host, port, tls=True),),
        said.certificate_raw,
        said.certificate,
    )


def look(van: Van, port: int, uplink: Uplink = RESTS, *, host: str = "127.0.0.1") -> Way:
    pinned = enrolled(van, port, host=host)
    way = broker.look(van.places, pinned, pinned.certificate, uplink)
    assert way is not None
    return way


def ended(van: Van, port: int) -> tuple[str, str]:
    """The step that is not passed, and why; again while a busy machine was too slow for the doctor."""
    way = look(van, port)
    for _ in range(20):
        if way.why not in {"broker-closed", "broker-unreachable", "broker-silent"}:
            break
        way = look(van, port)
    return way.broken, way.why


@contextlib.contextmanager
def collecting(world: TlsWorld) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(
        target=collect.run,
        args=(world.home, SystemClock(), stop),
        kwargs={"backoff_max_s": 0.3},
        daemon=True,
    )
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)


def test_each_step_and_the_age_of_the_receipt(world: TlsWorld) -> None:
    van = world.van()
    until(lambda: look(van, world.own.port).done == STEPS)
    way = look(van, world.own.port)
    assert (way.broken, way.heard, way.receipt_ms) == ("", True, None)
    van.fill_spool()
    with collecting(world), van.uplink(world.own.port):
        until(lambda: any(van.places.spool_in.glob("landed-*")))
    before = {path.name for path in van.places.uplink.iterdir()}
    until(lambda: look(van, world.own.port).receipt_ms is not None)
    assert {path.name for path in van.places.uplink.iterdir()} == before, "nothing is written beside the key"
    way = look(van, world.own.port)
    judged = {each.name: each.result for each in broker.judge(RESTS, way, NOBODY, now_ms())}
    assert {judged[step] for step in STEPS} == {Result.PASS}, way
    assert judged["receipts"] is Result.PASS
    later = broker.judge(RESTS, way, NOBODY, now_ms() + 3 * DAY_MS)
    assert {each.name: each.result for each in later}["receipts"] is Result.WARN


def test_where_the_way_ends(world: TlsWorld) -> None:
    van = world.van()
    nobody_there = free_port()
    assert (look(van, nobody_there).broken, look(van, nobody_there).done) == ("broker-tcp", STEPS[:1])
    nowhere = look(van, world.own.port, host="no-such-host.invalid")
    assert (nowhere.broken, nowhere.done) == ("broker-name", ())
    elsewhere = TlsWorld(world.directory / "elsewhere")
    try:
        assert ended(van, elsewhere.own.port) == ("broker-tls", "broker-not-trusted")
    finally:
        elsewhere.close()
    renewing.revoke(world.home, "van-07", SystemClock())
    assert ended(van, world.own.port) == ("broker-tls", "certificate-revoked")
    for path in van.places.uplink.glob("tls-*.key"):
        path.unlink()
    assert look(van, world.own.port).why == "uplink-key-not-seen"


def test_a_broker_that_says_nothing_is_not_waited_for(world: TlsWorld) -> None:
    van = world.van()
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        begun_s, busy_s = time.monotonic(), time.process_time()
        way = look(van, deaf.getsockname()[1])
        took_s = time.monotonic() - begun_s
    assert (way.broken, way.done) == ("broker-tls", STEPS[:2])
    assert took_s < broker.WITHIN_S + 2 + 20 * (time.process_time() - busy_s)


def test_a_running_uplink_keeps_its_connection(world: TlsWorld) -> None:
    """A second connection in the unit's name would end the first."""
    van = world.van()
    with van.uplink(world.own.port) as uplink:
        until(lambda: uplink.link().get("connected") is True)
        connection = uplink.link()["connection"]
        seen = broker.look_at_uplink(van.places)
        assert seen == Uplink(runs=True, connected=True)
        assert look(van, world.own.port, seen).done == STEPS
        assert uplink.link()["connected"] is True
        assert uplink.link()["connection"] == connection
    assert look(van, world.own.port, Uplink(runs=None)).done == STEPS[:2], "who may not see does not connect"
