"""Who is erased at the centre is found nowhere there, whatever comes later; it takes two people."""

import dataclasses
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.errors import QafilaError
from edge.records.fields import Field, Kind, Payload, Stream
from sync.central import erasing, keyring
from sync.central.home import CentreError
from sync.central.retention import KEPT_MS, Retention
from sync.wire import orders
from sync.wire.errors import EnvelopeRefused
from sync.wire.keyset import Use
from tests.sync.central_world import REALM, Centre, Unit, make_centre, through

PLANTED = "Zzyzxplanted"
CONTROL = "Ouarzazicontrol"
V = Stream.VITALS


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def tip(unit: Unit, stream: Stream = V) -> int:
    return len(unit.journal[stream])


def whole(unit: Unit) -> list[Any]:
    return [unit.key_message(), *(unit.batch(stream, 1, tip(unit, stream)) for stream in Stream)]


def erase(centre: Centre, patient: bytes, **changed: Any) -> erasing.Ordered:  # noqa: ANN401  fields
    fields: dict[str, Any] = {
        "by": ("hakim", "leila"), "key_files": centre.home.records_keys, "clock": centre.clock
    }  # fmt: skip
    return erasing.order(centre.home, uuid.UUID(bytes=patient), "asked", **fields | changed)


def says_done(unit: Unit, order: erasing.Ordered, *people: bytes, spans: Any = None) -> None:  # noqa: ANN401  CBOR
    payload: Payload = {
        Field.ERASURE: order.erasure.bytes,
        Field.PEOPLE: list(people) or [order.patient.bytes],
        Field.SPANS: spans if spans is not None else [],
    }
    unit.append(Stream.AUDIT, Kind.ERASED, payload)


def on_disk(centre: Centre) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(centre.home.directory.glob("central.db*")))


def test_nothing_of_an_erased_patient_is_left_at_the_centre(centre: Centre, unit: Unit) -> None:
    stays, gone = unit.visit(CONTROL), unit.visit(PLANTED)
    unit.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: "urgent", Field.ALERT_TEXT: PLANTED}, gone)
    for _ in range(200):  # rows are moved about
        unit.visit("Filler")
    centre.take(*whole(unit))
    assert PLANTED.encode() in on_disk(centre)
    ordered = erase(centre, gone)
    assert ordered.units == ("van-07",)
    found = on_disk(centre)
    assert CONTROL.encode() in found
    assert PLANTED.encode() not in found
    for table in ("patients", "identifiers", "encounters", "observations", "alerts"):
        assert centre.value(f"SELECT count(*) FROM {table} WHERE patient = ?", gone.hex()) == 0  # noqa: S608
        if table != "alerts":
            assert centre.value(f"SELECT count(*) FROM {table} WHERE patient = ?", stays.hex()) > 0  # noqa: S608
    payloads = centre.rows("SELECT DISTINCT payload FROM entries WHERE patient = ?", gone.hex())
    assert payloads == [(b"",)]
    assert centre.value("SELECT count(*) FROM landing WHERE raw <> x''") == 0


def test_what_comes_later_of_them_is_checked_opened_and_gone(centre: Centre, unit: Unit) -> None:
    """The unit has not heard of it yet and goes on: its stream must not stand still."""
    gone = unit.visit(PLANTED)
    centre.take(*whole(unit))
    order = erase(centre, gone)
    before = tip(unit)
    unit.append(V, Kind.PATIENT, {Field.REVISION: 2, Field.FAMILY: PLANTED}, gone)
    unit.observe(gone, bytes(16), "spo2", 91)
    unit.visit(CONTROL)
    centre.take(unit.batch(V, before + 1, tip(unit)))
    assert through(centre) == tip(unit)
    assert PLANTED.encode() not in on_disk(centre)
    assert centre.rows("SELECT family FROM patients") == [(CONTROL,)]
    assert centre.value("SELECT count(*) FROM secrets WHERE patient = ?", gone) == 1
    says_done(unit, order)
    centre.take(unit.batch(Stream.AUDIT, 2, 2))
    assert centre.value("SELECT count(*) FROM secrets WHERE patient = ?", gone) == 0
    (standing,) = erasing.standings(centre.home)
    assert standing.units == {"van-07": centre.clock.wall_ms}


def test_what_a_unit_names_goes_too(centre: Centre, unit: Unit) -> None:
    """Readings out of the tray name nobody, and somebody was entered twice."""
    gone, twice = unit.visit(PLANTED), unit.visit(PLANTED + "again")
    tray = unit.append(
        V, Kind.OBSERVATION, {Field.CODE: "spo2", Field.VALUE: [98, 0], Field.FLAGS: [PLANTED]}
    )
    centre.take(*whole(unit))
    order = erase(centre, gone)
    assert PLANTED.encode() in on_disk(centre)
    says_done(unit, order, gone, twice, spans=[[unit.epoch, 1, tray.seq, tray.seq], [b"", 9, 1], 7])
    centre.take(unit.batch(Stream.AUDIT, 2, 2))
    assert PLANTED.encode() not in on_disk(centre)
    assert centre.rows("SELECT count(*) FROM observations") == [(0,)]
    assert centre.rows("SELECT count(*) FROM secrets WHERE patient <> x''") == [(0,)]


def test_an_order_names_what_stays_until_the_unit_answers(centre: Centre, unit: Unit) -> None:
    one, two, three = (unit.visit(f"{PLANTED}{n}") for n in range(3))
    for duplicate, who in ((two, one), (three, two)):
        payload: Payload = {Field.DUPLICATE: duplicate, Field.REVISION: 1, Field.REASON: "same card"}
        unit.append(V, Kind.MERGED, payload, who)
    centre.take(*whole(unit))
    order = erase(centre, two)
    assert (order.stays, order.other) == ((uuid.UUID(bytes=three),), uuid.UUID(bytes=one))
    assert {patient for (patient,) in centre.rows("SELECT patient FROM patients")} == {one.hex(), three.hex()}
    says_done(unit, order, two, three)
    centre.take(unit.batch(Stream.AUDIT, 2, 2))
    assert centre.rows("SELECT patient FROM patients") == [(one.hex(),)]


def test_readings_assigned_from_the_tray_go_with_the_order(centre: Centre, unit: Unit) -> None:
    gone = unit.visit(PLANTED)
    tray = unit.append(
        V, Kind.OBSERVATION, {Field.CODE: "spo2", Field.VALUE: [98, 0], Field.FLAGS: [PLANTED]}
    )
    unit.append(V, Kind.ASSIGNMENT, {Field.ENCOUNTER: bytes(16), Field.ASSIGNED: [tray.seq]}, gone)
    centre.take(*whole(unit))
    erase(centre, gone)
    assert PLANTED.encode() not in on_disk(centre)


def test_the_order_reaches_its_unit_and_opens_there_alone(centre: Centre, unit: Unit) -> None:
    other = centre.unit("van-08")
    first, second = unit.visit(PLANTED), unit.visit(CONTROL)
    centre.take(*whole(unit))
    given = [erase(centre, first)]
    centre.clock.wall_ms += 1000
    given.append(erase(centre, second))
    ((name, number, raw),) = erasing.outgoing(centre.connection)
    assert (name, number) == ("van-07", 2)
    read = orders.read(raw, centre.keyset, "van-07", unit.recv_private)
    assert [each.patient for each in read] == [first, second]
    assert [each.erasure for each in read] == [each.erasure.bytes for each in given]
    assert {each.authority for each in read} == {("hakim", "leila")}
    for patient in (first, second):
        assert patient not in raw, "the broker learns nothing"
    with pytest.raises(EnvelopeRefused):
        orders.read(raw, centre.keyset, "van-08", other.recv_private)
    with pytest.raises(EnvelopeRefused):
        orders.read(raw, centre.keyset, "van-07", other.recv_private)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda c: {"key_files": (c.home.records_keys[0],) * 2}, "one-key-twice"),
        (lambda c: {"key_files": (c.home.records_keys[0], c.home.opened_key)}, "centre-key-wrong"),
        (lambda c: {"key_files": (c.home.records_keys[0], c.home.settings)}, "centre-key-wrong"),
        (lambda c: {"key_files": (c.home.records_keys[0], c.home.directory / "no")}, "centre-key-missing"),
        (lambda _: {"by": ("Hakim", "hakim ")}, "one-person-twice"),
        (lambda _: {"by": ("hakim", " ")}, "person-refused"),
    ],
    ids=["a key twice", "another use", "no key", "missing", "a person twice", "nobody"],
)
def test_it_takes_two_people_and_their_keys(
    centre: Centre, unit: Unit, change: Callable[[Centre], dict[str, Any]], code: str
) -> None:
    gone = unit.visit(PLANTED)
    centre.take(*whole(unit))
    with pytest.raises(QafilaError) as refused:
        erase(centre, gone, **change(centre))
    assert refused.value.stable_code == code
    assert centre.rows("SELECT family FROM patients") == [(PLANTED,)]
    assert erasing.outgoing(centre.connection) == []


def test_a_centre_that_was_made_before_erasing_gets_its_keys(centre: Centre, unit: Unit) -> None:
    gone = unit.visit(PLANTED)
    centre.take(*whole(unit))
    for key in centre.home.read_keyset(REALM).of_use(Use.RECORDS):
        keyring.retire(centre.home, key.kid.hex(), compromised=True)
    with pytest.raises(CentreError) as refused:
        erase(centre, gone)
    assert refused.value.stable_code == "centre-key-missing"
    assert "central keys add records" in refused.value.next_step
    before = centre.home.read_keyset(REALM)
    for path in centre.home.records_keys:
        path.unlink()
    keyring.add(centre.home, Use.RECORDS)
    order = erase(centre, gone)
    [(_, _, raw)] = erasing.outgoing(centre.connection)
    with pytest.raises(EnvelopeRefused) as unknown:
        orders.read(raw, before, "van-07", unit.recv_private)
    assert unknown.value.refusal == "kid", "units believe it once they have the new keyset"
    [read] = orders.read(raw, centre.home.read_keyset(REALM), "van-07", unit.recv_private)
    assert read.erasure == order.erasure.bytes


def test_a_patient_nobody_knows_is_not_ordered(centre: Centre, unit: Unit) -> None:
    centre.take(*whole(unit))
    with pytest.raises(QafilaError) as refused:
        erase(centre, bytes(16))
    assert refused.value.stable_code == "patient-unknown"


def test_a_unit_that_erased_without_an_order_is_put_before_the_operator(centre: Centre, unit: Unit) -> None:
    gone = unit.visit(PLANTED)
    says_done(unit, erasing.Ordered(uuid.UUID(int=7), uuid.UUID(bytes=gone), ()))
    centre.take(*whole(unit))
    assert centre.rows("SELECT code FROM alarms") == [("erasure-unknown",)]
    assert centre.rows("SELECT family FROM patients") == [(PLANTED,)]


def test_sealed_batches_are_destroyed_after_thirty_days(centre: Centre, unit: Unit) -> None:
    unit.visit()
    centre.take(*whole(unit))
    unit.visit()
    centre.land(unit.batch(V, 11, 12))  # not opened: it stays
    retention = Retention(centre.connection)
    retention.look(centre.clock.wall_ms + KEPT_MS)
    assert centre.value("SELECT count(*) FROM landing WHERE raw = x''") == 0
    while Retention(centre.connection).look(centre.clock.wall_ms + KEPT_MS + 1):
        pass
    assert centre.value("SELECT count(*) FROM landing WHERE raw = x'' AND settled = 1") == 5
    assert centre.value("SELECT count(*) FROM landing WHERE raw <> x''") == 1
    assert centre.value("SELECT count(*) FROM sessions WHERE raw IS NULL") == 0, "one of its batches waits"
    centre.explode()
    while Retention(centre.connection).look(centre.clock.wall_ms + KEPT_MS + 1):
        pass
    assert centre.value("SELECT count(*) FROM sessions WHERE raw IS NULL") == 1


def test_a_key_that_was_destroyed_is_asked_for_again_when_more_of_its_session_comes(
    centre: Centre, unit: Unit
) -> None:
    unit.visit()
    centre.take(*whole(unit))
    while Retention(centre.connection).look(centre.clock.wall_ms + KEPT_MS + 1):
        pass
    unit.visit()
    (receipt,) = centre.land(unit.batch(V, 11, 12))
    assert unit.sealer.session not in receipt.sessions_landed
    assert receipt.sessions_needed == (unit.sealer.session,)
    # an exploder that was started since has not kept the key either
    centre.restart(key_grace_ms=0)
    centre.explode()
    assert centre.value("SELECT count(*) FROM landing WHERE state = 'key'") == 1
    centre.take(unit.key_message())
    assert centre.value("SELECT count(*) FROM landing WHERE settled = 0") == 0
    assert centre.value("SELECT max(seq) FROM entries WHERE stream = 'vitals'") == 12


def test_an_order_says_who_and_when(centre: Centre, unit: Unit) -> None:
    gone = unit.visit(PLANTED)
    centre.take(*whole(unit))
    given = erase(centre, gone)
    (standing,) = erasing.standings(centre.home)
    assert dataclasses.asdict(standing) | {"erasure": given.erasure} == {
        "erasure": given.erasure,
        "patient": uuid.UUID(bytes=gone),
        "reason": "asked",
        "authority": ("hakim", "leila"),
        "ordered_ms": centre.clock.wall_ms,
        "units": {"van-07": None},
    }


def test_who_goes_on_with_a_lost_units_store_is_told_and_speaks_for_it(centre: Centre, unit: Unit) -> None:
    gone = unit.visit(PLANTED)
    tray = unit.append(
        V, Kind.OBSERVATION, {Field.CODE: "spo2", Field.VALUE: [98, 0], Field.FLAGS: [PLANTED]}
    )
    other, stranger = centre.unit("van-08"), centre.unit("van-09")
    centre.take(*whole(unit))
    for each in (other, stranger):
        centre.land(*whole(each))
    centre.explode()
    grant = ("van-08", "van-07", "00", "lost", "hakim", 1)
    centre.connection.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?)", grant)
    order = erase(centre, gone)
    assert order.units == ("van-07", "van-08")
    spans = [[unit.epoch, 1, tray.seq, tray.seq]]
    for each, found in ((stranger, True), (other, False)):
        says_done(each, order, spans=spans)
        centre.land(each.batch(Stream.AUDIT, 2, 2))
        centre.explode()
        assert (PLANTED.encode() in on_disk(centre)) is found
    (standing,) = erasing.standings(centre.home)
    assert standing.units == {"van-07": None, "van-08": centre.clock.wall_ms}
    assert centre.rows("SELECT code, unit FROM alarms") == [("erasure-unknown", "van-09")]


def test_an_order_may_be_given_again(centre: Centre, unit: Unit) -> None:
    gone = unit.visit(PLANTED)
    centre.take(*whole(unit))
    first, second = erase(centre, gone), erase(centre, gone)
    assert first.units == second.units == ("van-07",)
    ((_, number, raw),) = erasing.outgoing(centre.connection)
    read = orders.read(raw, centre.keyset, "van-07", unit.recv_private)
    assert (number, len({each.erasure for each in read}), {each.patient for each in read}) == (2, 2, {gone})
