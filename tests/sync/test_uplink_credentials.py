"""Which certificate counts, and when its end is near: by the centre's time, never by the box's."""

import dataclasses
from pathlib import Path

import pytest

from sync.uplink.credentials import Credentials, key_file
from sync.uplink.outages import DAY_MS
from sync.uplink.settings import Broker, Settings
from sync.wire import certificate
from sync.wire.certificate import Certificate
from sync.wire.errors import EnvelopeRefused
from tests.sync.uplink_rig import REALM, UNIT, CentreKeys

CENTRE = CentreKeys()
FIRST = Certificate(UNIT, REALM, 1000, 2000, b"key-one.", (b"own",), (b"authority",))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    key_file(tmp_path, FIRST.key).write_text("a key")
    brokers = (Broker("127.0.0.1", 8883, tls=True),)
    return Settings(
        UNIT,
        REALM,
        tmp_path,
        tmp_path,
        tmp_path,
        brokers,
        CENTRE.keyset,
        roots=CENTRE.roots,
        certificate=FIRST,
    )


def renewed(**changes: object) -> bytes:
    return certificate.sign(dataclasses.replace(FIRST, **changes), CENTRE.root)  # type: ignore[arg-type]  # handed through


def test_the_one_issued_later_counts_and_is_kept(settings: Settings) -> None:
    credentials = Credentials(settings)
    assert credentials.take(renewed(issued_ms=1500, until_ms=2500))
    assert not credentials.take(renewed(issued_ms=1400, until_ms=9000))
    assert not credentials.take(renewed(issued_ms=1500, until_ms=9000))
    again = Credentials(settings).certificate
    assert again is not None
    assert (again.issued_ms, again.until_ms) == (1500, 2500)


def test_a_later_bundle_counts_before_what_came_by_link(settings: Settings) -> None:
    Credentials(settings).take(renewed(issued_ms=1500))
    by_stick = dataclasses.replace(FIRST, issued_ms=1600)
    assert Credentials(dataclasses.replace(settings, certificate=by_stick)).certificate == by_stick


def test_one_for_a_key_that_is_not_here_is_of_no_use(settings: Settings) -> None:
    credentials = Credentials(settings)
    assert not credentials.take(renewed(issued_ms=1500, key=b"key-two."))
    assert credentials.certificate == FIRST


def test_one_of_another_unit_or_signer_is_refused(settings: Settings) -> None:
    credentials = Credentials(settings)
    for raw in (
        renewed(issued_ms=1500, unit="van-08"),
        certificate.sign(dataclasses.replace(FIRST, issued_ms=1500), CentreKeys().root),
    ):
        with pytest.raises(EnvelopeRefused):
            credentials.take(raw)
    assert not (settings.notes / "certificate.cbor").exists()


def test_what_is_damaged_on_the_disk_is_as_if_it_were_not_there(settings: Settings) -> None:
    Credentials(settings).take(renewed(issued_ms=1500))
    (settings.notes / "certificate.cbor").write_bytes(b"\x01damaged")
    assert Credentials(settings).certificate == FIRST


YEAR = dataclasses.replace(FIRST, issued_ms=1, until_ms=1 + 365 * DAY_MS)


def test_its_end_is_near_when_the_centre_s_time_says_so(settings: Settings) -> None:
    credentials = Credentials(dataclasses.replace(settings, certificate=YEAR))
    found: list[bool] = []
    for day in (0, 350, 352, 5):  # an older receipt says nothing new
        credentials.learn_time(day * DAY_MS)
        found.append(credentials.due(0))
    assert found == [False, False, True, True]
    assert credentials.take(renewed(issued_ms=352 * DAY_MS, until_ms=717 * DAY_MS))
    assert not credentials.due(0)


@pytest.mark.parametrize(
    ("longest_days", "warns_days"), [(0, 14), (4, 14), (5, 15), (30, 90), (41, 365 / 3), (300, 365 / 3)]
)
def test_it_is_near_at_three_times_the_longest_outage(
    settings: Settings, longest_days: int, warns_days: float
) -> None:
    credentials = Credentials(dataclasses.replace(settings, certificate=YEAR))
    found: list[bool] = []
    for off_ms in (-1000, 1000):
        credentials.learn_time(YEAR.until_ms - round(warns_days * DAY_MS) + off_ms)
        found.append(credentials.due(longest_days * DAY_MS))
    assert found == [False, True]


@pytest.mark.parametrize(
    ("shown", "ended"),
    [
        ({"notAfter": "Jan  1 00:00:10 1970 GMT"}, False),
        ({"notAfter": "Jan  1 00:00:01 1970 GMT"}, True),
        ({}, True),
        (None, True),
    ],
)
def test_a_broker_s_certificate_ends_by_the_centre_s_time(
    settings: Settings, shown: object, *, ended: bool
) -> None:
    credentials = Credentials(settings)
    credentials.learn_time(5000)
    assert credentials.has_ended(shown) is ended


def test_without_its_key_there_is_nothing_to_connect_with(settings: Settings) -> None:
    key_file(settings.notes, FIRST.key).unlink()
    assert Credentials(settings).context() is None
    assert Credentials(dataclasses.replace(settings, certificate=None)).context() is None
