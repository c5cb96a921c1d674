"""What the centre has received, for people: the only reading here that gives names."""

import dataclasses
from typing import Any, Final

from sync.central import database, trouble
from sync.central.home import CentreHome

_SEEN: Final = """
SELECT patient, revision, family, given, sex, birth, phone, village, unit, epoch, stream, seq, leaf
FROM patients AS p
WHERE NOT EXISTS (
    SELECT 1 FROM patients AS later WHERE later.patient = p.patient
    AND (later.revision, later.unit, later.epoch, later.seq, later.leaf)
      > (p.revision, p.unit, p.epoch, p.seq, p.leaf))
ORDER BY family, given, patient
"""


@dataclasses.dataclass(frozen=True, slots=True)
class ReceivedPatient:
    """A patient as last revised, with what came of them."""

    patient: str
    family: str | None
    given: str | None
    sex: str | None
    birth: str | None
    phone: str | None
    village: str | None
    unit: str
    identifiers: tuple[tuple[str, str], ...]
    encounters: int
    observations: int
    alerts: int
    last_ms: int | None

    def as_json(self) -> dict[str, Any]:
        identifiers = [{"system": system, "value": value} for system, value in self.identifiers]
        return {**dataclasses.asdict(self), "identifiers": identifiers}


def patients(home: CentreHome) -> list[ReceivedPatient]:
    """Everyone whose entries have been opened, by name.

    Raises:
        CentreDatabaseError: the database cannot be used.
    """
    connection = database.connect(home.database)
    try:
        with trouble.understood():
            return [_patient(connection, row) for row in connection.execute(_SEEN).fetchall()]
    finally:
        connection.close()


def _patient(connection: database.Connection, row: tuple[Any, ...]) -> ReceivedPatient:
    patient, _, family, given, sex, birth, phone, village, unit, *identity = row
    identifiers = connection.execute(
        "SELECT system, value FROM identifiers WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?"
        " AND leaf = ? ORDER BY position",
        (unit, *identity),
    ).fetchall()
    encounters, observations, alerts, last_ms = connection.execute(
        "SELECT (SELECT count(DISTINCT encounter) FROM encounters WHERE patient = ?1),"
        " (SELECT count(*) FROM observations WHERE patient = ?1),"
        " (SELECT count(*) FROM alerts WHERE patient = ?1),"
        " (SELECT max(wall_ms) FROM observations WHERE patient = ?1)",
        (patient,),
    ).fetchone()
    return ReceivedPatient(
        patient,
        family,
        given,
        sex,
        birth,
        phone,
        village,
        unit,
        tuple((system, value) for system, value in identifiers),
        encounters,
        observations,
        alerts,
        last_ms,
    )
