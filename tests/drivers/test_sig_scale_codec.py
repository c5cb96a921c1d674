"""What values of scales mean, by vectors; each says where it comes from."""

import datetime
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime
from drivers.codec.record_times import Now
from drivers.decoding import Chunk
from drivers.devices.sig_scale.codec import (
    FIELDS,
    Body,
    BodyFlag,
    Weight,
    decode_body,
    decode_weight,
    encode_body,
    encode_weight,
    join,
)
from drivers.devices.sig_scale.readings import decode_chunks, weight
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, MissingReason
from tests.drivers.value_vectors import Vector, load

VECTORS: Final = load("sig_scale")
AT: Final = datetime.datetime(2026, 3, 14, 9, 30)  # noqa: DTZ001  a scale names no zone
MINUTE: Final = datetime.timedelta(minutes=1)
BODY: Final = uuids.BODY_COMPOSITION_MEASUREMENT


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_values_mean(vector: Vector) -> None:
    vector.check(decode_chunks)


@pytest.mark.parametrize(
    "vector", [each for each in VECTORS if not each.refused], ids=lambda vector: vector.name
)
def test_every_truncation_is_refused(vector: Vector) -> None:
    for chunk in vector.given():
        if chunk.characteristic in {uuids.WEIGHT_SCALE_FEATURE, uuids.BODY_COMPOSITION_FEATURE}:
            continue
        said = (decode_body if chunk.characteristic == BODY else decode_weight)(chunk.data)
        for length in range(len(chunk.data) - len(said.extra)):
            decoded = decode_chunks([Chunk(chunk.data[:length], chunk.characteristic)])
            assert decoded.readings == ()
            assert [(one.offset, one.length, one.code) for one in decoded.refused] == [
                (0, length, "frame-too-short")
            ]


_STEPS: Final = st.integers(0, 0xFFFE)
_TIMES: Final = st.none() | st.builds(
    DateTime, st.integers(0, 65535), *[st.integers(0, 255) for _ in range(5)]
)


@given(
    said=st.builds(
        Weight,
        imperial=st.booleans(),
        weight=st.none() | _STEPS,
        time=_TIMES,
        user=st.none() | st.integers(0, 255),
        bmi=_STEPS,
        height=_STEPS,
        extra=st.binary(max_size=5),
    )
)
def test_a_weight_that_is_written_reads_the_same(said: Weight) -> None:
    assert decode_weight(encode_weight(said)) == said


_BODIES: Final = st.builds(
    Body,
    imperial=st.booleans(),
    fat=st.none() | _STEPS,
    time=_TIMES,
    user=st.none() | st.integers(0, 255),
    fields=st.sets(st.sampled_from(FIELDS)).map(
        lambda chosen: tuple((field, 7 * field & 0xFFFF) for field in FIELDS if field in chosen)
    ),
    two_packets=st.booleans(),
    extra=st.binary(max_size=5),
)


@given(said=_BODIES)
def test_a_body_that_is_written_reads_the_same(said: Body) -> None:
    assert decode_body(encode_body(said)) == said


@given(said=_BODIES, cut=st.integers(0, len(FIELDS)))
def test_two_halves_say_what_one_value_says(said: Body, cut: int) -> None:
    first = Body(said.imperial, said.fat, said.time, said.user, said.fields[:cut], two_packets=True)
    second = Body(said.imperial, said.fat, fields=said.fields[cut:], two_packets=True)
    whole = join(decode_body(encode_body(first)), decode_body(encode_body(second)))
    assert (whole.fat, whole.time, whole.user, whole.fields) == (said.fat, said.time, said.user, said.fields)


@given(chunks=st.lists(st.tuples(st.booleans(), st.binary(max_size=32)), max_size=6))
def test_every_byte_is_of_a_reading_or_refused(chunks: list[tuple[bool, bytes]]) -> None:
    given = [Chunk(raw, BODY if body else None) for body, raw in chunks]
    decoded = decode_chunks(given)
    read = sum(len(reading.raw) for reading in decoded.readings)
    assert read + sum(one.length for one in decoded.refused) == sum(len(raw) for _, raw in chunks)
    decoded.as_json("sig-scale")


@given(said=_BODIES)
def test_nothing_computes_a_bmi(said: Body) -> None:
    decoded = decode_chunks([Chunk(encode_body(said), BODY)])
    assert all(code is not Code.BMI for reading in decoded.readings for code, _ in reading.values)
    both = Weight(imperial=False, weight=14_480, bmi=0, height=1645)
    (reading,) = decode_chunks([Chunk(encode_weight(both))]).readings
    assert [code for code, _ in reading.values] == [Code.WEIGHT, Code.HEIGHT]


# ── As it comes from a device ────────────────────────────────────────────────────────────────────


def weighed(at: datetime.datetime | None, steps: int = 14_480) -> bytes:
    return encode_weight(Weight(imperial=True, weight=steps, time=None if at is None else DateTime.of(at)))


@pytest.mark.parametrize(
    ("at", "now", "just_taken"),
    [
        (AT, Now(host=AT), True),
        (AT, Now(device=AT + 2 * MINUTE), True),
        (AT, Now(device=AT + 3 * MINUTE), False),
        (AT, Now(), False),
        (None, Now(), True),
    ],
)
def test_only_what_is_surely_of_now_is_of_now(
    at: datetime.datetime | None, now: Now, just_taken: bool
) -> None:
    reading = weight(weighed(at), now)
    assert (reading.just_taken, reading.stored) == (just_taken, not just_taken)
    assert ("from-memory" in reading.flags) is not just_taken
    assert reading.record == (None if at is None else weighed(at))


def test_what_a_scale_says_of_its_own_user_is_not_of_the_patient_on_it() -> None:
    raw = encode_weight(Weight(imperial=True, weight=18_000, user=1, bmi=282, height=670))
    reading = weight(raw, Now())
    assert [code for code, _ in reading.values] == [Code.WEIGHT]
    assert [code for code, _, _ in reading.converted] == [Code.WEIGHT]


def test_a_weighing_that_failed_is_none_in_a_body_composition_either() -> None:
    (reading,) = decode_chunks(
        [Chunk(bytes.fromhex("0004 FFFF FFFF"), uuids.BODY_COMPOSITION_MEASUREMENT)]
    ).readings
    assert dict(reading.values) == dict.fromkeys((Code.BODY_FAT, Code.WEIGHT), Missing(MissingReason.INVALID))
    assert reading.flags == ("measurement-failed",)


@pytest.mark.parametrize("again", [253, 0, None])
def test_a_second_half_need_not_say_the_body_fat_again(again: int | None) -> None:
    first = Body(imperial=False, fat=253, two_packets=True)
    second = Body(imperial=False, fat=again, fields=((BodyFlag.WEIGHT, 14_480),), two_packets=True)
    assert (join(first, second).fat, join(first, second).said(BodyFlag.WEIGHT)) == (253, 14_480)
    other = Body(imperial=False, fat=252, fields=((BodyFlag.WEIGHT, 14_480),), two_packets=True)
    with pytest.raises(DeviceMisbehaved):
        join(first, other)


def test_halves_that_do_not_belong_together_are_not_joined() -> None:
    half = Body(imperial=False, fat=253, two_packets=True)
    alone = Body(imperial=False, fat=253, fields=((BodyFlag.WEIGHT, 14_480),))
    for first, second in ((half, alone), (alone, half)):
        with pytest.raises(DeviceMisbehaved) as refused:
            join(first, second)
        assert refused.value.stable_code == "not-halves-of-one-record"
