"""What a simulated CMS50 has recorded, and how it tells of it. No port, no clock of its own."""

import dataclasses
import datetime
from typing import Final

from drivers.devices.contec_cms50.codec import (
    MARKS,
    OLD_MARK,
    OLD_SEND_STORED,
    OLD_STOP_STORED,
    STORED_RECORD,
    Command,
    Generation,
    Packet,
    stuff,
)

FIRST_START: Final = datetime.datetime(2026, 3, 13, 22, 0, 0)  # noqa: DTZ001  a unit's clock has no zone
BYTES_PER_PACKET_TIME: Final = {Generation.NINE_BYTE: 192, Generation.FIVE_BYTE: 29}
"""What a line carries in a sixtieth of a second: 115200 8N1, 19200 8O1."""
_PAIRS: Final = 3


@dataclasses.dataclass(frozen=True, slots=True)
class Kept:
    """One segment: its beginning, and for each second saturation, pulse rate and perhaps perfusion index."""

    start: datetime.datetime
    seconds: tuple[bytes, ...]

    @property
    def data(self) -> bytes:
        return b"".join(self.seconds)


class Memory:
    """What was recorded, and what of it is on its way.

    Attributes:
        segments: oldest last, so that whoever reads must sort.
        sending: whether a transfer runs; real-time data pauses.
    """

    def __init__(self, generation: Generation) -> None:
        self.segments: list[Kept] = []
        self._generation = generation
        self._outbox = b""
        self._heard = b""

    @property
    def sending(self) -> bool:
        return bool(self._outbox)

    def record(self, seconds: int, saturation: int, pulse: int, perfusion: int | None = None) -> None:
        """Record so long, with a second without a reading now and then."""
        kept = bytes([saturation, pulse]) + (b"" if perfusion is None else perfusion.to_bytes(2, "little"))
        nothing = bytes(len(kept))
        start = FIRST_START + datetime.timedelta(hours=len(self.segments))
        seconds_kept = (nothing if second % 10 == 9 else kept for second in range(seconds))
        self.segments.insert(0, Kept(start, tuple(seconds_kept)))

    def take(self, packets: int) -> bytes:
        """What leaves the unit in the time of so many packets."""
        most = packets * BYTES_PER_PACKET_TIME[self._generation]
        sent, self._outbox = self._outbox[:most], self._outbox[most:]
        return sent

    def hear(self, data: bytes) -> None:
        """What a five-byte unit is told; it begins or ends a transfer."""
        self._heard = (self._heard + data)[-len(OLD_STOP_STORED) :]
        if self._heard.endswith(OLD_STOP_STORED):
            self._outbox = b""
        elif self._heard.endswith(OLD_SEND_STORED) and self.segments:
            self._heard = b""
            self._outbox = self._all_in_threes()

    def answer(self, number: int, asked: bytes) -> bytes | None:
        """What a nine-byte unit answers; None to a command that is none of the memory's."""
        match number:
            case Command.STOP_STORED:
                self._outbox = b""
                return stuff(Packet.STOPPED, b"")
            case Command.SEGMENTS:
                return stuff(Packet.SEGMENTS, bytes([asked[0], len(self.segments)]))
            case Command.SEGMENT_LENGTH | Command.SEGMENT_START | Command.SEND_STORED:
                user, segment = asked[0], asked[1]
                if user or segment >= len(self.segments):
                    return stuff(Packet.ANSWER, bytes([number, 0xFF]))
                return self._of(number, bytes([user, segment]), self.segments[segment])
            case _:
                return None

    def _of(self, number: int, which: bytes, kept: Kept) -> bytes:
        if number == Command.SEGMENT_LENGTH:
            return stuff(Packet.SEGMENT_LENGTH, which + len(kept.data).to_bytes(4, "little"))
        if number == Command.SEGMENT_START:
            at = kept.start
            date = bytes([at.year // 100, at.year % 100, at.month, at.day])
            time = bytes([at.hour, at.minute, at.second, 0])
            return stuff(Packet.SEGMENT_DATE, which + date) + stuff(Packet.SEGMENT_TIME, which + time)
        if kept.seconds and len(kept.seconds[0]) > 2:
            self._outbox = b"".join(stuff(Packet.STORED_WITH_PI, second) for second in kept.seconds)
        else:
            data = kept.data
            packets = (data[at : at + 2 * _PAIRS] for at in range(0, len(data), 2 * _PAIRS))
            self._outbox = b"".join(
                stuff(Packet.STORED, packet.ljust(2 * _PAIRS, b"\0")) for packet in packets
            )
        return b""

    def _all_in_threes(self) -> bytes:
        records = b"".join(
            bytes([0xF0 | second[1] >> 7, 0x80 | second[1] & 0x7F, second[0]])
            for kept in reversed(self.segments)
            for second in kept.seconds
        )
        last = len(records) - 1
        length = bytes([0x80 | last >> 14 & 0x7F, 0x80 | last >> 7 & 0x7F, last & 0x7F])
        assert len(length) == STORED_RECORD  # noqa: S101  as long as a record
        return OLD_MARK * MARKS + length + records
