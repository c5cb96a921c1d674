"""What the serial kinds make of bytes, by vectors that say where they come from, as `devices decode` does.

Every vector is also fed byte by byte, and cut after every byte.
"""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.decoding import Chunk
from drivers.registry import KINDS

FOLDER: Final = Path(__file__).parents[1] / "vectors"
FILES: Final = {
    "nonin": "nonin/streams.json",
    "suntech-nibp": "suntech_nibp/answers.json",
    "nmea-gps": "nmea_gps/sentences.json",
}
VECTORS: Final = [
    pytest.param(kind, vector, id=f"{kind}: {vector['name']}")
    for kind, name in FILES.items()
    for vector in json.loads((FOLDER / name).read_text())
]


def decoded(kind: str, *chunks: bytes) -> dict[str, Any]:
    said = KINDS[kind].decode([Chunk(chunk) for chunk in chunks]).as_json(kind)
    assert said.pop("kind") == kind
    return said


def chunks_of(vector: dict[str, Any]) -> list[bytes]:
    return [bytes.fromhex(text) for text in vector["hex"]]


@pytest.mark.parametrize(("kind", "vector"), VECTORS)
def test_bytes_mean(kind: str, vector: dict[str, Any]) -> None:
    assert vector["source"]
    assert decoded(kind, *chunks_of(vector)) == vector["expect"]


@pytest.mark.parametrize(("kind", "vector"), VECTORS)
def test_pieces_of_one_byte_mean_the_same(kind: str, vector: dict[str, Any]) -> None:
    whole = b"".join(chunks_of(vector))
    assert decoded(kind, *(bytes([byte]) for byte in whole)) == vector["expect"]


@pytest.mark.parametrize(("kind", "vector"), VECTORS)
def test_what_is_cut_off_is_refused_and_says_nothing_new(kind: str, vector: dict[str, Any]) -> None:
    """Cut anywhere, a stream gives no reading that it does not give whole, and accounts for every byte.

    Two exceptions stand in Nonin's README: three or four bytes of another format look like a whole frame
    of format 1 or 8 where nothing else is there, and a packet may end between two frames.
    """
    whole = b"".join(chunks_of(vector))
    all_said = [*vector["expect"]["readings"], *vector["expect"].get("places", [])]
    for length in range(len(whole)):
        said = decoded(kind, whole[:length])
        told = [*said["readings"], *said.get("places", [])]
        if kind == "nonin":
            told = [reading for reading in told if "packet-cut" not in reading["flags"]]
            if length in {3, 4}:
                continue
        assert all(each in all_said for each in told)
        assert len(told) <= len(all_said)
