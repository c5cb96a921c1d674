"""Only what leads from a known head to the signed one becomes rows and is called opened."""

import os
from pathlib import Path

import pytest

from edge import cbor
from edge.audit.chain import Entry
from edge.clock import ClockQuality
from edge.ports.sealing import Nack, StreamReceipt
from edge.records.fields import Field, Kind, Payload, Stream
from sync.central.database import connect
from sync.central.trouble import CentreDatabaseError
from tests.sync.central_world import Centre, Unit, make_centre, through


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    unit = centre.unit()
    unit.visit()  # vitals: genesis and nine more
    return unit


def test_what_opens_is_receipted_with_its_head(centre: Centre, unit: Unit) -> None:
    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    (receipt,) = centre.explode()
    head = unit.journal[Stream.VITALS][9].head[:16]
    assert receipt.level == "opened"
    assert receipt.streams == {Stream.VITALS: StreamReceipt(10, head, 10)}
    assert receipt.nacks == ()


def test_entries_are_kept_as_they_were_written(centre: Centre, unit: Unit) -> None:
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    rows = centre.rows("SELECT seq, kind, payload, leaf, head FROM entries ORDER BY seq")
    assert [Entry(Stream.VITALS, seq, Kind(kind), *rest) for seq, kind, *rest in rows] == unit.journal[
        Stream.VITALS
    ]
    assert centre.rows("SELECT DISTINCT unit, epoch, stream FROM entries") == [
        ("van-07", unit.epoch_hex, "vitals")
    ]


def test_rows_say_what_the_payloads_say(centre: Centre, unit: Unit) -> None:
    (patient,) = (key.hex() for key in unit.secrets if key)
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    assert centre.rows("SELECT patient, family, given, sex, birth FROM patients") == [
        (patient, "Alaoui", "Amina", "female", "1980-02-03")
    ]
    assert centre.rows("SELECT patient, system FROM identifiers") == [(patient, "cin")]
    assert centre.rows("SELECT patient, event, count FROM encounters ORDER BY seq") == [
        (patient, "opened", None),
        (patient, "closed", 6),
    ]
    assert centre.rows("SELECT value FROM observations ORDER BY seq") == [(str(90 + n),) for n in range(6)]
    ((record,),) = centre.rows("SELECT device_record FROM entries WHERE seq = 4")
    moment = cbor.decode(unit.journal[Stream.VITALS][3].payload or b"")
    assert isinstance(moment, dict)
    assert record == f"oximeter-1/{'00' * 8}/{moment[Field.MONOTONIC_MS]}"


def test_devices_clocks_and_the_place_of_a_visit_have_rows(centre: Centre, unit: Unit) -> None:
    patient = next(key for key in unit.secrets if key)
    encounter = bytes(range(16))
    unit.append(
        Stream.VITALS,
        Kind.DEVICE,
        {Field.DEVICE: "cuff-1", Field.DEVICE_KIND: "sig-bp", Field.SERIAL: "A1", Field.BATTERY: 40},
    )
    offset: Payload = {Field.CLOCK_SOURCE: int(ClockQuality.GNSS), Field.CLOCK_OFFSET: -86_400_000}
    unit.append(Stream.VITALS, Kind.CLOCK, offset)
    where: Payload = {Field.ENCOUNTER: encounter, Field.PLACE: [329_312_345, -44_171_234]}
    unit.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, where, patient)
    nowhere: Payload = {Field.ENCOUNTER: encounter, Field.PLACE: [900_000_001, 0]}
    unit.append(Stream.VITALS, Kind.ENCOUNTER_CLOSED, nowhere, patient)
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 14))
    assert centre.rows("SELECT device, kind, manufacturer, serial, battery FROM devices") == [
        ("cuff-1", "sig-bp", None, "A1", 40)
    ]
    assert centre.rows("SELECT boot, source, offset_ms FROM clocks") == [
        ("00" * 8, int(ClockQuality.GNSS), -86_400_000)
    ]
    # a place that is nowhere makes no row, and its entry is kept
    assert centre.rows(
        "SELECT event, latitude_e7, longitude_e7 FROM encounters WHERE encounter = ?", encounter.hex()
    ) == [("opened", 329_312_345, -44_171_234)]
    assert centre.value("SELECT count(*) FROM entries WHERE kind = ?", int(Kind.ENCOUNTER_CLOSED)) == 2


def test_a_correction_is_a_value_beside_the_one_it_stands_for(centre: Centre, unit: Unit) -> None:
    wrong = unit.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "temp", Field.VALUE: [395, -1]})
    corrected: Payload = {Field.CODE: "temp", Field.VALUE: [365, -1], Field.REASON: "misread"}
    named: Payload = {Field.SUPERSEDES: [unit.epoch, wrong.seq]}
    unit.append(Stream.VITALS, Kind.CORRECTION, corrected | named)
    unit.append(Stream.VITALS, Kind.CORRECTION, corrected)  # in the place of nothing: kept, and no row
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, wrong.seq + 2))
    kept = centre.rows("SELECT value FROM observations WHERE code = 'temp' ORDER BY seq")
    assert kept == [("39.5",), ("36.5",)]
    assert centre.rows(
        "SELECT old.value, new.value, reason FROM corrections AS c JOIN observations AS old"
        " ON (old.unit, old.epoch, old.seq) = (c.unit, corrected_epoch, corrected_seq)"
        " JOIN observations AS new ON (new.unit, new.epoch, new.seq) = (c.unit, c.epoch, c.seq)"
    ) == [("39.5", "36.5", "misread")]


def test_a_decimal_is_kept_digit_for_digit(centre: Centre, unit: Unit) -> None:
    for value in ([365, -1], [-5, 0], [12, 1]):
        unit.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "temp", Field.VALUE: value})
    unit.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "temp", Field.MISSING: "sensor-off"})
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 14))
    assert centre.rows("SELECT value, missing FROM observations WHERE code = 'temp' ORDER BY seq") == [
        ("36.5", None),
        ("-5", None),
        ("120", None),
        (None, "sensor-off"),
    ]


def test_a_revision_replaces_what_is_shown_and_not_what_is_kept(centre: Centre, unit: Unit) -> None:
    from sync.central.received import patients

    (patient,) = (key for key in unit.secrets if key)
    payload: Payload = {Field.REVISION: 2, Field.FAMILY: "Alami", Field.SEX: "female"}
    unit.append(Stream.VITALS, Kind.PATIENT, payload, patient)
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 11))
    (shown,) = patients(centre.home)
    assert (shown.family, shown.encounters, shown.observations) == ("Alami", 1, 6)
    assert centre.value("SELECT count(*) FROM patients") == 2


def test_a_later_batch_waits_for_the_one_before(centre: Centre, unit: Unit) -> None:
    first, middle, last = unit.batches(Stream.VITALS, 3, 6, 10)
    centre.take(unit.key_message(), first, last)
    assert through(centre) == 3
    assert centre.last("opened").nacks == ()
    centre.take(middle)
    assert through(centre) == 10


def test_an_entry_waits_for_the_secret_of_its_patient(centre: Centre, unit: Unit) -> None:
    (patient,) = (key for key in unit.secrets if key)
    unit.append(Stream.AUDIT, Kind.ACCESS, {Field.ACTION: "read"}, patient)
    centre.take(unit.key_message(), unit.batch(Stream.AUDIT, 1, 2))
    assert centre.value("SELECT count(*) FROM entries") == 0
    receipt = centre.take(unit.batch(Stream.VITALS, 1, 10))
    assert {stream: state.through for stream, state in receipt.streams.items()} == {
        Stream.VITALS: 10,
        Stream.AUDIT: 2,
    }


def test_an_alert_needs_nothing_but_its_stream(centre: Centre, unit: Unit) -> None:
    (patient,) = (key for key in unit.secrets if key)
    unit.alert(patient)
    receipt = centre.take(unit.key_message(), unit.batch(Stream.ALERT, 1, 2))
    assert receipt.streams[Stream.ALERT].through == 2
    assert centre.value("SELECT code FROM alerts") == "spo2-low"


def test_streams_do_not_wait_for_one_another(centre: Centre, unit: Unit) -> None:
    centre.take(unit.key_message(), unit.batch(Stream.DOC, 1, 1), unit.batch(Stream.VITALS, 4, 10))
    assert {stream.word for stream in centre.last("opened").streams} == {"doc"}


def test_overlaps_are_counted_and_make_no_second_row(centre: Centre, unit: Unit) -> None:
    overlapping = [unit.batch(Stream.VITALS, *ends) for ends in ((1, 4), (3, 8), (5, 6), (7, 10), (1, 10))]
    centre.take(unit.key_message(), *overlapping)
    assert through(centre) == 10
    assert centre.value("SELECT count(*) FROM entries") == 10
    assert centre.value("SELECT count(*) FROM observations") == 6
    assert centre.counters()["van-07", "entry-repeated"] == 2 + 2 + 2 + 10
    assert centre.rows("SELECT * FROM conflicts") == []


def test_two_contents_of_one_entry_are_both_kept_and_alarmed(centre: Centre, unit: Unit) -> None:
    other = unit.fork(Stream.VITALS, 8)
    patient = next(key for key in unit.secrets if key)
    encounter = os.urandom(16)
    mine = [other.observe(patient, encounter, "spo2", 50 + n) for n in range(4)]
    centre.take(unit.key_message(), other.key_message(), unit.batch(Stream.VITALS, 1, 10))
    receipt = centre.take(other.batch(Stream.VITALS, 9, 12))
    # The first branch is the one that counts: its head tells the other box that it is a fork.
    assert receipt.streams[Stream.VITALS].through == 10
    assert receipt.streams[Stream.VITALS].head == unit.journal[Stream.VITALS][9].head[:16]
    assert centre.rows("SELECT seq FROM conflicts WHERE level = 'opened' ORDER BY seq") == [(9,), (10,)]
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'conflict'") == 1
    leaves = {leaf for (leaf,) in centre.rows("SELECT leaf FROM entries")}
    assert leaves == {entry.leaf for entry in (*unit.journal[Stream.VITALS], *mine)}
    # What follows on the second branch is kept as well.
    other.observe(patient, encounter, "spo2", 60)
    centre.take(other.batch(Stream.VITALS, 13, 13))
    assert centre.value("SELECT count(*) FROM entries") == 15
    assert through(centre) == 10


def test_the_rest_of_a_branch_that_came_first_opens_once_its_beginning_is_there(
    centre: Centre, unit: Unit
) -> None:
    other = unit.fork(Stream.VITALS, 8)
    for n in range(4):
        other.observe(os.urandom(16), os.urandom(16), "spo2", 50 + n)
    receipt = centre.take(
        unit.key_message(),
        other.key_message(),
        unit.batch(Stream.VITALS, 1, 10),
        other.batch(Stream.VITALS, 11, 12),
    )
    assert receipt.nacks == (Nack(Stream.VITALS, 11, 2, "head"),)
    centre.take(other.batch(Stream.VITALS, 9, 10))
    assert centre.value("SELECT count(*) FROM entries") == 14
    assert centre.value("SELECT count(*) FROM landing WHERE settled = 0") == 0


def test_a_sealed_batch_that_ends_in_another_head_than_what_was_opened_is_a_conflict(
    centre: Centre, unit: Unit
) -> None:
    other = unit.fork(Stream.VITALS, 8)
    other.observe(os.urandom(16), os.urandom(16), "spo2", 50)
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    centre.take(other.batch(Stream.VITALS, 9, 9))  # its key message never comes
    assert centre.rows("SELECT seq, level FROM conflicts") == [(9, "landed")]
    assert centre.value("SELECT settled FROM landing WHERE last = 9") == 0


def test_a_receipt_is_only_written_when_there_is_something_to_say(centre: Centre, unit: Unit) -> None:
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    before = centre.last("opened").rseq
    assert centre.explode() == []
    centre.land(unit.batch(Stream.ALERT, 1, 1))
    (receipt,) = centre.explode()
    assert receipt.rseq == before + 1


def test_repeats_are_answered_again(centre: Centre, unit: Unit) -> None:
    first = centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    again = centre.take(unit.batch(Stream.VITALS, 1, 10))
    assert again.rseq == first.rseq + 1
    assert again.streams == first.streams


def test_a_restart_between_land_and_open_loses_nothing_and_doubles_nothing(
    centre: Centre, unit: Unit
) -> None:
    centre.land(unit.key_message(), *unit.batches(Stream.VITALS, 3, 6, 10))
    centre.restart()
    (receipt,) = centre.explode()
    assert receipt.streams[Stream.VITALS].through == 10
    centre.restart()
    assert centre.explode() == []
    assert centre.value("SELECT count(*) FROM entries") == 10


def test_nothing_of_a_round_is_there_when_its_commit_fails(
    centre: Centre, unit: Unit, monkeypatch: pytest.MonkeyPatch
) -> None:
    centre.land(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))

    def fails(*_: object, **__: object) -> None:
        raise OSError("power cut")

    monkeypatch.setattr("sync.central.receipts.ReceiptWriter.write", fails)
    with pytest.raises(OSError, match="power cut"):
        centre.explode()
    monkeypatch.undo()
    assert centre.rows("SELECT 1 FROM entries, patients, chains, secrets") == []
    assert centre.rows("SELECT 1 FROM entries") == []
    centre.restart()
    (receipt,) = centre.explode()
    assert receipt.streams[Stream.VITALS].through == 10


def test_an_origin_is_shown(centre: Centre, unit: Unit) -> None:
    payload: Payload = {Field.CODE: "spo2", Field.VALUE: [97, 0], Field.ORIGIN: [bytes(8), 1, 4]}
    unit.append(Stream.VITALS, Kind.OBSERVATION, payload)
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 11))
    assert centre.rows(
        "SELECT origin_epoch, origin_stream, origin_seq, code FROM entries WHERE origin_seq IS NOT NULL"
    ) == [("00" * 8, "vitals", 4, "spo2")]


def test_a_secret_that_changes_is_alarmed_and_the_first_stays(centre: Centre, unit: Unit) -> None:
    patient = next(key for key in unit.secrets if key)
    centre.take(unit.key_message(), unit.batch(Stream.VITALS, 1, 10))
    unit.secrets[patient] = os.urandom(32)
    unit.alert(patient)
    centre.take(unit.batch(Stream.ALERT, 1, 2))
    assert centre.value("SELECT count(*) FROM alarms WHERE code = 'secret-changed'") == 1


@pytest.mark.parametrize("bound", ["ROUND_ENTRIES", "ROUND_BYTES"])
def test_a_backlog_is_receipted_as_it_goes(
    centre: Centre, unit: Unit, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"sync.central.exploder.{bound}", 3)
    centre.land(unit.key_message(), *unit.batches(Stream.VITALS, 2, 4, 6, 8, 10))
    seen = [receipt.streams[Stream.VITALS].through for receipt in centre.explode()]
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == 10


def test_a_database_of_another_schema_is_refused(centre: Centre) -> None:
    centre.connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CentreDatabaseError) as refused:
        connect(centre.home.database)
    assert refused.value.stable_code == "centre-schema"


def test_every_insert_fits_its_table(centre: Centre) -> None:
    from sync.central.rows import COLUMNS

    for table, columns_ in COLUMNS.items():
        assert len(centre.rows(f"PRAGMA table_info({table})")) == columns_, table
