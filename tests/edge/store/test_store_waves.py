"""Samples stand beside their entries: kept together, read back checked, missed when they are gone."""

import array
import hashlib
import zlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Payload, Source, Stream
from edge.signals import wavecodec
from edge.signals.recording import Gap, Marked
from edge.store import Damage, Store, StoreDamaged, StoreRefused, Transaction
from edge.vitals.reading import Flaw

WAVEFORM = b"w" * 16
ANOTHERS = """
    UPDATE waveform_chunks AS two SET data = one.data, hash = one.hash FROM waveform_chunks AS one
    WHERE one.number = 1 AND two.number = 2
"""
SAMPLES = ([3, 1, -4, 1, -5], [9, 2, 6, -5, 3])


@pytest.fixture
def patient(store: Store, visit: Callable[[], Any]) -> Any:  # noqa: ANN401  a Visit
    made = visit()
    with store.write() as tx:
        made.register(tx)
        made.open(tx)
    return made


def begin(tx: Transaction, visit: Any, waveform: bytes = WAVEFORM) -> None:  # noqa: ANN401  a Visit
    payload: Payload = {
        Field.WAVEFORM: waveform,
        Field.ENCOUNTER: visit.encounter,
        Field.CODE: "ecg",
        Field.DEVICE: "strap-1",
        Field.SOURCE: int(Source.SIMULATED),
        Field.LEADS: ["I", "II"],
        Field.WAVE_UNIT: "uV",
        Field.STEP: [25, -1],
        Field.RATE: [500, 0],
        Field.WALL_MS: 77,
    }
    tx.append(Stream.WAVE, Kind.WAVEFORM, payload, patient=visit.patient)


def facts(data: bytes, number: int, samples: int = 5, **more: object) -> Payload:
    payload: Payload = {
        Field.WAVEFORM: WAVEFORM,
        Field.CHUNK: number,
        Field.SAMPLES: samples,
        Field.HASH: hashlib.sha256(data).digest(),
        Field.SIZE: len(data),
        Field.FIRST_MS: 1000 * number,
    }
    payload |= {Field[name.upper()]: value for name, value in more.items()}  # type: ignore[misc]  # any
    return payload


def add(
    tx: Transaction,
    visit: Any,  # noqa: ANN401  a Visit
    number: int,
    leads: Sequence[Sequence[int]] = SAMPLES,
    **more: object,
) -> Entry:
    data = wavecodec.encode(leads)
    entry = tx.append(
        Stream.WAVE, Kind.WAVE_CHUNK, facts(data, number, len(leads[0]), **more), patient=visit.patient
    )
    tx.keep_samples(entry, data)
    return entry


def record(store: Store, visit: Any, chunks: int = 3) -> None:  # noqa: ANN401  a Visit
    with store.write() as tx:
        begin(tx, visit)
        add(tx, visit, 1)
    for number in range(2, chunks + 1):
        with store.write() as tx:
            add(tx, visit, number)


def end(store: Store, visit: Any, count: int, how: str = "whole") -> None:  # noqa: ANN401  a Visit
    with store.write() as tx:
        payload: Payload = {Field.WAVEFORM: WAVEFORM, Field.COUNT: count, Field.ENDED: how}
        tx.append(Stream.WAVE, Kind.WAVEFORM_ENDED, payload, patient=visit.patient)


def test_a_waveform_comes_back_as_it_was_recorded(store: Store, patient: Any) -> None:  # noqa: ANN401
    record(store, patient, chunks=1)
    with store.write() as tx:
        add(
            tx,
            patient,
            2,
            gaps=[[2, 350]],
            flaws=[[1, "lead-off", 0, 3], [0, "saturated", 4, 1]],
            rate_found=[[49998000, -5], [1200, -5]],
        )
    [found] = store.waveforms_of(patient.encounter)
    assert found == store.waveform(WAVEFORM)
    assert (found.code, found.device, found.source) == ("ecg", "strap-1", Source.SIMULATED)
    assert (found.leads, found.unit, found.step, found.rate) == (
        ("I", "II"),
        "uV",
        Decimal("2.5"),
        Decimal(500),
    )
    assert (found.encounter, found.patient, found.wall_ms) == (patient.encounter, patient.patient, 77)
    assert (found.chunks, found.samples, found.ended) == (2, 10, None)
    assert found.rate_found == (Decimal("499.98000"), Decimal("0.01200"))
    first, second = store.waveform_chunks(WAVEFORM, 1, 9)
    assert [list(lead) for lead in first.decoded()] == [list(lead) for lead in SAMPLES]
    assert (first.gaps, first.flaws, first.first_ms) == ((), (), 1000)
    assert second.gaps == (Gap(2, 350),)
    assert second.flaws == (Marked(1, Flaw.LEAD_OFF, 0, 3), Marked(0, Flaw.SATURATED, 4, 1))
    assert [second] == store.waveform_chunks(WAVEFORM, 2)
    assert store.waveform_chunks(WAVEFORM, 3) == []
    assert store.verify().valid


def test_codec_and_checksum_stand_beside_the_samples(store: Store, patient: Any) -> None:  # noqa: ANN401
    record(store, patient, chunks=1)
    raw = b"".join(array.array("b", lead).tobytes() for lead in SAMPLES)  # they fit into a byte each
    [row] = store._rows("SELECT codec, crc32 FROM waveform_chunks")
    assert row == (1, zlib.crc32(raw))


def test_entries_hold_no_sample(store: Store, patient: Any) -> None:  # noqa: ANN401
    record(store, patient, chunks=1)
    [chunk] = store.waveform_chunks(WAVEFORM)
    for entry in store.entries(Stream.WAVE, 1, 9):
        assert entry.payload is not None
        assert chunk.data[-8:] not in entry.payload


def test_chunks_follow_one_another(store: Store, patient: Any) -> None:  # noqa: ANN401
    record(store, patient, chunks=2)
    for number in (1, 2, 4):
        with pytest.raises(StoreRefused), store.write() as tx:
            add(tx, patient, number)
    end(store, patient, 2)
    with pytest.raises(StoreRefused), store.write() as tx:
        add(tx, patient, 3)
    assert store.verify().valid


def test_an_end_counts_the_chunks(store: Store, patient: Any) -> None:  # noqa: ANN401
    record(store, patient, chunks=3)
    assert [each.waveform for each in store.waveforms_not_ended()] == [WAVEFORM]
    with pytest.raises(StoreRefused):
        end(store, patient, 2)
    end(store, patient, 3, "interrupted")
    assert store.waveforms_not_ended() == []
    [found] = store.waveforms_of(patient.encounter)
    assert found.ended == "interrupted"
    with pytest.raises(StoreRefused):
        end(store, patient, 3)


def test_samples_that_are_not_those_of_the_entry_are_not_kept(store: Store, patient: Any) -> None:  # noqa: ANN401
    data, others = wavecodec.encode(SAMPLES), wavecodec.encode([[1, 2, 3, 4, 5]])

    def keep(*kept: bytes) -> None:
        with store.write() as tx:
            begin(tx, patient)
            entry = tx.append(Stream.WAVE, Kind.WAVE_CHUNK, facts(data, 1), patient=patient.patient)
            for each in kept:
                tx.keep_samples(entry, each)

    for wrong in ([others], [data, data], [data, others]):
        with pytest.raises(StoreRefused):
            keep(*wrong)
        assert store.waveform(WAVEFORM) is None
    keep(data)
    assert store.waveform(WAVEFORM) is not None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE waveform_chunks SET data = CAST(x'00' || substr(data, 2) AS BLOB) WHERE number = 2",
        "UPDATE waveform_chunks SET data = substr(data, 1, length(data) - 1) WHERE number = 2",
        "UPDATE waveform_chunks SET data = NULL WHERE number = 2",
        ANOTHERS,
        "DELETE FROM waveform_chunks WHERE number = 2",
    ],
    ids=["changed", "cut", "gone", "another's", "row gone"],
)
def test_changed_samples_are_found_by_a_walk(store: Store, patient: Any, statement: str) -> None:  # noqa: ANN401
    with store.write() as tx:
        begin(tx, patient)
        add(tx, patient, 1, [[7, 7, 7, 7, 7]])
        add(tx, patient, 2)
        add(tx, patient, 3)
    store._connection.execute(statement)
    found = store.verify()
    assert (found.first_bad, found.damage) == ((Stream.WAVE, 4), Damage.SAMPLES)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE waveform_chunks SET data = CAST(x'00' || substr(data, 2) AS BLOB)",
        "UPDATE waveform_chunks SET data = NULL",
        "UPDATE waveform_chunks SET crc32 = crc32 + 1",
        "UPDATE waveform_chunks SET samples = samples + 1",
    ],
    ids=["changed", "gone", "checksum", "count"],
)
def test_changed_samples_are_not_given_out(store: Store, patient: Any, statement: str) -> None:  # noqa: ANN401
    record(store, patient, chunks=1)
    store._connection.execute(statement)
    with pytest.raises(StoreDamaged) as caught:
        store.waveform_chunks(WAVEFORM)
    assert caught.value.stable_code == "wave-damaged"
