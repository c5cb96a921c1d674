"""Requests to a Wellue or Viatom O2Ring, its replies, and the files it keeps. Bytes in, meaning out.

A request and its reply, little endian::

    0   1   AA of a request, 55 of a reply
    1   1   command of a request; status of a reply, 0 done
    2   1   the same inverted
    3   2   block
    5   2   how many data bytes follow
    7   n   data
    +0  1   CRC-8 (polynomial 07, begun with 0) over all before

A reply does not name what it answers: the meaning of its data follows from what was asked, and here from
its length and first byte, which differ between all that is asked for. Replies straddle notifications.

Data of the reply to *sensors*, 12 or 13 bytes::

    0   1   SpO2 in percent, FF none
    1   2   pulse rate per minute, FFFF none
    3   4   steps
    7   1   battery in percent
    8   1   0 not charging, 1 charging, 2 charged
    9   1   motion
    10  1   perfusion index in tenths of a percent; 0 from firmware that has none
    11  1   bit 0 on the finger; bits 7-4 seconds until it switches off
    12  1   its own alarms

A file, version 3: 40 bytes of header (0 version, 2 year, 4 month, day, hour, minute, second, 9 size, 13
seconds in all), then five bytes every two or four seconds: SpO2, pulse rate, invalid, motion, vibration.

Sources: MackeyStingray/o2r ``o2pkt.py``, ``o2state.py`` (with what a real ring sent), ``o2file.py``;
viatomEcho/LepuBle ``ble/cmd/OxyBleResponse.kt`` (the makers' own library, for bytes 1 to 6 and 11);
ecostech/viatom-ble.
"""

import json
import struct
from enum import IntEnum
from typing import Final, NamedTuple

from drivers.codec import crc8, uuids
from drivers.codec.framing import MORE, NOT_A_FRAME, Frame, Look, Outcome
from drivers.codec.gatt_time import DateTime
from drivers.codec.sync import to_next
from edge.ports.driver import DeviceMisbehaved

SERVICE: Final = uuids.full("14839AC4-7D7E-415C-9A42-167340CF2339")
NOTIFY: Final = uuids.full("0734594A-A8E7-4B1A-A6B1-CD5243059A57")
WRITE: Final = uuids.full("8B00ACE7-EB0B-49B0-BBE9-9AEE0A26E1A3")
OTHER_PROTOCOL: Final = (
    uuids.full("E8FB0001-A14B-98F9-831B-4E2941D01248"),
    uuids.full("E8FB0002-A14B-98F9-831B-4E2941D01248"),
    uuids.full("E8FB0003-A14B-98F9-831B-4E2941D01248"),
)
"""Service and characteristics of the O2Ring-S (T8520), which speaks another protocol."""

REQUEST: Final = 0xAA
REPLY: Final = 0x55
BAD_CHECKSUM: Final = "bad-checksum"
BAD_FILE: Final = "bad-file"
LONGEST: Final = 1024
"""Data of a reply. The description of itself takes about 500 bytes, a block of a file 512."""
_AROUND: Final = 8
_HEADER: Final = struct.Struct("<BBBHH")
_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)
_SYNC: Final = bytes((REPLY,))


class Command(IntEnum):
    """What a ring can be asked."""

    FILE_OPEN = 0x03
    FILE_READ = 0x04
    FILE_CLOSE = 0x05
    INFORMATION = 0x14
    PING = 0x15
    CONFIGURE = 0x16
    SENSORS = 0x17


def request(command: Command, data: bytes = b"", *, block: int = 0) -> bytes:
    """The bytes that ask for something."""
    raw = _HEADER.pack(REQUEST, command, command ^ 0xFF, block, len(data)) + data
    return raw + bytes((crc8.ccitt(raw),))


class Replies:
    """The grammar of what a ring notifies."""

    def look(self, stream: bytes, at: int) -> Look:
        window = stream[at : at + _HEADER.size]
        if window[0] != REPLY or (len(window) > 2 and window[1] ^ 0xFF != window[2]):
            return _STRAY
        if len(window) < _HEADER.size:
            return MORE
        _, _, _, _, size = _HEADER.unpack(window)
        if size > LONGEST:
            return _STRAY
        length = size + _AROUND
        if len(stream) - at < length:
            return MORE
        if crc8.ccitt(stream[at : at + length]):
            return Look(Outcome.GARBAGE, to_next(stream, at, length, _SYNC), BAD_CHECKSUM)
        return Look(Outcome.FRAME, length)


class Reply(NamedTuple):
    """What a whole reply says."""

    status: int
    block: int
    data: bytes

    @property
    def done(self) -> bool:
        return self.status == 0


def reply(frame: Frame) -> Reply:
    """Take a whole reply apart."""
    _, status, _, block, _ = _HEADER.unpack(frame.raw[: _HEADER.size])
    return Reply(status, block, frame.raw[_HEADER.size : -1])


def encode_reply(said: Reply) -> bytes:
    """A reply, for simulators."""
    raw = _HEADER.pack(REPLY, said.status, said.status ^ 0xFF, said.block, len(said.data)) + said.data
    return raw + bytes((crc8.ccitt(raw),))


# ── Sensors ──────────────────────────────────────────────────────────────────────────────────────

SENSORS_BYTES: Final = (12, 13)
"""Firmware before the alarms sends one byte less."""
_SENSORS: Final = struct.Struct("<BHIBBBBB")


class Sensors(NamedTuple):
    """What the ring feels now.

    Attributes:
        charging: 0 not, 1 charging, 2 charged.
        perfusion: tenths of a percent; 0 from firmware that has none.
        state: bit 0 on the finger.
    """

    saturation: int
    pulse: int
    steps: int
    battery: int
    charging: int
    motion: int
    perfusion: int
    state: int

    @property
    def on_finger(self) -> bool:
        return bool(self.state & 1)


def is_sensors(said: Reply) -> bool:
    """Whether a reply answers *sensors*."""
    return said.done and len(said.data) in SENSORS_BYTES


def decode_sensors(data: bytes) -> Sensors:
    """Read what the ring feels; 12 or 13 bytes."""
    return Sensors(*_SENSORS.unpack(data[: _SENSORS.size]))


def encode_sensors(said: Sensors) -> bytes:
    """What the ring feels, for simulators; a whole reply."""
    return encode_reply(Reply(0, 0, _SENSORS.pack(*said) + b"\x00"))


# ── Of itself ────────────────────────────────────────────────────────────────────────────────────


def is_information(said: Reply) -> bool:
    """Whether a reply answers *information*."""
    return said.done and said.data[:1] == b"{"


def decode_information(data: bytes) -> dict[str, str]:
    """Read what the ring says of itself: model, serial number, clock, names of its files.

    Raises:
        DeviceMisbehaved: it is not such a description (``bad-information``).
    """
    try:
        said: object = json.loads(data.rstrip(b" \t\r\n\0"))
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise DeviceMisbehaved("The ring's description of itself is none.", raw=data, code="bad-information")
    return {str(name): str(value) for name, value in said.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  JSON


def set_time(at: DateTime) -> bytes:
    """The request that sets the clock."""
    text = f"{at.year:04}-{at.month:02}-{at.day:02},{at.hour:02}:{at.minute:02}:{at.second:02}"
    return request(Command.CONFIGURE, json.dumps({"SetTIME": text}, separators=(",", ":")).encode())


# ── Files ────────────────────────────────────────────────────────────────────────────────────────

FILE_VERSION: Final = 3
FILE_HEADER_BYTES: Final = 40
RECORD_BYTES: Final = 5
INTERVALS_S: Final = (2, 4)
_FILE: Final = struct.Struct("<HHBBBBBII")


class Record(NamedTuple):
    """One line of a file."""

    saturation: int
    pulse: int
    invalid: bool
    motion: int
    vibration: bool


class File(NamedTuple):
    """What the ring kept of one time it was worn.

    Attributes:
        began: by the ring's clock.
        every_s: seconds from one record to the next.
    """

    began: DateTime
    every_s: int
    records: tuple[Record, ...]


def decode_file(raw: bytes) -> File:
    """Read a whole file.

    Raises:
        DeviceMisbehaved: another version, half a record, or an interval that no ring has (``bad-file``).
    """
    body = raw[FILE_HEADER_BYTES:]
    if len(raw) < FILE_HEADER_BYTES or len(body) % RECORD_BYTES:
        raise _bad_file(raw)
    version, year, month, day, hour, minute, second, _size, duration_s = _FILE.unpack(raw[: _FILE.size])
    count = len(body) // RECORD_BYTES
    every_s = duration_s // count if count and not duration_s % count else 0
    if version != FILE_VERSION or (every_s not in INTERVALS_S and (count or duration_s)):
        raise _bad_file(raw)
    lines = (body[at : at + RECORD_BYTES] for at in range(0, len(body), RECORD_BYTES))
    records = tuple(Record(line[0], line[1], bool(line[2]), line[3], bool(line[4])) for line in lines)
    return File(DateTime(year, month, day, hour, minute, second), every_s, records)


def encode_file(said: File) -> bytes:
    """A whole file, for simulators."""
    at = said.began
    body = b"".join(bytes(record) for record in said.records)
    header = _FILE.pack(
        FILE_VERSION, at.year, at.month, at.day, at.hour, at.minute, at.second,
        FILE_HEADER_BYTES + len(body), said.every_s * len(said.records),
    )  # fmt: skip
    return header.ljust(FILE_HEADER_BYTES, b"\x00") + body


def _bad_file(raw: bytes) -> DeviceMisbehaved:
    return DeviceMisbehaved("The file is not one of a ring.", raw=raw[:FILE_HEADER_BYTES], code=BAD_FILE)
