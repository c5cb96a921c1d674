"""What cannot be opened as it is: nacked, kept, alarmed once, and opened when it can be."""

import dataclasses
import os
from pathlib import Path

import pytest

from edge import cbor
from edge.ports.sealing import Nack
from edge.records.fields import Field, Kind, Stream
from sync.central import quarantine
from sync.central.landing import Upward
from sync.wire import batches, keys, topics
from sync.wire.batches import Author
from sync.wire.sessions import SessionKey
from tests.sync.central_world import Centre, Unit, make_centre, seal_as, seal_bytes, through


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    unit = centre.unit()
    unit.visit()  # vitals: genesis and nine more
    return unit


def test_without_its_key_message_a_batch_waits_and_then_is_asked_for_again(
    centre: Centre, unit: Unit
) -> None:
    centre.land(unit.batch(Stream.VITALS, 1, 10))
    assert centre.explode() == []
    centre.clock.wall_ms += 5001
    (receipt,) = centre.explode()
    assert receipt.nacks == (Nack(Stream.VITALS, 1, 10, "key"),)
    assert receipt.sessions_needed == (unit.sealer.session,)
    assert centre.rows("SELECT * FROM quarantine") == []
    receipt = centre.take(unit.key_message())
    assert receipt.nacks == ()
    assert receipt.streams[Stream.VITALS].through == 10


def test_a_session_sealed_to_nobody_here_is_nacked_until_the_range_opens(centre: Centre, unit: Unit) -> None:
    stranger = keys.sealing_public(keys.make_sealing())
    author = Author(unit.name, unit.realm, unit.epoch, unit.sign_private)
    message, id_ = batches.make_key_message(author, unit.tips(), os.urandom(32), [stranger])
    lost = SessionKey(os.urandom(32), id_)
    sealed = batches.seal_batch(author, unit.journal[Stream.VITALS][:3], unit.tips(), lost)
    receipt = centre.take(
        Upward(topics.up(unit.name, "key"), message), Upward(topics.up(unit.name, "vitals"), sealed)
    )
    assert receipt.nacks == (Nack(Stream.VITALS, 1, 3, "key"),)
    assert receipt.sessions_needed == (id_,)
    assert receipt.streams == {}
    assert centre.rows("SELECT reason, code FROM quarantine") == [("key", "key")]
    receipt = centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 3))
    assert receipt.nacks == ()
    assert receipt.sessions_needed == ()
    assert receipt.streams[Stream.VITALS].through == 3
    assert centre.rows("SELECT state FROM landing ORDER BY id") == [("covered",), ("opened",)]


def test_a_batch_that_does_not_lead_to_its_head_is_nacked_and_never_opened(
    centre: Centre, unit: Unit
) -> None:
    entries = list(unit.journal[Stream.VITALS])
    # One entry for another, under the signed head of the true ones.
    entries[5] = dataclasses.replace(entries[6], seq=6)
    forged = seal_as(unit, Stream.VITALS, entries)
    receipt = centre.take(unit.key_message(), forged)
    assert receipt.nacks == (Nack(Stream.VITALS, 1, 10, "head"),)
    assert receipt.streams == {}
    assert centre.rows("SELECT * FROM entries") == []
    assert centre.rows("SELECT reason FROM quarantine") == [("head",)]
    receipt = centre.take(unit.batch(Stream.VITALS, 1, 10))
    assert receipt.nacks == ()
    assert receipt.streams[Stream.VITALS].through == 10


def test_one_changed_value_does_not_open(centre: Centre, unit: Unit) -> None:
    entries = list(unit.journal[Stream.VITALS])
    fields = cbor.decode(entries[4].payload or b"")
    assert isinstance(fields, dict)
    changed = cbor.encode({**fields, int(Field.VALUE): [99, 0]})
    entries[4] = dataclasses.replace(entries[4], payload=changed)
    receipt = centre.take(unit.key_message(), seal_as(unit, Stream.VITALS, entries))
    assert [nack.reason for nack in receipt.nacks] == ["head"]
    assert centre.rows("SELECT * FROM observations") == []


def test_what_is_no_batch_inside_is_nacked_and_blocks_nobody(centre: Centre, unit: Unit) -> None:
    other = centre.unit("van-08")
    broken = seal_bytes(unit, Stream.VITALS, 1, 10, b"no columns here")
    receipt = centre.take(
        unit.key_message(),
        broken,
        unit.batch(Stream.DOC, 1, 1),
        other.key_message(),
        other.batch(Stream.VITALS, 1, 1),
    )
    assert centre.last("opened", "van-08").streams[Stream.VITALS].through == 1
    receipt = centre.last("opened")
    assert receipt.nacks == (Nack(Stream.VITALS, 1, 10, "decode"),)
    assert set(receipt.streams) == {Stream.DOC}
    assert [code for (code,) in centre.rows("SELECT code FROM alarms")] == ["quarantine-decode"]
    assert through_after_reseal(centre, unit) == 10


def through_after_reseal(centre: Centre, unit: Unit) -> int:
    centre.take(unit.batch(Stream.VITALS, 1, 10))
    return through(centre)


def test_a_restart_tries_again_what_was_refused_and_says_it_once(centre: Centre, unit: Unit) -> None:
    centre.take(unit.key_message(), seal_bytes(unit, Stream.VITALS, 1, 10, b"x"))
    for _ in range(2):
        centre.restart()
        centre.explode()
    assert centre.value("SELECT count(*) FROM alarms") == 1
    assert centre.last("opened").nacks == (Nack(Stream.VITALS, 1, 10, "decode"),)


def test_what_was_refused_opens_once_the_right_key_is_at_hand(centre: Centre, unit: Unit) -> None:
    right = centre.home.seal_to_key.read_bytes()
    centre.home.seal_to_key.write_bytes(keys.make_sealing())
    centre.restart()
    receipt = centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    assert [nack.reason for nack in receipt.nacks] == ["key"]
    centre.home.seal_to_key.write_bytes(right)
    centre.restart()
    receipt = centre.take()
    assert receipt.nacks == ()
    assert receipt.streams[Stream.VITALS].through == 10
    assert centre.rows("SELECT * FROM quarantine") == []


def test_a_schema_from_the_future_waits_in_quarantine_for_the_update(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.wire.batches.SCHEMA_VERSION", 99)
    message = unit.batch(Stream.VITALS, 1, 8)
    monkeypatch.undo()
    other = centre.unit("van-08")
    other.visit()
    receipt = centre.take(unit.key_message(), message, unit.batch(Stream.DOC, 1, 1))
    assert [(nack.first, nack.n, nack.reason) for nack in receipt.nacks] == [(1, 8, "schema")]
    assert set(receipt.streams) == {Stream.DOC}
    [kept] = quarantine.batches(centre.home)
    assert (kept.stream, kept.first, kept.last, kept.reason, kept.code) == (
        *("vitals", 1, 8),
        *("schema", "schema"),
    )
    # What comes after it lands, other streams and units are opened: only its own stream waits.
    centre.take(unit.batch(Stream.VITALS, 9, 10), unit.batch(Stream.AUDIT, 1, 1))
    assert centre.last("landed").streams[Stream.VITALS].through == 10
    assert set(centre.last("opened").streams) == {Stream.DOC, Stream.AUDIT}
    centre.take(other.key_message(), other.batch(Stream.VITALS, 1, 10))
    assert centre.last("opened", "van-08").streams[Stream.VITALS].through == 10
    assert quarantine.retry(centre.home) == 1
    centre.explode()
    assert [each.reason for each in quarantine.batches(centre.home)] == ["schema"], "no update, no change"
    monkeypatch.setattr("sync.wire.batches.SCHEMA_VERSION", 99)
    quarantine.retry(centre.home, "van-07")
    centre.explode()
    assert centre.last("opened").streams[Stream.VITALS].through == 8
    assert [(each.first, each.last) for each in quarantine.batches(centre.home)] == [(9, 10)]
    monkeypatch.undo()
    centre.restart()
    assert centre.take().streams[Stream.VITALS].through == 10
    assert quarantine.batches(centre.home) == []
    with pytest.raises(quarantine.NothingQuarantined):
        quarantine.retry(centre.home)


def test_what_was_changed_in_the_landing_is_not_opened(centre: Centre, unit: Unit) -> None:
    """The collector faces the internet; the exploder does not take its word for a signature."""
    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    (raw,) = centre.rows("SELECT raw FROM landing")[0]
    changed = bytearray(raw)
    changed[-1] ^= 1
    centre.connection.execute("UPDATE landing SET raw = ?", (bytes(changed),))
    (receipt,) = centre.explode()
    assert [nack.reason for nack in receipt.nacks] == ["decode"]
    assert centre.rows("SELECT code FROM quarantine") == [("signature",)]


def test_a_batch_filed_under_another_stream_is_not_opened(centre: Centre, unit: Unit) -> None:
    centre.land(unit.key_message(), unit.batch(Stream.DOC, 1, 1))
    centre.connection.execute("UPDATE landing SET stream = 'wave'")
    centre.restart()
    (receipt,) = centre.explode()
    assert receipt.streams == {}
    assert centre.rows("SELECT code FROM quarantine") == [("unit",)]


def test_a_field_of_the_wrong_kind_makes_no_row_and_loses_no_entry(centre: Centre, unit: Unit) -> None:
    wrong: list[dict[int, cbor.Value]] = [
        {Field.CODE: 7, Field.VALUE: [1, 0]},
        {Field.CODE: "spo2"},
        {Field.CODE: "spo2", Field.VALUE: [1, 0], Field.MISSING: "sensor-off"},
        {Field.CODE: "spo2", Field.VALUE: [1, 10**9]},
        {Field.CODE: "spo2", Field.VALUE: "97"},
        {Field.CODE: "spo2", Field.VALUE: [1, 0], Field.ENCOUNTER: b"short"},
        {Field.CODE: "spo2", Field.VALUE: [1, 0], Field.READING: 2**63},
        {Field.CODE: "spo2", Field.VALUE: [1, 0], Field.SOURCE: [0]},
    ]
    for payload in wrong:
        unit.append(Stream.VITALS, Kind.OBSERVATION, payload)
    unit.append(Stream.VITALS, Kind.ASSIGNMENT, {Field.ASSIGNED: [[1]]})
    unit.append(Stream.VITALS, Kind.ASSIGNMENT, {Field.ASSIGNED: [3, 3, 4]})
    unit.append(Stream.VITALS, Kind.PATIENT, {Field.FAMILY: "Alaoui"})
    unit.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_TEXT: "?"})
    unit.append(Stream.VITALS, Kind.CORRECTION, {Field.ORIGIN: [[], 9, "x"], 999: "from the future"})
    tip = len(unit.journal[Stream.VITALS])
    receipt = centre.take(
        unit.key_message(), unit.batch(Stream.VITALS, 1, tip), unit.batch(Stream.ALERT, 1, 2)
    )
    assert receipt.streams[Stream.VITALS].through == tip
    assert centre.value("SELECT count(*) FROM entries") == tip + 2
    assert centre.value("SELECT count(*) FROM observations") == 6
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'row-unreadable'") == len(wrong) + 4
    assert centre.rows("SELECT assigned FROM assignments") == [(3,), (4,)]
