"""What the centre has received, for people: the only reading here that gives names."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sync.central import database, trouble
from sync.central.home import CentreHome

_SEEN: Final = """
SELECT patient, revision, family, given, sex, birth, phone, village, family_arabic, given_arabic,
    birth_estimated, unit, epoch, stream, seq, leaf
FROM patients AS p
WHERE NOT EXISTS (
    SELECT 1 FROM patients AS later WHERE later.patient = p.patient
    AND (later.revision, later.unit, later.epoch, later.seq, later.leaf)
      > (p.revision, p.unit, p.epoch, p.seq, p.leaf))
ORDER BY family, given, patient
"""
_MERGED: Final = """
SELECT duplicate, patient FROM merges AS m
WHERE event = 'merged' AND NOT EXISTS (
    SELECT 1 FROM merges AS later WHERE later.duplicate = m.duplicate
    AND (later.revision, later.unit, later.epoch, later.seq, later.leaf)
      > (m.revision, m.unit, m.epoch, m.seq, m.leaf))
AND EXISTS (SELECT 1 FROM patients WHERE patients.patient = m.patient AND patients.unit = m.unit)
AND EXISTS (SELECT 1 FROM patients WHERE patients.patient = m.duplicate AND patients.unit = m.unit)
ORDER BY duplicate
"""
"""A unit merges patients whom it has entered itself, and nobody else's."""
_CONSENTS: Final = """
SELECT scope, decision FROM consents AS c WHERE patient = ?
AND NOT EXISTS (
    SELECT 1 FROM consents AS later WHERE later.patient = c.patient AND later.scope = c.scope
    AND (later.revision, later.unit, later.epoch, later.seq, later.leaf)
      > (c.revision, c.unit, c.epoch, c.seq, c.leaf))
ORDER BY scope
"""


@dataclasses.dataclass(frozen=True, slots=True)
class ReceivedPatient:
    """A patient as last revised, with what came of them and of everybody merged into them.

    Attributes:
        consents: the decision that holds, by what it is about; of the patient under this id alone.
        merged: ids under which they were entered as well.
    """

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
    family_arabic: str | None = None
    given_arabic: str | None = None
    birth_estimated: bool = False
    consents: Mapping[str, str] = dataclasses.field(default_factory=dict)
    merged: tuple[str, ...] = ()

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
            merged = connection.execute(_MERGED).fetchall()
            groups = _groups(dict(merged))
            alone = {each for group in groups.values() for each in group}
            return [
                _patient(connection, row, groups.get(row[0], ()))
                for row in connection.execute(_SEEN).fetchall()
                if row[0] not in alone
            ]
    finally:
        connection.close()


def same_person(connection: database.Connection, patient: str) -> tuple[tuple[str, ...], str | None]:
    """Who was merged into a patient, over however many steps; and into whom they were merged, if so."""
    into: dict[str, str] = dict(connection.execute(_MERGED).fetchall())
    found, new = {patient}, {patient}
    while new:
        new = {duplicate for duplicate, who in into.items() if who in new} - found
        found |= new
    return tuple(sorted(found - {patient})), into.get(patient)


def _groups(into: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """By who they are, everybody merged into them. Who goes round in a circle is nobody's duplicate."""
    groups: dict[str, tuple[str, ...]] = {}
    for duplicate in into:
        who, steps = duplicate, 0
        while who in into and steps <= len(into):
            who, steps = into[who], steps + 1
        if who not in into:
            groups[who] = (*groups.get(who, ()), duplicate)
    return groups


def _patient(connection: database.Connection, row: tuple[Any, ...], merged: Sequence[str]) -> ReceivedPatient:
    patient, _, family, given, sex, birth, phone, village, *arabic, estimated, unit = row[:12]
    identity = row[12:]
    identifiers: list[tuple[str, str]] = []
    counts = [0, 0, 0]
    last_ms: int | None = None
    for each in (patient, *merged):
        identifiers += _identifiers(connection, unit, identity) if each == patient else _of(connection, each)
        *more, at_ms = connection.execute(_COUNTS, (each,)).fetchone()
        counts = [n + m for n, m in zip(counts, more, strict=True)]
        last_ms = max(filter(None, (last_ms, at_ms)), default=None)
    return ReceivedPatient(
        *(patient, family, given, sex, birth, phone, village, unit),
        tuple(dict.fromkeys(identifiers)),
        encounters=counts[0],
        observations=counts[1],
        alerts=counts[2],
        last_ms=last_ms,
        family_arabic=arabic[0],
        given_arabic=arabic[1],
        birth_estimated=bool(estimated),
        consents=dict(connection.execute(_CONSENTS, (patient,)).fetchall()),
        merged=tuple(merged),
    )


def _of(connection: database.Connection, patient: str) -> list[tuple[str, str]]:
    """The identifiers of a patient as last revised."""
    row = connection.execute(
        "SELECT unit, epoch, stream, seq, leaf FROM patients WHERE patient = ?"
        " ORDER BY revision DESC, unit DESC, epoch DESC, seq DESC, leaf DESC LIMIT 1",
        (patient,),
    ).fetchone()
    return [] if row is None else _identifiers(connection, row[0], row[1:])


def _identifiers(
    connection: database.Connection, unit: str, identity: Sequence[Any]
) -> list[tuple[str, str]]:
    rows = connection.execute(
        "SELECT system, value FROM identifiers WHERE unit = ? AND epoch = ? AND stream = ? AND seq = ?"
        " AND leaf = ? ORDER BY position",
        (unit, *identity),
    ).fetchall()
    return [(system, value) for system, value in rows]


_COUNTS: Final = (
    "SELECT (SELECT count(DISTINCT encounter) FROM encounters WHERE patient = ?1),"
    " (SELECT count(*) FROM observations WHERE patient = ?1),"
    " (SELECT count(*) FROM alerts WHERE patient = ?1),"
    " (SELECT max(wall_ms) FROM observations WHERE patient = ?1)"
)
