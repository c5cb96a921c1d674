"""Packets by which Omron cuffs that know no standard let their memory be read. Bytes in, meaning out.

A packet, big endian::

    0   1   length of the whole packet
    1   2   type: 00 00 begin, 01 00 read, 01 C0 write, 0F 00 end; answered by the same with bit 7 of
            its first byte set
    3   2   address in the memory
    5   1   how many bytes of it
    6   n   those bytes
    +0  1   00
    +1  1   such that all bytes of the packet exclusive-ored are 0

It travels 16 bytes at a time over as many of four channels as it needs; what is left of the last is
padding. Before, the cuff is unlocked over a channel of its own: 01 and a key, answered by 81 00. The key
was put there when it was paired: 02 and 16 zeros, answered 82 00; 00 and the key, answered 80 00.

Sources: userx14/omblepy ``omblepy.py``; what a HEM-7322T sent, in eigger/hass-omron issue 13 and
userx14/omblepy issue 57.
"""

import functools
import operator
from enum import IntEnum
from typing import Final, NamedTuple

from drivers.codec import uuids
from edge.ports.driver import DeviceMisbehaved

SERVICE: Final = uuids.full("ECBE3980-C9A2-11E1-B1BD-0002A5D5C51B")
UNLOCK: Final = uuids.full("B305B680-AEE7-11E1-A730-0002A5D5C51B")
FROM_CUFF: Final = (
    uuids.full("49123040-AEE8-11E1-A74D-0002A5D5C51B"),
    uuids.full("4D0BF320-AEE8-11E1-A0D9-0002A5D5C51B"),
    uuids.full("5128CE60-AEE8-11E1-B84B-0002A5D5C51B"),
    uuids.full("560F1420-AEE8-11E1-8184-0002A5D5C51B"),
)
TO_CUFF: Final = (
    uuids.full("DB5B55E0-AEE7-11E1-965E-0002A5D5C51B"),
    uuids.full("E0B8A060-AEE7-11E1-92F4-0002A5D5C51B"),
    uuids.full("0AE12B00-AEE8-11E1-A192-0002A5D5C51B"),
    uuids.full("10E1BA60-AEE8-11E1-89E5-0002A5D5C51B"),
)
CHANNEL_BYTES: Final = 16
SHORTEST: Final = 8
LONGEST: Final = CHANNEL_BYTES * len(FROM_CUFF)
KEY_BYTES: Final = 16

TOO_SHORT: Final = "frame-too-short"
TOO_LONG: Final = "frame-too-long"
BAD_CHECKSUM: Final = "bad-checksum"
BAD_LENGTH: Final = "bad-length"
OUT_OF_ORDER: Final = "channel-out-of-order"
_ANSWER: Final = 0x8000


class Type(IntEnum):
    """What a packet asks; its answer has the highest bit set."""

    BEGIN = 0x0000
    READ = 0x0100
    WRITE = 0x01C0
    END = 0x0F00


class Packet(NamedTuple):
    """A whole packet.

    Attributes:
        type: one of `Type`, with the highest bit set in an answer.
    """

    type: int
    address: int
    data: bytes

    def answers(self, asked: Type) -> bool:
        """Whether it is the cuff's answer to this."""
        return self.type == asked | _ANSWER


def decode_packet(raw: bytes) -> Packet:
    """Read a whole packet, the padding behind it left out or not.

    Raises:
        DeviceMisbehaved: too short, of no length a packet has, or damaged.
    """
    size = raw[0] if raw else 0
    if raw and not SHORTEST <= size <= LONGEST:
        raise DeviceMisbehaved(f"No packet has {size} bytes.", raw=raw, code=BAD_LENGTH)
    if not raw or len(raw) < size:
        raise DeviceMisbehaved(f"{len(raw)} bytes of a packet of {size}.", raw=raw, code=TOO_SHORT)
    packet = raw[:size]
    if functools.reduce(operator.xor, packet):
        raise DeviceMisbehaved("A packet does not add up.", raw=raw, code=BAD_CHECKSUM)
    type_, address, count = int.from_bytes(packet[1:3], "big"), int.from_bytes(packet[3:5], "big"), packet[5]
    if type_ == Type.READ | _ANSWER and count > size - SHORTEST:
        raise DeviceMisbehaved("A packet has less than it counts.", raw=raw, code=TOO_SHORT)
    return Packet(type_, address, packet[6 : 6 + min(count, size - SHORTEST)])


def encode_packet(said: Packet, count: int | None = None) -> bytes:
    """Write a packet; of a request to read ``count`` is how many bytes are wanted.

    Raises:
        ValueError: more than fits.
    """
    size = SHORTEST + len(said.data)
    if size > LONGEST:
        raise ValueError("too much for one packet")
    body = bytes((size, *said.type.to_bytes(2, "big"), *said.address.to_bytes(2, "big")))
    body += bytes((len(said.data) if count is None else count,)) + said.data + b"\x00"
    return body + bytes((functools.reduce(operator.xor, body),))


BEGIN: Final = encode_packet(Packet(Type.BEGIN, 0, b""), 0x10)
END: Final = encode_packet(Packet(Type.END, 0, b""))


def read(address: int, count: int) -> bytes:
    """The request to read so many bytes of the memory."""
    return encode_packet(Packet(Type.READ, address, b""), count)


def split(packet: bytes) -> list[bytes]:
    """What to write to each channel."""
    return [packet[at : at + CHANNEL_BYTES] for at in range(0, len(packet), CHANNEL_BYTES)]


def padded(packet: bytes) -> list[bytes]:
    """What a cuff notifies on each channel: the last is filled with zeros."""
    return [part.ljust(CHANNEL_BYTES, b"\x00") for part in split(packet)]


class Assembler:
    """Puts packets together from their channels; holds one packet at most.

    What comes twice in a row, as radios sometimes do it, counts once.
    """

    def __init__(self) -> None:
        self._parts: dict[int, bytes] = {}
        self._last: tuple[int, bytes] | None = None

    @property
    def waiting(self) -> bool:
        """Whether part of a packet has come."""
        return bool(self._parts)

    @property
    def next_channel(self) -> int:
        """The first channel of which nothing has come."""
        return next(channel for channel in range(len(FROM_CUFF) + 1) if channel not in self._parts)

    def take(self, channel: int, raw: bytes) -> Packet | None:
        """Take what came on a channel, and give the packet it completes.

        Raises:
            DeviceMisbehaved: this makes no packet; what was held is forgotten.
        """
        again, self._last = (channel, raw) == self._last, (channel, raw)
        if again and channel and channel < len(FROM_CUFF):
            return None  # a packet of one part begins with its length on the first channel, and may come anew
        if again and self._parts.get(channel) == raw:
            return None
        if channel in self._parts or channel >= len(FROM_CUFF):
            held, self._parts = b"".join(self._parts.values()), {}
            raise DeviceMisbehaved("A channel spoke twice.", raw=held + raw, code=OUT_OF_ORDER)
        self._parts[channel] = raw
        first = self._parts.get(0)
        if first is None:
            return None
        size = first[0] if first else 0
        needed = range(-(-size // CHANNEL_BYTES))
        if SHORTEST <= size <= LONGEST and any(channel not in self._parts for channel in needed):
            short = [at for at in needed if at in self._parts and len(self._parts[at]) != CHANNEL_BYTES]
            if not short:
                return None
        whole = b"".join(self._parts[at] for at in sorted(self._parts))
        self._parts = {}
        return decode_packet(whole)

    def forget(self) -> bytes:
        """Give up what was held."""
        held, self._parts = b"".join(self._parts[at] for at in sorted(self._parts)), {}
        self._last = None
        return held


# ── Unlocking ────────────────────────────────────────────────────────────────────────────────────

PAIRING_MODE: Final = b"\x02" + bytes(KEY_BYTES)
IN_PAIRING_MODE: Final = b"\x82\x00"
KEY_SET: Final = b"\x80\x00"
UNLOCKED: Final = b"\x81\x00"


def set_key(key: bytes) -> bytes:
    """What gives a cuff in pairing mode its key.

    Raises:
        ValueError: a key of another length.
    """
    return b"\x00" + _checked(key)


def unlock(key: bytes) -> bytes:
    """What unlocks it.

    Raises:
        ValueError: a key of another length.
    """
    return b"\x01" + _checked(key)


def _checked(key: bytes) -> bytes:
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 16 bytes")
    return key
