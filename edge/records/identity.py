"""Identities: how an entry, a request and a device record are told apart for ever."""

import dataclasses
import hashlib
import uuid

from edge.records.fields import Stream


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class EntryId:
    """(unit, epoch, stream, seq): dense from 1 within a stream, taken in the committing transaction."""

    unit: str
    epoch: bytes
    stream: Stream
    seq: int

    def as_json(self) -> list[str | int]:
        """``[unit, epoch in hex, stream's word, seq]``, the form of answers and events."""
        return [self.unit, self.epoch.hex(), self.stream.word, self.seq]


def request_digest(request_id: str) -> bytes:
    """Eight bytes that stand for a client's request id in the journal.

    The id is a UUIDv7; all sixteen bytes would be the largest column on the link. Eight keep the
    chance that two of a unit's requests ever meet below one in ten million over its life.
    """
    return hashlib.sha256(b"request" + uuid.UUID(request_id).bytes).digest()[:8]


def device_record(device: str, identity: bytes) -> bytes:
    """Eight bytes that stand for one stored record of a device."""
    return hashlib.sha256(b"record" + device.encode() + b"\x00" + identity).digest()[:8]
