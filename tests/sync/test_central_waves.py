"""Waves come with their samples, or are not received: rows, blobs, and a recording as a file."""

import hashlib
import uuid
from pathlib import Path

import pytest

from edge.records.fields import Field, Kind, Payload, Stream
from edge.signals import wavecodec
from sync.central import beside, erasing, waves
from sync.central.waves import WaveMissing
from sync.wire import batches
from tests.sync.central_world import Centre, Unit, make_centre, seal_as

ONE, TWO, THREE = range(1300), range(1300, 2600), range(2600, 3000)
WAVE = Stream.WAVE


@pytest.fixture
def centre(tmp_path: Path) -> Centre:
    return make_centre(tmp_path)


@pytest.fixture
def unit(centre: Centre) -> Unit:
    return centre.unit()


def vitals(unit: Unit) -> list[object]:
    return [unit.key_message(), unit.batch(Stream.VITALS, 1, len(unit.journal[Stream.VITALS]))]


def all_waves(unit: Unit) -> object:
    return unit.batch(WAVE, 1, len(unit.journal[WAVE]))


def opened(centre: Centre) -> int:
    """How far the wave stream is received."""
    said = centre.last("opened").streams.get(WAVE)
    return 0 if said is None else said.through


def take(centre: Centre, *messages: object) -> None:
    centre.take(*messages)  # type: ignore[arg-type]  # messages are what Unit gives


def test_a_recording_comes_whole_and_can_be_taken_out(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    waveform = unit.recording(patient, ONE, TWO, THREE)
    take(centre, *vitals(unit), all_waves(unit))
    assert opened(centre) == len(unit.journal[WAVE])
    [found] = waves.recordings(centre.home)
    assert (found.waveform, found.patient, found.unit) == (waveform.hex(), patient.hex(), "van-07")
    assert (found.chunks, found.expected, found.missing, found.samples) == (3, 3, (), 3000)
    assert (found.complete, found.ended, found.step, found.rate) == (True, "whole", "2.5", "130")
    out = waves.export(centre.home, str(uuid.UUID(bytes=waveform)))
    assert [each["number"] for each in out["data"]] == [1, 2, 3]
    assert [sample for each in out["data"] for sample in each["samples"][0]] == list(range(3000))
    assert out["data"][0]["gaps"] == [[0, 40]]
    assert out["data"][0]["flaws"] == [[0, "lead-off", 0, 1]]
    assert (out["data"][0]["rate_found"], out["data"][0]["rate_uncertainty"]) == ("130.012", "0.002")


def test_a_chunk_is_not_opened_without_its_samples(centre: Centre, unit: Unit) -> None:
    unit.recording(unit.visit(), ONE)
    take(centre, *vitals(unit), seal_as(unit, WAVE, unit.journal[WAVE]))
    assert opened(centre) == 0
    assert [(nack.stream, nack.reason) for nack in centre.last("opened").nacks] == [(WAVE, "decode")]
    assert centre.value("SELECT count(*) FROM wave_chunks") == 0
    take(centre, all_waves(unit))
    assert opened(centre) == len(unit.journal[WAVE])


def test_other_samples_than_were_signed_are_not_opened(centre: Centre, unit: Unit) -> None:
    unit.recording(unit.visit(), ONE, TWO)
    good = dict(unit.beside)
    places = sorted(good)
    unit.beside[places[0]], unit.beside[places[1]] = good[places[1]], good[places[0]]
    take(centre, *vitals(unit), all_waves(unit))
    unit.beside = {**good, places[1]: b""}
    take(centre, all_waves(unit))
    assert opened(centre) == 0
    assert centre.value("SELECT count(*) FROM blobs") == 0
    unit.beside = good
    take(centre, all_waves(unit))
    assert opened(centre) == len(unit.journal[WAVE])


def test_chunks_come_in_any_order_and_what_is_missing_is_named(centre: Centre, unit: Unit) -> None:
    waveform = unit.recording(unit.visit(), ONE, TWO, THREE)
    take(centre, *vitals(unit), unit.batch(WAVE, 1, 3), unit.batch(WAVE, 5, 6))
    [found] = waves.recordings(centre.home)
    assert (found.chunks, found.expected, found.complete) == (1, None, False)
    assert opened(centre) == 3
    centre.restart()
    take(centre, unit.batch(WAVE, 4, 5))
    [found] = waves.recordings(centre.home)
    assert (found.chunks, found.expected, found.complete) == (3, 3, True)
    assert len(waves.export(centre.home, waveform.hex())["data"]) == 3


def test_samples_wait_for_their_patient(centre: Centre, unit: Unit) -> None:
    unit.recording(unit.visit(), ONE)
    take(centre, unit.key_message(), all_waves(unit))
    assert (opened(centre), centre.value("SELECT count(*) FROM blobs")) == (0, 0)
    take(centre, *vitals(unit))
    assert opened(centre) == len(unit.journal[WAVE])
    assert centre.value("SELECT count(*) FROM blobs") == 1


def test_a_unit_that_has_samples_no_more_may_say_so_and_it_is_told(centre: Centre, unit: Unit) -> None:
    waveform = unit.recording(unit.visit(), ONE, TWO)
    place = (WAVE, 3)
    kept = unit.beside[place]
    unit.beside[place] = None
    take(centre, *vitals(unit), all_waves(unit))
    assert opened(centre) == len(unit.journal[WAVE])
    assert centre.rows("SELECT code, unit, detail FROM alarms") == [
        (beside.GONE, "van-07", f"wave 3 of epoch {unit.epoch_hex}")
    ]
    [found] = waves.recordings(centre.home)
    assert (found.chunks, found.expected, found.missing, found.complete) == (1, 2, (1,), False)
    assert [each["number"] for each in waves.export(centre.home, waveform.hex())["data"]] == [2]
    unit.beside[place] = kept


def test_what_is_here_already_needs_no_second_coming(centre: Centre, unit: Unit) -> None:
    """Two chunks of one patient with equal samples are one blob, and one that is gone is there by it."""
    unit.recording(unit.visit(), ONE, ONE)
    unit.beside[WAVE, 4] = None
    take(centre, *vitals(unit), all_waves(unit))
    assert centre.value("SELECT count(*) FROM blobs") == 1
    assert centre.rows("SELECT code FROM alarms") == []
    [found] = waves.recordings(centre.home)
    assert found.complete


def test_who_is_erased_leaves_no_samples_and_nobody_else_loses_any(centre: Centre, unit: Unit) -> None:
    one, other = unit.visit("Alaoui"), unit.visit("Tazi")
    unit.recording(one, ONE, TWO)
    stays = unit.recording(other, ONE, TWO)
    take(centre, *vitals(unit), all_waves(unit))
    assert centre.value("SELECT count(*) FROM blobs") == 4
    erasing.order(
        centre.home,
        uuid.UUID(bytes=one),
        "asked in writing",
        by=("hakim", "leila"),
        key_files=(centre.home.records_keys[0], centre.home.records_keys[1]),
        clock=centre.clock,
    )
    [found] = waves.recordings(centre.home)
    assert (found.waveform, found.complete) == (stays.hex(), True)
    assert centre.rows("SELECT DISTINCT patient FROM blobs") == [(other.hex(),)]


def test_samples_that_the_disk_has_changed_are_named_and_not_given_out(centre: Centre, unit: Unit) -> None:
    waveform = unit.recording(unit.visit(), ONE)
    take(centre, *vitals(unit), all_waves(unit))
    for data in (bytes(50), wavecodec.encode([[sample + 1 for sample in ONE]])):
        centre.connection.execute("UPDATE blobs SET data = ?", (data,))
        with pytest.raises(WaveMissing) as refused:
            waves.export(centre.home, waveform.hex())
        assert refused.value.stable_code == "wave-damaged"
    with pytest.raises(WaveMissing) as unknown:
        waves.export(centre.home, "x")
    assert unknown.value.stable_code == "wave-unknown"


def test_only_a_batch_with_bytes_has_another_schema(unit: Unit) -> None:
    unit.recording(unit.visit(), ONE)
    assert [batches.read_header(unit.batch(WAVE, *span).payload).schema for span in ((1, 2), (2, 3))] == [
        1,
        2,
    ]


def test_an_entry_whose_hash_is_none_is_refused(centre: Centre, unit: Unit) -> None:
    unit.recording(unit.visit(), ONE)
    wrong: tuple[Payload, ...] = (
        {Field.HASH: b"short", Field.SIZE: 4},
        {Field.HASH: bytes(32), Field.SIZE: True},
        {Field.HASH: hashlib.sha256(b"four").digest(), Field.SIZE: 5},
    )
    for payload in wrong:
        entry = unit.append(WAVE, Kind.WAVE_CHUNK, payload)
        unit.beside[WAVE, entry.seq] = b"four"
        take(centre, *vitals(unit), all_waves(unit))
        assert opened(centre) == 0
        unit.journal[WAVE].pop()
        del unit.beside[WAVE, entry.seq]


def test_a_preview_comes_with_the_vitals_before_anything_of_the_wave(centre: Centre, unit: Unit) -> None:
    patient = unit.visit()
    waveform = unit.recording(patient, ONE)
    unit.preview(patient, waveform, range(1250))
    take(centre, *vitals(unit))
    [early] = waves.recordings(centre.home, patient=patient.hex())
    assert (early.waveform, early.preview, early.chunks, early.complete) == (waveform.hex(), True, 0, False)
    shown = waves.export(centre.home, waveform.hex())
    assert shown["preview"] == {
        "leads": ["II"], "wave_unit": "uV", "step": "2.5", "rate": "125", "chunk": 1,
        "samples": list(range(1250)),
    }  # fmt: skip
    assert shown["data"] == []
    take(centre, all_waves(unit))
    [late] = waves.recordings(centre.home)
    assert (late.preview, late.chunks, late.complete, late.rate) == (True, 1, True, "130")
    erasing.order(
        centre.home,
        uuid.UUID(bytes=patient),
        "asked in writing",
        by=("hakim", "leila"),
        key_files=(centre.home.records_keys[0], centre.home.records_keys[1]),
        clock=centre.clock,
    )
    assert waves.recordings(centre.home) == []
    assert centre.value("SELECT count(*) FROM wave_previews") == 0
