"""Vectors of Bluetooth kinds: values as they come, and all that they say. Read from JSON."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Final

from drivers.codec import uuids
from drivers.decoding import Chunk, Decode
from edge.vitals.quantity import Missing
from edge.vitals.reading import Reading

FOLDER: Final = Path(__file__).parents[1] / "vectors"


@dataclasses.dataclass(frozen=True, slots=True)
class Vector:
    """One case.

    Attributes:
        chunks: each ``HEX`` or ``UUID:HEX``.
        readings: what each says, as `as_plain` gives it.
        refused: offset, length and code of each.
    """

    name: str
    source: str
    chunks: list[str]
    readings: list[dict[str, Any]]
    refused: list[list[Any]]

    def given(self) -> list[Chunk]:
        given: list[Chunk] = []
        for text in self.chunks:
            uuid, colon, raw = text.rpartition(":")
            given.append(Chunk(bytes.fromhex(raw), uuids.full(uuid) if colon else None))
        return given

    def check(self, decode: Decode) -> None:
        decoded = decode(self.given())
        assert [as_plain(reading) for reading in decoded.readings] == self.readings
        assert [[one.offset, one.length, one.code] for one in decoded.refused] == self.refused


def as_plain(reading: Reading) -> dict[str, Any]:
    """A reading as it stands in the files: what is empty is left out, but for the values."""
    values = {code.value: said for code, said in reading.values}
    plain: dict[str, Any] = {
        "values": {
            code: format(said.value, "f") for code, said in values.items() if not isinstance(said, Missing)
        }
    }
    missing = {code: said.why.value for code, said in values.items() if isinstance(said, Missing)}
    sent = {code.value: [format(value, "f"), unit.value] for code, value, unit in reading.converted}
    at = reading.at.isoformat() if reading.at else None
    optional = {"missing": missing, "sent": sent, "flags": list(reading.flags), "at": at}
    return plain | {name: value for name, value in optional.items() if value}


def load(kind: str) -> list[Vector]:
    """All vectors of a kind; each names its source."""
    file = json.loads((FOLDER / kind / "values.json").read_text())
    vectors = [Vector(**vector) for vector in file["vectors"]]
    assert {vector.source for vector in vectors} <= set(file["sources"])
    return vectors
