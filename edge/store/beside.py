"""The bytes that stand beside entries, as they leave the box with them: checked, or none."""

import hashlib
from collections.abc import Iterable
from typing import Final, cast

from edge import cbor
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Payload
from edge.store.base import Base

_SAMPLES: Final = "SELECT data FROM waveform_chunks WHERE waveform = ? AND number = ?"
_PLACES: Final = (
    "SELECT journal.epoch, journal.seq FROM waveform_chunks JOIN journal ON journal.id = entry"
    " WHERE waveform = ? ORDER BY number"
)


class BesideReads(Base):
    """What stands beside entries."""

    def beside(self, entries: Iterable[Entry]) -> dict[int, bytes | None]:
        """By sequence number the bytes of every entry that names some.

        None where they are not here any more, or are not those that were saved: the centre is told, and
        `qafila store verify` says which of the two.
        """
        found: dict[int, bytes | None] = {}
        for entry in entries:
            if entry.kind is Kind.WAVE_CHUNK and entry.payload is not None:
                fields = cast("Payload", cbor.decode(entry.payload))
                row = self._row(_SAMPLES, fields[Field.WAVEFORM], fields[Field.CHUNK])
                data: bytes | None = None if row is None else row[0]
                if data is not None and hashlib.sha256(data).digest() != fields[Field.HASH]:
                    data = None
                found[entry.seq] = data
        return found

    def chunk_places(self, waveform: bytes) -> list[int]:
        """The sequence number of each chunk of a recording, in order; 0 for one of an earlier epoch.

        What of an earlier epoch has not been received is journalled again in the present one.
        """
        rows = self._rows(_PLACES, waveform)
        return [seq if epoch == self._epoch.number else 0 for epoch, seq in rows]
