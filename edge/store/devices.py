"""Reading what devices said of themselves, and what unlocks them."""

from typing import Final

from edge.records.fields import Stream
from edge.records.identity import EntryId
from edge.store.base import Base
from edge.store.rows import DeviceSaid
from edge.store.sqlite import Row
from edge.vitals.identity import Identity

_DEVICES: Final = (
    "SELECT epochs.epoch, journal.seq, device, devices.kind, manufacturer, model, serial, firmware, battery,"
    " wall_ms FROM devices JOIN journal ON journal.id = entry JOIN epochs ON epochs.number = journal.epoch"
)


class DeviceReads(Base):
    """What can be asked of devices."""

    def device_said(self, device: str) -> DeviceSaid | None:
        """What this device last said of itself, or None when it never did."""
        return self._said(
            self._row(_DEVICES + " WHERE device = ? ORDER BY entry DESC LIMIT 1", device),
        )

    def device_of(self, observation: EntryId) -> DeviceSaid | None:
        """The device an observation came from, as it had described itself by then."""
        found = self._row(
            "SELECT entry, device FROM observations JOIN journal ON journal.id = entry"
            " JOIN epochs ON epochs.number = journal.epoch"
            " WHERE journal.seq = ? AND journal.stream = ? AND epochs.epoch = ?",
            *(observation.seq, observation.stream, observation.epoch),
        )
        if found is None:
            return None
        entry, device = found
        return self._said(
            self._row(_DEVICES + " WHERE device = ? AND entry < ? ORDER BY entry DESC LIMIT 1", device, entry)
        )

    def device_secrets(self) -> dict[str, bytes]:
        """What unlocks each device that has to be unlocked, by its key in unit.toml."""
        return dict(self._rows("SELECT device, secret FROM device_secrets"))

    def _said(self, row: Row | None) -> DeviceSaid | None:
        if row is None:
            return None
        epoch, seq, device, kind, manufacturer, model, serial, firmware, battery, wall_ms = row
        return DeviceSaid(
            EntryId(self._whose.unit, epoch, Stream.VITALS, seq),
            device,
            kind,
            Identity(manufacturer, model, serial, firmware, battery),
            wall_ms,
        )
