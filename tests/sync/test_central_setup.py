"""A centre is made whole, once; units are enrolled by what they prove, once for each name."""

import stat
from pathlib import Path

import pytest

from edge import recovery
from sync.central import setup
from sync.central.home import CentreError, CentreHome, Realm, parse_broker, read_file, settings_text
from sync.central.setup import EnrolmentRefused
from sync.wire import enrolment, keys
from sync.wire.enrolment import Broker
from sync.wire.keyset import Use
from tests.sync.central_world import Centre, SetClock, Unit, make_centre

BROKER = Broker("127.0.0.1", 1883, tls=False)


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


def test_files_are_for_their_owner_only(centre: Centre) -> None:
    for path in [centre.home.directory, *centre.home.directory.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (0o700 if path.is_dir() else 0o600), path


def test_every_key_of_the_keyset_has_its_private_half_and_no_other_use_is_named(centre: Centre) -> None:
    keyset = centre.home.read_keyset("training")
    home = centre.home
    assert {key.use for key in keyset.keys} == {
        *(Use.LANDED, Use.OPENED, Use.SEAL_TO, Use.RECOVERY, Use.RECORDS),
        *(Use.ADVICE, Use.CONFIG, Use.COMMAND),
    }
    for use, path in ((Use.LANDED, home.landed_key), (Use.OPENED, home.opened_key)):
        assert keyset.of_use(use)[0].key == keys.signing_public(read_file(path))
    assert keyset.of_use(Use.SEAL_TO)[0].key == keys.sealing_public(read_file(home.seal_to_key))
    for use, private in home.read_down_keys()[1].items():
        assert keyset.of_use(use)[0].key == keys.signing_public(private)
    records = [keys.signing_public(read_file(path)) for path in home.records_keys]
    assert [key.key for key in keyset.of_use(Use.RECORDS)] == records
    assert keyset.of_use(Use.RECOVERY)[0].key == recovery.public(read_file(home.recovery_key))


def test_both_roots_are_named_and_the_keyset_needs_no_cold_one(centre: Centre) -> None:
    roots = {keys.signing_public(read_file(path)) for path in (centre.home.hot_key, centre.home.cold_key)}
    assert set(centre.home.read_roots()) == roots
    centre.home.cold_key.unlink()  # taken away, as the operator is told
    unit = Unit("van-08", centre.keyset)
    setup.enrol(centre.home, unit.request(), SetClock())


def test_a_centre_is_never_made_over_another(centre: Centre) -> None:
    before = {path: path.read_bytes() for path in centre.home.directory.rglob("*") if path.is_file()}
    with pytest.raises(CentreError) as refused:
        setup.init(centre.home, "training", (BROKER,))
    assert refused.value.stable_code == "centre-exists"
    assert {path: path.read_bytes() for path in before} == before


def test_a_centre_that_could_not_be_finished_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("sync.central.database.create", full)
    with pytest.raises(OSError, match="disk full"):
        setup.init(CentreHome(tmp_path / "central"), "training", (BROKER,))
    assert list(tmp_path.iterdir()) == []


def test_the_same_request_is_answered_again_with_the_same_bundle(centre: Centre) -> None:
    unit = Unit("van-07", centre.keyset)
    _, first = setup.enrol(centre.home, unit.request(), SetClock())
    _, again = setup.enrol(centre.home, unit.request(), SetClock())
    assert first == again
    bundle = enrolment.read_bundle(first, unit.request())
    assert (bundle.unit, bundle.realm, bundle.brokers) == ("van-07", "training", (BROKER,))
    assert bundle.keyset == centre.keyset


def test_a_unit_may_be_sent_to_another_broker(centre: Centre) -> None:
    unit = Unit("van-07", centre.keyset)
    _, raw = setup.enrol(centre.home, unit.request(), SetClock(), (Broker("127.0.0.1", 9, tls=False),))
    assert enrolment.read_bundle(raw, unit.request()).brokers[0].port == 9


def test_a_name_belongs_to_one_pair_of_keys(centre: Centre) -> None:
    setup.enrol(centre.home, Unit("van-07", centre.keyset).request(), SetClock())
    with pytest.raises(EnrolmentRefused) as refused:
        setup.enrol(centre.home, Unit("van-07", centre.keyset).request(), SetClock())
    assert refused.value.stable_code == "unit-known"


def test_a_request_from_the_other_realm_is_refused(centre: Centre) -> None:
    with pytest.raises(EnrolmentRefused) as refused:
        setup.enrol(centre.home, Unit("van-07", centre.keyset, "production").request(), SetClock())
    assert refused.value.stable_code == "request-realm"
    assert centre.rows("SELECT * FROM units") == []


def test_a_request_whose_signature_does_not_fit_is_refused(centre: Centre) -> None:
    request = bytearray(Unit("van-07", centre.keyset).request())
    request[-1] ^= 1
    with pytest.raises(EnrolmentRefused) as refused:
        setup.enrol(centre.home, bytes(request), SetClock())
    assert refused.value.stable_code == "request-signature"
    with pytest.raises(EnrolmentRefused):
        setup.enrol(centre.home, b"", SetClock())


def test_settings_with_an_unknown_key_are_refused_by_name(centre: Centre) -> None:
    centre.home.settings.write_text(centre.home.settings.read_text() + "\nfrendly = true\n")
    with pytest.raises(CentreError, match="frendly") as refused:
        centre.home.read_settings()
    assert refused.value.stable_code == "config-refused"


def test_a_keyset_that_no_root_signed_is_refused(centre: Centre) -> None:
    raw = bytearray(centre.home.keyset.read_bytes())
    raw[-1] ^= 1
    centre.home.keyset.write_bytes(bytes(raw))
    with pytest.raises(CentreError) as refused:
        centre.home.read_keyset("training")
    assert refused.value.stable_code == "centre-damaged"


def test_a_missing_centre_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CentreError) as refused:
        CentreHome(tmp_path / "nowhere").read_settings()
    assert refused.value.stable_code == "centre-missing"
    assert "central init" in refused.value.next_step


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:1884", "127.0.0.1", 1884), ("localhost", "localhost", 1883), ("[::1]:1884", "::1", 1884)],
)
def test_a_broker_is_read(text: str, host: str, port: int) -> None:
    assert parse_broker(text) == Broker(host, port, tls=False)


def test_a_broker_with_tls_is_read() -> None:
    assert parse_broker("tls://broker.example:8884") == Broker("broker.example", 8884, tls=True)
    assert parse_broker("tls://broker.example") == Broker("broker.example", 8883, tls=True)
    assert parse_broker("tls://[::1]:8884") == Broker("::1", 8884, tls=True)


@pytest.mark.parametrize(
    "text", ["", "tls://", "tls://:8883", ":1883", "host:0", "host:70000", "host:x", 'a"b:1', "a b:1"]
)
def test_what_names_no_broker_is_refused(text: str) -> None:
    with pytest.raises(CentreError) as refused:
        parse_broker(text)
    assert refused.value.stable_code == "broker-refused"


@pytest.mark.parametrize(
    ("realm", "broker", "code"),
    [
        ("production", Broker("127.0.0.1", 1883, tls=False), "broker-without-tls"),
        ("training", Broker("192.0.2.1", 1883, tls=False), "broker-without-tls"),
        ("training", Broker("broker.example", 1883, tls=False), "broker-without-tls"),
    ],
)
def test_a_broker_without_tls_is_reached_on_this_machine_in_training_only(
    tmp_path: Path, realm: str, broker: Broker, code: str
) -> None:
    home = CentreHome(tmp_path / "central")
    made_for: Realm = "production" if realm == "production" else "training"
    with pytest.raises(CentreError) as refused:
        setup.init(home, made_for, (broker,))
    assert refused.value.stable_code == code
    assert not home.directory.exists()
    # An operator may write it into centre.toml later: it is refused again where it would be used.
    setup.init(home, made_for)
    home.settings.write_text(settings_text(realm, 1, (broker,)))
    with pytest.raises(CentreError) as refused:
        home.read_settings().reachable(None)
    assert refused.value.stable_code == code


@pytest.mark.parametrize(
    ("brokers", "written"),
    [
        ((Broker("192.0.2.1", 1883, tls=False),), None),
        (None, Broker("broker.example", 1883, tls=False)),
    ],
)
def test_no_bundle_names_a_broker_that_its_unit_would_refuse(
    centre: Centre, brokers: tuple[Broker, ...] | None, written: Broker | None
) -> None:
    if written is not None:
        centre.home.settings.write_text(settings_text("training", 1, (written,)))
    with pytest.raises(CentreError) as refused:
        setup.enrol(centre.home, Unit("van-07", centre.keyset).request(), SetClock(), brokers)
    assert refused.value.stable_code == "broker-without-tls"
    assert refused.value.next_step
    assert centre.rows("SELECT * FROM units") == []


@pytest.mark.parametrize("name", ["keyset", "roots", "hot_key"])
def test_a_bundle_that_no_unit_would_believe_is_never_made(centre: Centre, name: str) -> None:
    """Keyset, hot root or its key damaged: the centre says so, not a nurse's box later.

    The cold root is beyond this: its key is away, and nothing here was signed by it.
    """
    path: Path = getattr(centre.home, name)
    good = path.read_bytes()
    unit = Unit("van-07", centre.keyset)
    ends = len(good) // 2 if name == "roots" else len(good)
    for at in {0, ends // 3, ends // 2, ends - 1}:
        bad = bytearray(good)
        bad[at] ^= 0x10
        path.write_bytes(bytes(bad))
        with pytest.raises(CentreError) as refused:
            setup.enrol(centre.home, unit.request(), SetClock())
        assert refused.value.stable_code == "centre-damaged", at
    path.write_bytes(good[:-1])
    with pytest.raises(CentreError):
        setup.enrol(centre.home, unit.request(), SetClock())
    assert centre.rows("SELECT * FROM units") == []
