import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.clock import ClockQuality, Moment
from edge.records.fields import Field, Kind, Payload, Stream
from edge.store import Store, Transaction

MOMENT = Moment(1_795_334_400_000, b"bootboot", 1000, ClockQuality.OPERATOR)


@pytest.fixture
def key() -> bytes:
    return os.urandom(32)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "store" / "qafila.db"


@pytest.fixture
def store(database: Path, key: bytes) -> Iterator[Store]:
    made = Store.create(database, key, unit="van-07", realm="training", moment=MOMENT)
    yield made
    made.close()


class Visit:
    """One patient, one encounter, as the agent would write them."""

    _numbers = itertools.count(1)

    def __init__(self) -> None:
        number = next(self._numbers)
        self.patient = number.to_bytes(16)
        self.encounter = (1_000_000 + number).to_bytes(16)

    def register(self, tx: Transaction, **fields: object) -> None:
        payload: Payload = {Field.FAMILY: "Alaoui", Field.GIVEN: "Aïcha", Field.REVISION: 1, Field.WALL_MS: 1}
        payload |= {Field[name.upper()]: value for name, value in fields.items()}  # type: ignore[misc]  # any
        tx.append(Stream.VITALS, Kind.PATIENT, payload, patient=self.patient)

    def open(self, tx: Transaction) -> None:
        payload: Payload = {Field.ENCOUNTER: self.encounter, Field.OPERATOR: "amina", Field.WALL_MS: 2}
        tx.append(Stream.VITALS, Kind.ENCOUNTER_OPENED, payload, patient=self.patient)

    def observe(self, tx: Transaction, mantissa: int = 3650) -> None:
        payload: Payload = {Field.ENCOUNTER: self.encounter, Field.CODE: "temp", Field.VALUE: [mantissa, -2]}
        tx.append(Stream.VITALS, Kind.OBSERVATION, payload, patient=self.patient)

    def close(self, tx: Transaction) -> None:
        payload: Payload = {Field.ENCOUNTER: self.encounter, Field.WALL_MS: 3, Field.COUNT: 1}
        tx.append(Stream.VITALS, Kind.ENCOUNTER_CLOSED, payload, patient=self.patient)


@pytest.fixture
def visit() -> Callable[[], Visit]:
    return Visit


@pytest.fixture
def filled(store: Store) -> Store:
    """Twelve visits: 48 entries of vitals after the genesis."""
    for _ in range(12):
        each = Visit()
        with store.write() as tx:
            each.register(tx)
            each.open(tx)
            each.observe(tx)
            each.close(tx)
    return store
