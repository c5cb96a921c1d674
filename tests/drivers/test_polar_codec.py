"""What values of a Polar H10 mean, by vectors; each says where it comes from."""

import itertools
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.codec import uuids
from drivers.codec.heart_rate import HeartRate, decode_heart_rate, encode_heart_rate
from drivers.decoding import Chunk
from drivers.devices.polar_h10.codec import (
    Answer,
    EcgFrame,
    Response,
    Setting,
    decode_ecg,
    decode_response,
    decode_settings,
    encode_ecg,
    encode_response,
    encode_settings,
    has_ecg,
    start,
)
from drivers.devices.polar_h10.control import TRANSITIONS, Control, Event, State, choose
from drivers.devices.polar_h10.readings import LEAD, decode_chunks
from edge.ports.driver import DeviceMisbehaved
from edge.vitals.codes import Code
from edge.vitals.quantity import Missing, Unit
from edge.vitals.reading import Mode

VECTORS: Final[dict[str, list[dict[str, Any]]]] = tomllib.loads(
    (Path(__file__).parents[1] / "vectors/polar_h10/values.toml").read_text()
)
SETTINGS: Final = bytes.fromhex("F0 01 00 00 00 00 01 82 00 01 01 0E 00")
STARTED: Final = bytes.fromhex("F0 02 00 00 00")


def _name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def test_every_vector_says_where_it_comes_from() -> None:
    for vector in itertools.chain.from_iterable(VECTORS.values()):
        assert vector["source"] in {"own", "devices"}


@pytest.mark.parametrize("vector", VECTORS["heart_rate"], ids=_name)
def test_a_heart_rate_means(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    (reading,) = decode_chunks([Chunk(raw, uuids.HEART_RATE_MEASUREMENT)]).readings
    ((code, said),) = reading.values
    assert code is Code.HEART_RATE
    assert ({} if isinstance(said, Missing) else {"hr": str(said.value)}) == vector.get("values", {})
    assert ({"hr": said.why.value} if isinstance(said, Missing) else {}) == vector.get("missing", {})
    assert [format(each, "f") for each in reading.intervals_ms] == vector.get("intervals_ms", [])
    assert list(reading.flags) == vector.get("flags", [])
    assert (reading.mode, reading.raw) == (Mode.CONTINUOUS, raw)


@pytest.mark.parametrize("vector", VECTORS["ecg"], ids=_name)
def test_frames_make_stretches_of_ecg(vector: dict[str, Any]) -> None:
    decoded = decode_chunks([Chunk(bytes.fromhex(frame)) for frame in vector["hex"]])
    assert [
        {"rate": str(wave.rate), "gap": wave.gap, "samples": list(wave.samples)} for wave in decoded.waves
    ] == vector["waves"]
    assert {(wave.code, wave.lead, wave.unit) for wave in decoded.waves} == {(Code.ECG, LEAD, Unit.MICROVOLT)}
    assert (decoded.readings, decoded.refused) == ((), ())


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=_name)
def test_a_value_is_refused_whole(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    characteristic = uuids.full(vector["characteristic"]) if "characteristic" in vector else None
    decoded = decode_chunks([Chunk(raw, characteristic)])
    assert (decoded.readings, decoded.waves) == ((), ())
    (refused,) = decoded.refused
    assert (refused.offset, refused.length, refused.code) == (0, len(raw), vector["code"])


@pytest.mark.parametrize("vector", VECTORS["heart_rate"], ids=_name)
def test_every_truncation_of_a_heart_rate_is_refused_or_says_less(vector: dict[str, Any]) -> None:
    """The list of intervals has no length of its own, so it may end after any whole one."""
    raw = bytes.fromhex(vector["hex"])
    whole = decode_heart_rate(raw)
    fixed = len(raw) - 2 * len(whole.intervals) - len(whole.extra)
    for length in range(len(raw) - len(whole.extra)):
        if length >= fixed and (length - fixed) % 2 == 0:
            assert decode_heart_rate(raw[:length]).intervals == whole.intervals[: (length - fixed) // 2]
            continue
        with pytest.raises(DeviceMisbehaved) as refused:
            decode_heart_rate(raw[:length])
        assert refused.value.stable_code in {"frame-too-short", "partial-interval"}


def test_every_truncation_of_a_frame_is_refused_or_has_fewer_samples() -> None:
    raw = encode_ecg(EcgFrame(1, (1, 2, 3)))
    for length in range(len(raw)):
        if length > 10 and (length - 10) % 3 == 0:
            assert len(decode_ecg(raw[:length]).microvolts) == (length - 10) // 3
            continue
        with pytest.raises(DeviceMisbehaved):
            decode_ecg(raw[:length])


frames = st.builds(
    EcgFrame,
    st.integers(0, 2**64 - 1),
    st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=80).map(tuple),
)


@given(frames)
def test_whatever_a_strap_can_measure_is_understood(frame: EcgFrame) -> None:
    assert decode_ecg(encode_ecg(frame)) == frame


@given(st.binary(max_size=40))
def test_whatever_frame_is_accepted_comes_back_byte_for_byte(raw: bytes) -> None:
    try:
        frame = decode_ecg(raw)
    except DeviceMisbehaved:
        return
    assert encode_ecg(frame) == raw


@given(st.binary(max_size=30))
def test_whatever_heart_rate_is_accepted_comes_back_byte_for_byte(raw: bytes) -> None:
    try:
        said = decode_heart_rate(raw)
    except DeviceMisbehaved:
        return
    assert encode_heart_rate(said) == raw


@given(st.lists(frames, max_size=12))
def test_samples_are_neither_lost_nor_made_up(sent: list[EcgFrame]) -> None:
    once = [frame for frame, _ in itertools.groupby(sent)]
    waves = decode_chunks([Chunk(encode_ecg(frame)) for frame in sent]).waves
    assert [sample for wave in waves for sample in wave.samples] == [
        sample for frame in once for sample in frame.microvolts
    ]


def test_the_contact_is_known_only_where_it_is_supported() -> None:
    assert [HeartRate(flags, 60).contact for flags in (0, 2, 4, 6)] == [None, None, False, True]


# ── Control point ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("vector", VECTORS["response"], ids=_name)
def test_an_answer_means(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    response = decode_response(raw)
    assert (response.operation, response.type, response.error) == (vector["operation"], 0, vector["error"])
    assert response.parameters == bytes.fromhex(vector["parameters"])
    assert encode_response(response)[: len(raw)] == raw
    assert decode_chunks([Chunk(raw, uuids.POLAR_CONTROL_POINT)]).refused == ()


def test_every_truncation_of_an_answer_is_refused() -> None:
    for length in range(4):
        with pytest.raises(DeviceMisbehaved):
            decode_response(SETTINGS[:length])
    parameters = SETTINGS[5:]
    for length in range(1, len(parameters)):
        if length == 4:  # a whole setting
            continue
        with pytest.raises(DeviceMisbehaved):
            decode_settings(parameters[:length])


def test_settings_and_the_command_that_follows_from_them() -> None:
    settings = decode_settings(SETTINGS[5:])
    assert settings == {Setting.RATE: (130,), Setting.RESOLUTION: (14,)}
    assert encode_settings(settings) == SETTINGS[5:]
    assert start(choose(settings)) == bytes.fromhex("02 00 00 01 82 00 01 01 0E 00")
    assert start(choose({})) == start(choose(settings))
    assert choose({Setting.RATE: (65, 130), Setting.RANGE: (2, 4)}) == {Setting.RATE: 130, Setting.RANGE: 2}
    assert choose({Setting.RATE: (250,)}) == {Setting.RATE: 250}
    with pytest.raises(DeviceMisbehaved):
        choose({Setting.RATE: ()})


def test_a_setting_of_unknown_size_ends_the_list() -> None:
    assert decode_settings(bytes.fromhex("00 01 82 00 77 01 02 03")) == {Setting.RATE: (130,)}


def test_what_it_measures() -> None:
    assert has_ecg(bytes.fromhex("0F 05 00"))
    assert not has_ecg(bytes.fromhex("0F 04 00"))
    for bad in (b"", b"\x0f", b"\xf0\x05"):
        with pytest.raises(DeviceMisbehaved):
            has_ecg(bad)


def test_the_way_to_the_ecg() -> None:
    control = Control()
    assert control.begin() == b"\x01\x00"
    assert control.hear(SETTINGS) == bytes.fromhex("02 00 00 01 82 00 01 01 0E 00")
    assert (control.state, control.waits) == (State.STARTING, True)
    assert control.hear(STARTED) is None
    assert (control.state, control.waits) == (State.STREAMING, False)


EVENTS: Final = {
    Event.DONE: Answer.OK,
    Event.ALREADY: Answer.ALREADY_SO,
    Event.TOO_SMALL: Answer.MTU_TOO_SMALL,
    Event.NOT_NOW: Answer.CHARGING,
    Event.REFUSED: Answer.WRONG_RATE,
}


@pytest.mark.parametrize("event", Event)
@pytest.mark.parametrize("state", State)
def test_every_pair_of_state_and_event(state: State, event: Event) -> None:
    control = Control()
    control.state = state
    operation = 1 if state is State.ASKING else 2
    control.hear(encode_response(Response(operation, 0, EVENTS[event])))
    assert control.state is TRANSITIONS.get((state, event), state)


@pytest.mark.parametrize("error", range(1, 256))
def test_every_error_ends_the_start_or_is_as_good_as_started(error: int) -> None:
    control = Control()
    control.hear(SETTINGS)
    control.hear(encode_response(Response(2, 0, error)))
    expected = {6: State.STREAMING, 0xA: State.TOO_SMALL, 0xC: State.NOT_NOW, 0xD: State.NOT_NOW}
    assert control.state is expected.get(error, State.REFUSED)


@pytest.mark.parametrize("late", ["F0 03 00 00", "F0 02 02 00 00", "F0 02 00 00 00"])
def test_an_answer_to_something_else_changes_nothing(late: str) -> None:
    control = Control()
    assert control.hear(bytes.fromhex(late)) is None
    assert control.state is State.ASKING


def test_off_the_skin_decode_tells_no_ecg() -> None:
    lost, worn = (Chunk(bytes.fromhex(said), uuids.HEART_RATE_MEASUREMENT) for said in ("0448", "0648"))

    def frame(at_ns: int) -> Chunk:
        return Chunk(encode_ecg(EcgFrame(at_ns, (12, -35, 1187))), uuids.POLAR_DATA)

    told = decode_chunks([worn, frame(10**9), lost, frame(2 * 10**9), worn, frame(3 * 10**9)])
    assert [len(wave.samples) for wave in told.waves] == [3, 3]
    assert told.waves[1].gap
    assert told.refused == ()


def test_a_reading_with_intervals_in_the_answer_of_decode() -> None:
    shown = decode_chunks([Chunk(bytes.fromhex("104852034803"), uuids.HEART_RATE_MEASUREMENT)])
    assert shown.as_json("polar-h10")["readings"] == [
        {
            "at": None,
            "values": [{"code": "hr", "value": "72", "unit": "/min"}],
            "flags": [],
            "intervals_ms": ["830.078125", "820.3125"],
        }
    ]
