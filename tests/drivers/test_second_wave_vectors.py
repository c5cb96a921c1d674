"""What bytes of the second wave of devices mean, by vectors; each says where it comes from.

Asked through the registry, as ``devices decode`` is: no vector knows how a codec is built.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.codec import uuids
from drivers.decoding import Chunk
from drivers.registry import KINDS

VECTORS: Final = Path(__file__).parents[1] / "vectors"
FILES: Final[dict[str, dict[str, Any]]] = {
    kind: json.loads((VECTORS / kind.replace("-", "_") / "frames.json").read_text())
    for kind in (
        "berry-bci",
        "creative-pc300",
        "healthypi",
        "omron-hem",
        "viatom-pc60fw",
        "wellue-o2ring",
    )
}
CASES: Final = [
    pytest.param(kind, vector, id=f"{kind}: {vector['name']}")
    for kind, file in FILES.items()
    for vector in file["frames"]
]
STREAMS: Final = [case for case in CASES if case.values[0] != "omron-hem"]
"""An Omron cuff speaks in values, not in a stream."""


def chunks_of(vector: dict[str, Any]) -> list[Chunk]:
    chunks: list[Chunk] = []
    for given in vector["hex"]:
        name, _, digits = given.rpartition("=")
        chunks.append(Chunk(bytes.fromhex(digits), uuids.full(name) if name else None))
    return chunks


def said(kind: str, chunks: list[Chunk]) -> dict[str, Any]:
    answer = KINDS[kind].decode(chunks).as_json(kind)
    readings: list[dict[str, Any]] = []
    for reading in answer["readings"]:
        found: dict[str, Any] = {"values": {}, "missing": {}, "flags": reading["flags"], "at": reading["at"]}
        for value in reading["values"]:
            known = "value" in value
            found["values" if known else "missing"][value["code"]] = value["value" if known else "missing"]
        readings.append(found)
    waves = [
        {name: wave[name] for name in ("code", "lead", "unit", "rate", "samples")} for wave in answer["waves"]
    ]
    refused = [[each["offset"], each["length"], each["code"]] for each in answer["refused"]]
    return {"readings": readings, "waves": waves, "refused": refused}


def expected(vector: dict[str, Any]) -> dict[str, Any]:
    blank: dict[str, Any] = {"values": {}, "missing": {}, "flags": [], "at": None}
    return {
        "readings": [blank | reading for reading in vector["readings"]],
        "waves": vector.get("waves", []),
        "refused": vector.get("refused", []),
    }


def test_every_vector_says_where_it_comes_from() -> None:
    for file in FILES.values():
        assert {vector["source"] for vector in file["frames"]} == set(file["sources"])


@pytest.mark.parametrize(("kind", "vector"), CASES)
def test_bytes_mean(kind: str, vector: dict[str, Any]) -> None:
    assert said(kind, chunks_of(vector)) == expected(vector)


@pytest.mark.parametrize(("kind", "vector"), STREAMS)
def test_a_stream_means_the_same_byte_by_byte(kind: str, vector: dict[str, Any]) -> None:
    pieces: list[Chunk] = []
    for chunk in chunks_of(vector):
        whole = chunk.characteristic is not None  # another characteristic has values, no stream
        pieces += [chunk] if whole else [Chunk(bytes([byte])) for byte in chunk.data]
    assert said(kind, pieces) == expected(vector)


@pytest.mark.parametrize(("kind", "vector"), CASES)
def test_every_truncation_is_refused(kind: str, vector: dict[str, Any]) -> None:
    """Of a single whole frame, whatever is left of it says nothing and is refused to the last byte."""
    chunks = chunks_of(vector)
    stream = b"".join(chunk.data for chunk in chunks)
    if vector.get("refused") or len(chunks) > 1 or chunks[0].characteristic or vector["name"] in MANY:
        pytest.skip("not one whole frame")
    padding = len(stream) - len(stream.rstrip(b"\x00")) if vector["source"] == "answers" else 0
    for length in range(1, len(stream) - padding):
        answer = said(kind, [Chunk(stream[:length])])
        assert answer["readings"] == answer["waves"] == []
        if stream.strip(b"\xff"):  # of a slot that was never written, any part is one
            assert sum(size for _, size, _ in answer["refused"]) == length


MANY: Final = frozenset(
    {
        "a weak signal, and one that is not known",
        "pleth of 0 is no sample",
        "pleth of a probe that is off is none",
        "a packet of ECG lost",
        "the numbers go around",
        "a byte lost inside: not one number of it",
    }
)
"""Vectors of several frames: cut anywhere, those before the cut still count."""


@pytest.mark.parametrize("kind", ["creative-pc300", "viatom-pc60fw", "wellue-o2ring"])
def test_every_single_bit_of_a_frame_with_a_checksum_counts(kind: str) -> None:
    for vector in FILES[kind]["frames"]:
        chunks = chunks_of(vector)
        raw = b"".join(chunk.data for chunk in chunks)
        if vector.get("refused") or vector["name"] in MANY or raw[:2] == b"\x03\x00" or len(chunks) > 1:
            continue
        for place in range(len(raw) * 8):
            broken = bytearray(raw)
            broken[place // 8] ^= 1 << place % 8
            answer = said(kind, [Chunk(bytes(broken))])
            assert answer["readings"] == answer["waves"] == []
            assert answer["refused"]


def test_no_byte_but_the_numbers_of_a_healthypi_is_told() -> None:
    """Its constants, its end, whatever they hold: there is never a pressure."""
    for vector in FILES["healthypi"]["frames"]:
        for reading in KINDS["healthypi"].decode(chunks_of(vector)).readings:
            assert {code.value for code, _ in reading.values} <= {"hr", "rr", "spo2", "temp"}
