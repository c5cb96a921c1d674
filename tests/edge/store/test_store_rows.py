"""Rows are what the entries add up to: patients, visits, the tray, alerts."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.store import IdentifierTaken, Store, StoreRefused, Transaction
from edge.store.normalise import normalise, normalise_identifier
from edge.vitals.quantity import MissingReason

Visits = Callable[[], Any]


def append(store: Store, kind: Kind, payload: Payload, stream: Stream = Stream.VITALS) -> int:
    with store.write() as tx:
        return tx.append(stream, kind, payload).seq


def register(store: Store, number: int, **fields: object) -> bytes:
    patient = number.to_bytes(16)
    payload: Payload = {Field.PATIENT: patient, Field.FAMILY: "Alaoui", Field.GIVEN: "Aïcha"}
    payload |= {Field[name.upper()]: value for name, value in fields.items()}  # type: ignore[misc]  # any
    append(store, Kind.PATIENT, payload)
    return patient


def test_a_patient_comes_back_as_registered(store: Store) -> None:
    register(
        store,
        1,
        sex="female",
        birth="1961-04",
        phone="+212600000001",
        village="Agdz",
        identifiers=[["ma-cin", "AB 123456"], ["dmp", "77"]],
    )
    patient = store.patient((1).to_bytes(16))
    assert patient is not None
    assert (patient.family, patient.given, patient.sex, patient.birth) == (
        "Alaoui",
        "Aïcha",
        "female",
        "1961-04",
    )
    assert patient.identifiers == (("ma-cin", "AB 123456"), ("dmp", "77"))
    assert (patient.phone, patient.village, patient.revision) == ("+212600000001", "Agdz", 1)
    assert patient.tips == {Stream.VITALS: 2}
    assert store.patient(bytes(16)) is None


def test_the_newest_revision_stands_and_older_news_changes_nothing(store: Store) -> None:
    register(store, 1, identifiers=[["ma-cin", "AB1"]])
    register(store, 1, family="Alaoui-Tazi", revision=3, identifiers=[["ma-cin", "AB2"]])
    register(store, 1, family="Old", revision=2, identifiers=[["ma-cin", "AB3"]])
    [patient] = store.patients()
    assert (patient.family, patient.identifiers) == ("Alaoui-Tazi", (("ma-cin", "AB2"),))
    register(store, 2, identifiers=[["ma-cin", "AB1"], ["ma-cin", "AB3"]])


def test_an_identifier_belongs_to_one_patient_however_it_is_written(store: Store) -> None:
    register(store, 1, identifiers=[["ma-cin", "AB 123-456"]])
    with pytest.raises(IdentifierTaken) as refused:
        register(store, 2, identifiers=[["ma-cin", "ab123456"]])
    assert refused.value.stable_code == "identifier-taken"
    assert "123456" not in str(refused.value)
    register(store, 2, identifiers=[["passport", "ab123456"]])
    assert len(store.patients()) == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("alaoui", [1]),
        ("ALAOUI aicha", [1]),
        ("aic alao", [1]),
        ("احمد", [2]),
        ("أَحْمَد", [2]),
        ("فاطمه", [3]),
        ("aicha benali", []),
        ("n'guessan", [4]),
        ("N\u2019Guessan", [4]),
        ("ab123456", [1]),
        ("AB 123-456", [1]),
        ("imilchil", [4]),
        ("%", []),
        ("_", []),
        ("", []),
        ("' OR 1=1 --", []),
        ("a b c d e f g h", []),
    ],
)
def test_finding(store: Store, text: str, found: list[int]) -> None:
    register(store, 1, identifiers=[["ma-cin", "AB 123-456"]])
    register(store, 2, family="العلوي", given="أحمد")
    register(store, 3, family="الإدريسي", given="فاطمة")
    register(store, 4, family="N'Guessan", given="Hélène", village="Imilchil")
    assert [int.from_bytes(patient.patient) for patient in store.find_patients(text)] == found


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        ("  Élodie  DUPONT ", "elodie dupont"),
        ("Aït-Ali", "ait ali"),
        ("إبراهيم", "ابراهيم"),
        ("مُحَمَّد", "محمد"),
        ("مصطفى", "مصطفي"),
        ("فاطمة", "فاطمه"),
        ("مـــحمد", "محمد"),
        ("ﻣﺤﻤﺪ", "محمد"),
        ("Straße Œuvre", "strasse oeuvre"),
        ("٣", "٣"),
    ],
)
def test_one_spelling(written: str, spelt: str) -> None:
    assert normalise(written) == spelt
    assert normalise(spelt) == spelt


def test_one_spelling_of_an_identifier() -> None:
    assert normalise_identifier(" ab-12.3 / 4") == "ab1234"


def test_a_visit_opens_is_measured_and_closes(store: Store, visit: Visits) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        each.observe(tx, 3650)
    opened = store.open_encounter()
    assert opened is not None
    assert (opened.encounter, opened.patient, opened.operator, opened.closed_ms) == (
        *(each.encounter, each.patient),
        *("amina", None),
    )
    [temperature] = store.observations(each.encounter)
    assert str(temperature.value) == "36.50"
    assert temperature.entry.as_json() == ["van-07", store.epoch.hex(), "vitals", 4]
    with store.write() as tx:
        each.close(tx)
    assert store.open_encounter() is None
    closed = store.encounter(each.encounter)
    assert closed is not None
    assert closed.closed_ms == 3
    assert store.encounters_of(each.patient) == [closed]


def test_a_visit_closes_once(store: Store, visit: Visits) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        each.close(tx)
    with pytest.raises(StoreRefused) as refused:
        append(store, Kind.ENCOUNTER_CLOSED, {Field.ENCOUNTER: each.encounter})
    assert refused.value.stable_code == "encounter-not-open"


def test_an_encounter_needs_its_patient(store: Store) -> None:
    with pytest.raises(StoreRefused):
        append(store, Kind.ENCOUNTER_OPENED, {Field.ENCOUNTER: bytes(16), Field.PATIENT: bytes(16)})


def test_everything_of_an_observation_comes_back(store: Store) -> None:
    seq = append(
        store,
        Kind.OBSERVATION,
        {
            Field.CODE: "spo2",
            Field.MISSING: "sensor-off",
            Field.SOURCE: int(Source.SIMULATED),
            Field.DEVICE: "oximeter-1",
            Field.DEVICE_RECORD: b"12345678",
            Field.DEVICE_TIME: "2026-03-14T09:05:30",
            Field.READING: 7,
            Field.FLAGS: ["low-signal", "searching"],
            Field.CONFIRMED: "spo2-low",
            Field.OPERATOR: "amina",
            Field.WALL_MS: 17,
            Field.SUPERSEDES: [b"epoch-01", 3],
        },
    )
    [observation] = store.tray()
    assert observation.entry.seq == seq
    assert (observation.value, observation.missing) == (None, MissingReason.SENSOR_OFF)
    assert observation.source is Source.SIMULATED
    assert (observation.device, observation.device_record) == ("oximeter-1", b"12345678")
    assert (observation.device_time, observation.reading) == ("2026-03-14T09:05:30", 7)
    assert observation.flags == ("low-signal", "searching")
    assert (observation.confirmed, observation.operator, observation.wall_ms) == ("spo2-low", "amina", 17)
    assert observation.supersedes == (b"epoch-01", 3)
    assert (observation.encounter, observation.patient) == (None, None)
    assert store.has_device_record(b"12345678", "spo2")
    assert not store.has_device_record(b"12345678", "pulse.spo2")


@pytest.mark.parametrize(
    ("mantissa", "exponent", "value"),
    [(0, 0, "0"), (97, 0, "97"), (3650, -2, "36.50"), (12, 1, "120"), (-5, -1, "-0.5"), (0, -1, "0.0")],
)
def test_a_number_is_stored_as_it_was_sent(store: Store, mantissa: int, exponent: int, value: str) -> None:
    append(store, Kind.OBSERVATION, {Field.CODE: "temp", Field.VALUE: [mantissa, exponent]})
    [observation] = store.tray()
    assert observation.value == Decimal(value)
    assert str(observation.value) == value


@pytest.mark.parametrize("extra", [{}, {Field.VALUE: [1, 0], Field.MISSING: "invalid"}])
def test_a_value_and_a_reason_for_none_exclude_each_other(store: Store, extra: Payload) -> None:
    with pytest.raises(StoreRefused):
        append(store, Kind.OBSERVATION, {Field.CODE: "temp", **extra})


def test_readings_of_the_tray_are_assigned_once(store: Store, visit: Visits) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
        each.open(tx)
    first, second = (
        append(store, Kind.OBSERVATION, {Field.CODE: "spo2", Field.VALUE: [n, 0]}) for n in (97, 98)
    )
    assign: Payload = {Field.ENCOUNTER: each.encounter, Field.PATIENT: each.patient, Field.ASSIGNED: [first]}
    append(store, Kind.ASSIGNMENT, assign)
    [assigned] = store.observations(each.encounter)
    assert (assigned.entry.seq, assigned.patient) == (first, each.patient)
    assert [left.entry.seq for left in store.tray()] == [second]
    for wrong in ([first], [second, first], [999], [1]):
        with pytest.raises(StoreRefused) as refused:
            append(store, Kind.ASSIGNMENT, {**assign, Field.ASSIGNED: wrong})
        assert refused.value.stable_code == "not-in-tray"
    assert [left.entry.seq for left in store.tray()] == [second]


def test_a_correction_is_an_observation_that_names_the_one_it_replaces(store: Store, visit: Visits) -> None:
    each = visit()

    def correct(tx: Transaction) -> None:
        payload: Payload = {
            Field.ENCOUNTER: each.encounter,
            Field.CODE: "temp",
            Field.VALUE: [371, -1],
            Field.SUPERSEDES: [store.epoch, 4],
        }
        tx.append(Stream.VITALS, Kind.CORRECTION, payload, patient=each.patient)

    with store.write() as tx:
        each.register(tx)
        each.open(tx)
        each.observe(tx)
        correct(tx)
    wrong, right = store.observations(each.encounter)
    assert (wrong.entry.seq, wrong.supersedes) == (4, None)
    assert right.supersedes == (store.epoch, 4)


def test_alerts_come_back_newest_first(store: Store) -> None:
    for code in ("first", "second"):
        append(store, Kind.ALERT, {Field.ALERT_CODE: code, Field.ALERT_TEXT: "…"}, Stream.ALERT)
    assert [(alert.code, alert.entry.seq) for alert in store.alerts()] == [("second", 3), ("first", 2)]


def test_a_patients_last_entries_are_known(store: Store, visit: Visits) -> None:
    each = visit()
    with store.write() as tx:
        each.register(tx)
        tx.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: "help"}, patient=each.patient)
        each.open(tx)
    found = store.patient(each.patient)
    assert found is not None
    assert found.tips == {Stream.VITALS: 3, Stream.ALERT: 2}
