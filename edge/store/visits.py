"""Reading encounters, observations, the tray and alerts."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from edge.records.fields import Source, Stream
from edge.records.identity import EntryId
from edge.store.base import Base
from edge.store.merging import WHOLE
from edge.store.rows import Alert, Encounter, Observation
from edge.store.sqlite import Row
from edge.vitals.quantity import MissingReason

_ENCOUNTERS: Final = (
    "SELECT encounter, patient, operator, opened_ms, closed_ms, site, purged_ms FROM encounters"
)
_OBSERVATIONS: Final = (
    "SELECT epochs.epoch, journal.seq, encounter, observations.patient, code, value, missing, source,"
    " device, device_record, device_time, reading, flags, confirmed, operator, wall_ms, supersedes_epoch,"
    " supersedes_seq, clock_off_s, journal.epoch, clock_quality,"
    " origins.epoch, origins.seq"
    " FROM observations JOIN journal ON journal.id = observations.entry"
    " JOIN epochs ON epochs.number = journal.epoch"
    " LEFT JOIN origins ON origins.entry = observations.entry"
)
_ALERTS: Final = (
    "SELECT epochs.epoch, journal.seq, alerts.patient, encounter, code, text, operator, wall_ms"
    " FROM alerts JOIN journal ON journal.id = entry JOIN epochs ON epochs.number = journal.epoch"
)

_NUMBER_BEFORE: Final = (
    f"WITH whole AS ({WHOLE})"  # noqa: S608  ours
    " SELECT observations.value, observations.wall_ms FROM encounters"
    " JOIN observations ON observations.encounter = encounters.encounter"
    " WHERE encounters.patient IN whole AND observations.code = ?"
    " AND observations.value IS NOT NULL AND observations.wall_ms < ?"
    " ORDER BY observations.wall_ms DESC, observations.entry DESC LIMIT 1"
)


class VisitReads(Base):
    """What can be asked of visits."""

    def encounter(self, encounter: bytes) -> Encounter | None:
        row = self._row(_ENCOUNTERS + " WHERE encounter = ?", encounter)
        return None if row is None else Encounter(*row)

    def days_worked(self) -> int:
        """On how many days visits began whose values are kept here."""
        row = self._row("SELECT count(DISTINCT opened_ms / 86400000) FROM encounters WHERE purged_ms IS NULL")
        return 0 if row is None else int(row[0])

    def open_encounters(self) -> list[Encounter]:
        """Encounters not yet closed, the one opened last first."""
        rows = self._rows(_ENCOUNTERS + " WHERE closed_ms IS NULL ORDER BY opened_ms DESC, encounter DESC")
        return [Encounter(*row) for row in rows]

    def open_encounter(self) -> Encounter | None:
        """The encounter opened last of those not yet closed."""
        return next(iter(self.open_encounters()), None)

    def encounters_of(self, patient: bytes) -> list[Encounter]:
        """The visits of a patient and of everybody merged into them, newest first."""
        rows = self._rows(
            f"{_ENCOUNTERS} WHERE patient IN ({WHOLE}) ORDER BY opened_ms DESC, encounter DESC",
            patient,
        )
        return [Encounter(*row) for row in rows]

    def encounters_since(self, since_ms: int, limit: int) -> list[Encounter]:
        """Of the last so many visits those opened since, or still open; in their order."""
        rows = self._rows(f"{_ENCOUNTERS} ORDER BY encounter DESC LIMIT ?", limit)
        found = [Encounter(*row) for row in reversed(rows)]
        return [each for each in found if each.opened_ms >= since_ms or each.closed_ms is None]

    def observations(self, encounter: bytes) -> list[Observation]:
        """An encounter's observations in the order in which they were saved."""
        return self._observations(
            self._rows(
                _OBSERVATIONS + " WHERE encounter = ? ORDER BY observations.entry",
                encounter,
            )
        )

    def number_before(self, patient: bytes, code: str, before_ms: int) -> tuple[Decimal, int] | None:
        """The last number of a code that a person had before a time, and when; None where there is none."""
        row = self._row(_NUMBER_BEFORE, patient, code, before_ms)
        return None if row is None else (Decimal(row[0]), int(row[1]))

    def tray(self) -> list[Observation]:
        """Observations that belong to no encounter yet, oldest first."""
        return self._observations(
            self._rows(_OBSERVATIONS + " WHERE encounter IS NULL ORDER BY observations.entry")
        )

    def has_device_record(self, record: bytes, code: str) -> bool:
        """Whether this value of a stored record of a device was saved before."""
        found = self._row(
            "SELECT 1 FROM observations WHERE device_record = ? AND code = ? LIMIT 1", record, code
        )
        return found is not None

    def alerts(self, limit: int = 100) -> list[Alert]:
        """The alerts raised last, newest first."""
        return self._alerts(self._rows(_ALERTS + " ORDER BY entry DESC LIMIT ?", limit))

    def alerts_of(self, patient: bytes) -> list[Alert]:
        """The alerts about a patient, newest first."""
        return self._alerts(self._rows(_ALERTS + " WHERE alerts.patient = ? ORDER BY entry DESC", patient))

    def _alerts(self, rows: Iterable[Row]) -> list[Alert]:
        unit = self._whose.unit
        return [Alert(EntryId(unit, epoch, Stream.ALERT, seq), *rest) for epoch, seq, *rest in rows]

    def raw_frame(self, reading: int) -> bytes | None:
        """The bytes a reading was decoded from, while they are kept.

        Readings count on through the epochs of a store.
        """
        row = self._row("SELECT raw FROM raw_frames WHERE reading = ? ORDER BY epoch DESC LIMIT 1", reading)
        return None if row is None else row[0]

    def _observations(self, rows: Iterable[Row]) -> list[Observation]:
        return [self._observation(row) for row in rows]

    def _observation(self, row: Row) -> Observation:
        epoch, seq, encounter, patient, code, value, missing, source, device, record = row[:10]
        device_time, reading, flags, confirmed, operator, wall_ms, corrected_epoch, corrected_seq = row[10:18]
        return Observation(
            entry=EntryId(self._whose.unit, epoch, Stream.VITALS, seq),
            encounter=encounter,
            patient=patient,
            code=code,
            value=None if value is None else Decimal(value),
            missing=None if missing is None else MissingReason(missing),
            source=Source(source),
            device=device,
            device_record=record,
            device_time=device_time,
            reading=reading,
            flags=tuple(flags.split()),
            confirmed=confirmed,
            operator=operator,
            wall_ms=wall_ms,
            supersedes=None if corrected_seq is None else (corrected_epoch, corrected_seq),
            clock_off_s=row[18],
            earlier=row[19] != self._epoch.number,
            clock_quality=row[20],
            called=None if row[22] is None else (row[21], row[22]),
        )
