"""What packets of Contec oximeters mean, by vectors; each says where it comes from."""

import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.codec.framing import Frame, Framer, Garbage
from drivers.decoding import Chunk
from drivers.devices.contec_cms50.codec import Command, Contec, command, decode, unstuff
from drivers.devices.contec_cms50.display import decode_chunks
from edge.vitals.quantity import Missing, Unit

VECTORS: Final[dict[str, list[dict[str, Any]]]] = tomllib.loads(
    (Path(__file__).parents[1] / "vectors/contec_cms50/packets.toml").read_text()
)
PACKETS: Final = VECTORS["packet"]
REPORTS: Final = [packet for packet in PACKETS if "pleth" in packet]


def _name(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def test_every_vector_says_where_it_comes_from() -> None:
    for vector in (*PACKETS, *VECTORS["command"], *VECTORS["stream"]):
        assert vector["source"] in {"own", "capture", "vendor"}


@pytest.mark.parametrize("vector", REPORTS, ids=_name)
def test_a_packet_means(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    decoded = decode_chunks([Chunk(raw)])
    (reading,) = decoded.readings
    values = {code.value: said for code, said in reading.values}
    assert {code: str(said.value) for code, said in values.items() if not isinstance(said, Missing)} == (
        vector.get("values", {})
    )
    assert {code: said.why.value for code, said in values.items() if isinstance(said, Missing)} == (
        vector.get("missing", {})
    )
    assert list(reading.flags) == vector.get("flags", [])
    assert reading.raw == raw
    said = [(list(wave.samples), wave.unit, str(wave.rate)) for wave in decoded.waves]
    off = vector.get("missing", {}).get("spo2") in {"sensor-off", "probe-error"}
    assert said == ([] if off else [([vector["pleth"]], Unit.NONE, "60")]), "no finger, no pleth"
    assert decoded.refused == ()


def test_the_five_byte_generation_says_nothing_of_perfusion() -> None:
    (reading,) = decode_chunks([Chunk(bytes.fromhex("8635064A61"))]).readings
    assert [code.value for code, _ in reading.values] == ["spo2", "pulse.spo2"]


@pytest.mark.parametrize("vector", [p for p in PACKETS if "payload" in p], ids=_name)
def test_a_packet_without_real_time_data_is_a_stored_reading_or_none_at_all(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    assert unstuff(raw) == bytes.fromhex(vector["payload"])
    decoded = decode_chunks([Chunk(raw)])
    told = [
        [said.why.value if isinstance(said, Missing) else str(said.value) for _, said in reading.values]
        for reading in decoded.readings
    ]
    assert (told, decoded.refused, decoded.waves) == (vector.get("stored", []), (), ())
    assert all(reading.stored and reading.at is None for reading in decoded.readings)


@pytest.mark.parametrize("vector", VECTORS["command"], ids=_name)
def test_a_command_is_written(vector: dict[str, Any]) -> None:
    assert command(Command(vector["command"]), *vector["parameters"]) == bytes.fromhex(vector["hex"])


def test_a_command_with_more_than_byte_1_can_keep_is_refused() -> None:
    with pytest.raises(ValueError, match="seven"):
        command(Command.SET_DATE, 1, 2, 3, 4, 5, 6, 7)


@pytest.mark.parametrize("vector", VECTORS["stream"], ids=_name)
def test_a_stream_means(vector: dict[str, Any]) -> None:
    decoded = decode_chunks([Chunk(bytes.fromhex(vector["hex"]))])
    assert [list(wave.samples) for wave in decoded.waves] == [vector["samples"]]
    assert len(decoded.readings) == len(vector["samples"])
    assert [[r.offset, r.length, r.code] for r in decoded.refused] == vector["refused"]


@pytest.mark.parametrize("vector", PACKETS, ids=_name)
def test_every_truncation_is_refused_whole_as_too_short(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    for length in range(1, len(raw)):
        framer = Framer(Contec())
        events = [*framer.feed(raw[:length]), *framer.finish()]
        assert events == [Garbage(raw[:length], "frame-too-short")]


@pytest.mark.parametrize("vector", REPORTS, ids=_name)
def test_a_bit_7_where_none_belongs_is_no_packet(vector: dict[str, Any]) -> None:
    raw = bytes.fromhex(vector["hex"])
    for place in range(len(raw)):
        broken = bytearray(raw)
        broken[place] ^= 0x80
        framer = Framer(Contec())
        events = [*framer.feed(bytes(broken)), *framer.finish()]
        reports = [decode(event) for event in events if isinstance(event, Frame)]
        assert not [report for report in reports if report is not None]
