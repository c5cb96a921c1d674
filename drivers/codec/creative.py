"""Frames of Creative Medical, Viatom and Lepu devices that begin with AA 55.

Layout::

    0   2   AA 55
    2   1   token: which part of the device speaks
    3   1   how many bytes follow, the checksum included
    4   1   type
    5   n   data, big or little endian by type
    +0  1   CRC-8/MAXIM over all before

Sources: viatomEcho/LepuBle ``ble/cmd/Pc300BleCmd.java``, ``PC60FwBleResponse.kt``, ``utils/CrcUtil.java``
(the makers' own library); sza2/viatom_pc60fw README.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from drivers.codec import crc8
from drivers.codec.framing import MORE, NOT_A_FRAME, TOO_SHORT, Frame, Look, Outcome
from drivers.codec.sync import to_next

SYNC: Final = b"\xaa\x55"
BAD_CHECKSUM: Final = "bad-checksum"
LONGEST: Final = 64
"""So much may follow the length byte. The longest frame known is an ECG wave with 55."""
_AROUND: Final = 4
"""Bytes that the length does not count: sync, token and the length itself."""
_STRAY: Final = Look(Outcome.GARBAGE, 1, NOT_A_FRAME)

What = tuple[int, int]
"""A frame's token and type."""


class Message(NamedTuple):
    """What a whole frame says."""

    token: int
    type: int
    data: bytes

    @property
    def what(self) -> What:
        return self.token, self.type


class CreativeFrames:
    """The grammar of such a stream.

    Args:
        least: how many data bytes a frame of each token and type has at least; a frame with fewer is
            refused whole. What is not named here may have any number.
    """

    def __init__(self, least: Mapping[What, int]) -> None:
        self._least = least

    def look(self, stream: bytes, at: int) -> Look:
        window = stream[at : at + _AROUND]
        if window[:2] != SYNC[: len(window[:2])]:
            return _STRAY
        if len(window) < _AROUND:
            return MORE
        follows = window[3]
        if not 2 <= follows <= LONGEST:
            return Look(Outcome.GARBAGE, to_next(stream, at, _AROUND, SYNC))
        length = _AROUND + follows
        return self._whole(stream, at, length) if len(stream) - at >= length else MORE

    def _whole(self, stream: bytes, at: int, length: int) -> Look:
        raw = stream[at : at + length]
        if crc8.maxim(raw):
            return Look(Outcome.GARBAGE, to_next(stream, at, length, SYNC), BAD_CHECKSUM)
        if length - _AROUND - 2 < self._least.get((raw[2], raw[4]), 0):
            return Look(Outcome.GARBAGE, length, TOO_SHORT)
        return Look(Outcome.FRAME, length)


def message(frame: Frame) -> Message:
    """Take a whole frame apart."""
    raw = frame.raw
    return Message(raw[2], raw[4], raw[5:-1])


def encode(token: int, type_: int, data: bytes = b"") -> bytes:
    """The frame that says it.

    Raises:
        ValueError: more data than a frame carries.
    """
    if len(data) + 2 > LONGEST:
        raise ValueError("too much for one frame")
    raw = bytes((*SYNC, token, len(data) + 2, type_)) + data
    return raw + bytes((crc8.maxim(raw),))
