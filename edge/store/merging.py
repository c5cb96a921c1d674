"""Patients who turned out to be one person entered twice, and those who turned out to be two after all.

Nothing of either is moved: what was written for the duplicate stays written for it, and points at who it is.
So it can be undone, and the centre, which has the same entries, sees the same.
"""

from typing import Final, cast

from edge.records.fields import Field, Payload
from edge.store import sqlite
from edge.store.base import Epoch
from edge.store.errors import StoreRefused

WHOLE: Final = (
    "WITH RECURSIVE whole (patient) AS (VALUES (?) UNION SELECT patients.patient FROM patients"
    " JOIN whole ON patients.merged_into = whole.patient) SELECT patient FROM whole"
)
"""A patient and everybody merged into them, through however many steps."""
WHO: Final = (
    "WITH RECURSIVE who (patient, next) AS (SELECT patient, merged_into FROM patients WHERE patient = ?"
    " UNION SELECT patients.patient, merged_into FROM patients JOIN who ON patients.patient = who.next)"
    " SELECT patient FROM who WHERE next IS NULL"
)
"""Who a patient turned out to be; themselves when they were not merged."""


def project_merged(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    """`Kind.MERGED`.

    Raises:
        StoreRefused: one of the two is not there or merged already.
    """
    patient, duplicate, links = _named(connection, payload)
    if links is None:
        return
    free = connection.execute(
        "SELECT count(*) FROM patients WHERE patient IN (?, ?) AND merged_into IS NULL", (patient, duplicate)
    ).fetchone()
    if free != (2,):
        raise StoreRefused(
            "One of the two is not there, or is merged already: nothing was saved.",
            next_step="Find the patient again.",
            code="patient-merged",
        )
    connection.execute(
        "UPDATE patients SET merged_into = ?, links = ? WHERE patient = ?", (patient, links, duplicate)
    )


def project_unmerged(connection: sqlite.Connection, _epoch: Epoch, _entry: int, payload: Payload) -> None:
    """`Kind.UNMERGED`.

    Raises:
        StoreRefused: the two are not merged.
    """
    patient, duplicate, links = _named(connection, payload)
    if links is None:
        return
    cursor = connection.execute(
        "UPDATE patients SET merged_into = NULL, links = ? WHERE patient = ? AND merged_into = ?",
        (links, duplicate, patient),
    )
    if cursor.rowcount != 1:
        raise StoreRefused(
            "These two are not merged: nothing was saved.",
            next_step="Look at the patient again.",
            code="patient-not-merged",
        )


def _named(connection: sqlite.Connection, payload: Payload) -> tuple[bytes, bytes, int | None]:
    """Who stays, who is the duplicate, and the number of this change; None when a later one is there."""
    patient = cast("bytes", payload[Field.PATIENT])
    duplicate, number = cast("bytes", payload[Field.DUPLICATE]), cast("int", payload[Field.REVISION])
    known = connection.execute("SELECT links FROM patients WHERE patient = ?", (duplicate,)).fetchone()
    return patient, duplicate, None if known is not None and known[0] >= number else number
