"""Over TLS, with a real Mosquitto as the centre's own command sets it up: who gets in, and how far."""

import contextlib
import dataclasses
import datetime
import json
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from cli.commands.central import app
from edge.clock import SystemClock
from sync.central import authorities, collect, explode, mosquitto, renewing, setup
from sync.uplink.connection import Connection, LinkDown, Protocol
from sync.uplink.credentials import Credentials
from sync.uplink.settings import Patience, Settings, parse
from sync.wire import certificate, keys, topics
from sync.wire.certificate import Certificate
from tests.system.brokers import cut_link
from tests.system.tls_world import DAY_MS, AnyClock, Guest, TlsWorld, Van, now_ms
from tests.system.uplink_process import until

pytestmark = pytest.mark.system


@pytest.fixture
def world(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[TlsWorld]:
    """A training centre, or one of the realm that the test asks for."""
    made = TlsWorld(tmp_path, getattr(request, "param", "training"))
    yield made
    made.close()


@contextlib.contextmanager
def centre(world: TlsWorld) -> Iterator[None]:
    """Collector and exploder at work."""
    stop = threading.Event()
    threads = [
        threading.Thread(
            target=run, args=(world.home, SystemClock(), stop), kwargs={"backoff_max_s": 0.3}, daemon=True
        )
        for run in (collect.run, explode.run)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(30)


def settings_of(van: Van, port: int) -> Settings:
    return parse(json.dumps(van.settings(port)))


def connect(settings: Settings, credentials: Credentials) -> Connection:
    """One connection, up to the broker's acceptance.

    Raises:
        LinkDown: it did not come to that.
    """
    will = (topics.state(settings.unit), b"{}")
    made = Connection(
        settings.brokers[0], Protocol.MQTT_5, "any", will, Patience(connect_s=10.0), credentials
    )
    try:
        turn(made)
    except LinkDown:
        made.close()
        raise
    return made


def turn(made: Connection) -> None:
    mine, other = socket.socketpair()
    with mine, other:
        made.open()
        end = time.monotonic() + 20
        while made.accepted is None:
            made.pump(0.1, mine)
            assert time.monotonic() < end


def refusal(settings: Settings, credentials: Credentials | None = None) -> str:
    """Why it is not let in; asked again while all that came back was a connection that closed.

    What a broker says before it hangs up is lost when we were speaking at that moment.
    """
    code = ""
    for _ in range(50):
        with pytest.raises(LinkDown) as refused:
            connect(settings, credentials or Credentials(settings)).close()
        assert refused.value.next_step
        code = refused.value.stable_code
        if code not in {"broker-closed", "broker-unreachable"}:
            break
    return code


@pytest.mark.parametrize("world", ["production"], indirect=True)
def test_in_the_realm_of_real_patients_records_arrive(world: TlsWorld) -> None:
    van = world.van()
    van.fill_spool()
    with centre(world), van.uplink(world.own.port):
        until(lambda: any(van.places.spool_in.glob("landed-*")))
        until(lambda: any(van.places.spool_in.glob("opened-*")))


def test_a_session_is_taken_up_again_and_costs_less(world: TlsWorld) -> None:
    """At most 2.1 kB both ways for a reconnection, counted on the wire, as the goal says."""
    van = world.van()
    with cut_link(world.own.port) as link:
        settings = settings_of(van, link.port)
        credentials = Credentials(settings)
        costs: list[int] = []
        for resumed in (False, True, True):
            before = link.say("stats")
            made = connect(settings, credentials)
            assert made.resumed is resumed
            after = link.say("stats")
            made.close()
            costs.append(sum(after[way] - before[way] for way in ("up", "down")))
    assert costs[1] < 0.75 * costs[0]
    assert max(costs[1:]) <= 2100, costs


def test_a_restarted_broker_is_met_by_a_whole_handshake(world: TlsWorld) -> None:
    """It knows nothing of the session; nobody is refused for that."""
    settings = settings_of(world.van(), world.own.port)
    credentials = Credentials(settings)
    connect(settings, credentials).close()
    world.broker.kill()
    world.broker.start()
    made = connect(settings, credentials)
    assert not made.resumed
    made.close()


def test_a_unit_speaks_and_hears_under_its_own_name_only(world: TlsWorld) -> None:
    own, other = world.van("van-07"), world.van("van-08")
    receipt = topics.receipt("van-07", "landed")
    collector = Guest(world.own.centre_port, world.centre_context(), "a collector")
    assert collector.publish(receipt, b"for van-07", retain=True) in {"Success", "No matching subscribers"}
    stranger = Guest(world.own.port, other.context())
    assert stranger.publish(topics.up("van-08", "vitals"), b"x") in {"Success", "No matching subscribers"}
    for topic in (topics.up("van-07", "vitals"), topics.state("van-07"), receipt, topics.down("van-08")):
        assert stranger.publish(topic, b"x") == "Not authorized", topic
    stranger.subscribe(receipt)
    stranger.subscribe("#")
    guest = Guest(world.own.port, own.context())
    guest.subscribe(receipt)
    assert guest.until(lambda: guest.got)
    assert guest.got == [(receipt, b"for van-07")]
    collector.publish(receipt, b"and more", retain=True)
    assert guest.until(lambda: len(guest.got) == 2)
    assert stranger.publish(topics.up("van-08", "vitals"), b"y")  # whatever was for it would be here
    assert [topic for topic, _ in stranger.got if "van-07" in topic] == []
    for each in (collector, stranger, guest):
        each.close()


def test_a_collector_may_not_say_what_is_the_exploder_s(world: TlsWorld) -> None:
    collector = Guest(world.own.centre_port, world.centre_context())
    for topic in (topics.receipt("van-07", "opened"), topics.down("van-07"), topics.up("van-07", "vitals")):
        assert collector.publish(topic, b"x") == "Not authorized", topic
    collector.close()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves its socket
def test_the_doors_open_to_nobody_else(world: TlsWorld) -> None:
    """No certificate, one of one's own, an older TLS, a unit at the centre's door: none is let in."""
    van = world.van()
    assert Guest(world.own.port, van.context()).accepted
    assert not Guest(world.own.centre_port, van.context()).accepted
    assert not Guest(world.own.port, world.centre_context()).accepted
    said = van.bundle.certificate
    assert said is not None
    bare = ssl.create_default_context(cadata=b"".join(said.trust))
    assert not Guest(world.own.port, bare).accepted
    older = van.context()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    assert not Guest(world.own.port, older).accepted
    forged = ssl.create_default_context(cadata=b"".join(said.trust))
    forged.load_cert_chain(*forge(world.directory, "van-07"))
    assert not Guest(world.own.port, forged).accepted


def forge(directory: Path, name: str) -> tuple[Path, Path]:
    """A certificate of a stranger's own making in a unit's name, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    named = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.fromtimestamp(now_ms() / 1000, datetime.UTC)
    made = (
        x509.CertificateBuilder(named, named, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    chain, private = directory / "forged.crt", directory / "forged.key"
    chain.write_text(ssl.DER_cert_to_PEM_cert(made.public_bytes(Encoding.DER)))
    private.write_bytes(authorities.private_pem(key))
    return chain, private


def test_a_second_connection_of_a_unit_ends_the_first(world: TlsWorld) -> None:
    """Whatever client id a copy of the card gives itself, there is one living connection of a unit."""
    van = world.van()
    first = Guest(world.own.port, van.context(), "one name")
    second = Guest(world.own.port, van.context(), "another name")
    assert second.accepted
    assert not first.until(lambda: False, 10)
    assert not first.alive
    assert second.publish(topics.up("van-07", "vitals"), b"x")
    second.close()


def test_a_copy_of_a_card_is_told_of(world: TlsWorld) -> None:
    van = world.van()
    with van.uplink(world.own.port) as uplink:
        until(lambda: uplink.link().get("connected"))
        copy = Guest(world.own.port, van.context())
        assert copy.publish(topics.state("van-07"), b'{"online": true, "connection": "copy"}', retain=True)
        until(lambda: uplink.lines("code=broker-taken-over"))
        copy.close()


def test_a_link_that_flaps_is_no_copy(world: TlsWorld) -> None:
    van = world.van()
    with van.uplink(world.own.port) as uplink, cut_link(world.own.port):
        for _ in range(3):
            until(lambda: uplink.link().get("connected"))
            world.broker.kill()
            until(lambda: not uplink.link().get("connected"))
            world.broker.start()
        until(lambda: uplink.link().get("connected"))
        assert not uplink.lines("code=broker-taken-over")


def test_a_revoked_unit_is_out_at_once_and_stays_out(world: TlsWorld) -> None:
    van, other = world.van("van-07"), world.van("van-08")
    settings = settings_of(van, world.own.port)
    credentials = Credentials(settings)
    connect(settings, credentials).close()  # it has a session that it could take up again
    living, neighbour = Guest(world.own.port, van.context()), Guest(world.own.port, other.context())
    assert living.accepted
    begin = time.monotonic()
    done = renewing.revoke(world.home, "van-07", SystemClock())
    assert (done.told, done.ended) == (True, True)
    assert not living.until(lambda: False, 10)
    assert not living.alive
    assert time.monotonic() - begin < 10
    assert refusal(settings, credentials) == "certificate-revoked"
    assert neighbour.publish(topics.up("van-08", "vitals"), b"x")
    with pytest.raises(authorities.CertificateRefused, match="revoked"):
        world.enrol(van.request)


@pytest.mark.parametrize(("how", "is_out"), [("--compromised", True), ("--retired", False)])
def test_who_may_be_somebody_else_is_out(world: TlsWorld, how: str, is_out: bool) -> None:
    """A retired unit may still bring what is taken of it."""
    van = world.van()
    living = Guest(world.own.port, van.context())
    words = ["revoke", "van-07", how, "--reason", "left behind", "--by", "hakim"]
    told = CliRunner().invoke(app, [*words, "--json", "--home", str(world.directory)])
    assert (json.loads(told.output)["connection"] is not None) is is_out
    if is_out:
        assert not living.until(lambda: False, 10)
    else:
        assert living.publish(topics.up("van-07", "vitals"), b"x")
    assert living.alive is not is_out
    living.close()


def test_it_says_what_is_wrong_with_a_certificate(world: TlsWorld) -> None:
    van = world.van()
    van.bundle = world.enrol(van.request, now_ms() - 400 * DAY_MS)
    assert refusal(settings_of(van, world.own.port)) == "certificate-ended"
    # Its way back: the centre answers the same request again, and the answer comes by stick.
    van.bundle = world.enrol(van.request)
    connect(settings := settings_of(van, world.own.port), Credentials(settings)).close()
    elsewhere = TlsWorld(world.directory / "elsewhere")
    try:
        assert refusal(settings_of(van, elsewhere.own.port)) == "broker-not-trusted"
        stranger = elsewhere.van()
        trusting = dataclasses.replace(
            settings_of(stranger, world.own.port), certificate=_trusting(stranger, van)
        )
        assert refusal(trusting) == "certificate-unknown"
    finally:
        elsewhere.close()
    for path in van.places.uplink.glob("tls-*.key"):
        path.unlink()
    assert refusal(settings_of(van, world.own.port)) == "certificate-missing"


def _trusting(van: Van, other: Van) -> Certificate:
    assert van.bundle.certificate is not None
    assert other.bundle.certificate is not None
    return dataclasses.replace(van.bundle.certificate, trust=other.bundle.certificate.trust)


def test_the_box_s_own_clock_shuts_nobody_out(world: TlsWorld) -> None:
    """A broker's certificate that has not begun is taken; one that certainly has ended is not."""
    van = world.van()
    settings = settings_of(van, world.own.port)
    for begins_ms, code in (
        (now_ms() + 200 * DAY_MS, ""),
        (now_ms() - 1000 * DAY_MS, "broker-certificate-ended"),
    ):
        setup.set_up(world.home, world.own, AnyClock(begins_ms))
        mosquitto.refresh(world.home, now_ms())
        world.broker.kill()
        world.broker.start()
        if code:
            assert refusal(settings) == code
        else:
            connect(settings, Credentials(settings)).close()


def test_a_renewed_certificate_comes_over_the_link_and_is_used(world: TlsWorld) -> None:
    van = world.van()
    with centre(world), van.uplink(world.own.port) as uplink:
        until(lambda: uplink.link().get("connected"))
        assert renewing.renew(world.home, ["van-07"], SystemClock()) == ["van-07"]
        until(lambda: uplink.lines("certificate came"))
        world.broker.kill()
        world.broker.start()
        until(lambda: uplink.link().get("connected"))
    assert (van.places.uplink / "certificate.cbor").exists()
    used = Credentials(settings_of(van, world.own.port)).certificate
    assert used is not None
    assert van.bundle.certificate is not None
    assert used.issued_ms > van.bundle.certificate.issued_ms
    assert used.chain != van.bundle.certificate.chain


def test_an_answer_by_stick_is_taken_up_by_an_uplink_that_runs(world: TlsWorld, tmp_path: Path) -> None:
    """Its certificate has ended; the technician brings another, and does nothing more."""
    van = world.van()
    good, van.bundle = van.bundle, world.enrol(van.request, now_ms() - 400 * DAY_MS)
    uplink = van.uplink(world.own.port)
    bundle, settings = tmp_path / "bundle.cbor", tmp_path / "settings.json"
    bundle.write_bytes(b"the first")
    words = [sys.executable, "-c", _AGAIN, str(settings)]
    uplink.settings |= {"bundle": str(bundle), "again": words}
    with uplink:
        until(lambda: uplink.link().get("code") == "certificate-ended")
        settings.write_text(json.dumps(uplink.settings | {"certificate": good.certificate_raw.hex()}))
        bundle.write_bytes(b"the second")
        until(lambda: uplink.link().get("connected"))
        assert len(uplink.lines("begins anew")) == 1


_AGAIN = """\
import os, sys
descriptor = os.open(sys.argv[1], os.O_RDONLY)
os.set_inheritable(descriptor, True)
os.execv(sys.executable, [sys.executable, "-m", "sync.uplink", "--fd", str(descriptor)])
"""


def test_a_certificate_that_no_root_signed_changes_nothing(world: TlsWorld) -> None:
    van, other = world.van("van-07"), world.van("van-08")
    with van.uplink(world.own.port) as uplink:
        until(lambda: uplink.link().get("connected"))
        exploder = Guest(world.own.centre_port, authorities.context(world.home, "explode"))
        own = van.bundle.certificate
        assert own is not None
        newer = dataclasses.replace(own, issued_ms=own.issued_ms + 60_000)
        forged = certificate.sign(newer, keys.make_signing())
        for raw in (forged, b"", b"\x01junk", other.bundle.certificate_raw, van.bundle.certificate_raw[:-1]):
            exploder.publish(topics.certificate("van-07"), raw)
        until(lambda: uplink.lines("code=certificate "))
        exploder.close()
        assert uplink.link()["connected"]
    assert not (van.places.uplink / "certificate.cbor").exists()


def test_authorities_change_while_units_go_on(world: TlsWorld) -> None:
    """The next authority, a new certificate for each unit, and the old one taken away: nobody is shut out."""
    early, late = world.van("van-07"), world.van("van-08")
    setup.set_up(world.home, world.own, SystemClock(), new_authority=True)
    assert mosquitto.reload(world.home)
    assert renewing.renew(world.home, ["van-07"], SystemClock()) == ["van-07"]
    raw = (world.home.directory / "certificates" / "van-07").read_bytes()
    settings = settings_of(early, world.own.port)
    credentials = Credentials(settings)
    assert credentials.take(raw)
    assert credentials.certificate is not None
    assert len(credentials.certificate.trust) == 2
    world.broker.kill()
    world.broker.start()
    connect(settings, credentials).close()
    connect(after := settings_of(late, world.own.port), Credentials(after)).close()
    for path in (world.home.directory / "tls").glob("*-1.*"):
        path.unlink()
    setup.set_up(world.home, world.own, SystemClock())
    for process in authorities.PROCESSES:
        authorities.issue_process(world.home, world.realm, process, now_ms())
    world.broker.kill()
    world.broker.start()
    connect(settings, credentials).close()
    assert refusal(settings_of(late, world.own.port)) == "broker-not-trusted"
