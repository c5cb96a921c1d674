"""What values of oximeters, glucose meters and heart rate sensors mean, by vectors."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

from drivers.codec import uuids
from drivers.decoding import Chunk
from drivers.registry import KINDS

FOLDER: Final = Path(__file__).parents[1] / "vectors"
FILES: Final = [
    json.loads((FOLDER / name / "values.json").read_text())
    for name in ("sig_oximeter", "sig_glucose", "sig_heart_rate")
]
VECTORS: Final[list[Any]] = [
    pytest.param(file["kind"], vector, id=f"{file['kind']}: {vector['name']}")
    for file in FILES
    for vector in file["vectors"]
]


def chunk(given: str) -> Chunk:
    name, _, digits = given.rpartition("=")
    return Chunk(bytes.fromhex(digits), uuids.full(name) if name else None)


def test_every_vector_says_where_it_comes_from_and_is_there_once() -> None:
    for file in FILES:
        names = [vector["name"] for vector in file["vectors"]]
        assert len(set(names)) == len(names)
        assert {vector["source"] for vector in file["vectors"]} == set(file["sources"])


@pytest.mark.parametrize(("kind", "vector"), VECTORS)
def test_values_mean(kind: str, vector: dict[str, Any]) -> None:
    decoded = KINDS[kind].decode([chunk(given) for given in vector["given"]]).as_json(kind)
    said = [
        {name: value for name, value in reading.items() if name in {"at", "values", "flags", "intervals_ms"}}
        for reading in decoded["readings"]
    ]
    assert (said, decoded["refused"]) == (vector["readings"], vector["refused"])
    assert decoded["waves"] == []
