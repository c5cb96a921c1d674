"""An Omron cuff as it looks from its link: its memory, and how it answers. No radio, no clock of its own."""

import datetime
from typing import Final

from drivers.codec.gatt_time import DateTime
from drivers.devices.omron_hem.codec import (
    IN_PAIRING_MODE,
    KEY_SET,
    PAIRING_MODE,
    UNLOCKED,
    Packet,
    Type,
    decode_packet,
    encode_packet,
)
from drivers.devices.omron_hem.records import Model, Record, encode_record
from edge.ports.driver import DeviceMisbehaved

REFUSED: Final = b"\x8f\x00"
"""What a cuff says to a key that is not its own; any answer but the right one is taken for it."""
DEVICE_ID_BYTES: Final = 16
_ERASED: Final = 0xFF
_ANSWER: Final = 0x8000
_MOST: Final = 299


class Memory:
    """What the cuff keeps: every slot of every user, erased until something is written there.

    The slots of a user are a ring: when it is full, the oldest gives way, in the middle of the others.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._slots = [[b"\xff" * model.layout.size] * model.count for _ in model.users]
        self._next = [0] * len(model.users)

    def keep(self, record: Record, user: int = 0) -> None:
        """Write a record where the next one goes."""
        slots = self._slots[user]
        slots[self._next[user]] = encode_record(record, self._model.layout)
        self._next[user] = (self._next[user] + 1) % len(slots)

    def read(self, address: int, count: int) -> bytes:
        """Bytes of the memory; erased where there are no records."""
        return bytes(self._at(place) for place in range(address, address + count))

    def _at(self, place: int) -> int:
        for start, slots in zip(self._model.users, self._slots, strict=True):
            slot, byte = divmod(place - start, self._model.layout.size)
            if 0 <= slot < len(slots):
                return slots[slot][byte]
        return _ERASED


class Unit:
    """One simulated cuff.

    Args:
        model: which one.
        key: the one it was given, or None when it was never paired.
    """

    def __init__(self, model: Model, key: bytes | None) -> None:
        self.model: Final = model
        self.memory: Final = Memory(model)
        self.key = key
        self.pairing = False
        self.mute = False
        self._programming = False
        self._unlocked = False

    def meet(self) -> None:
        """Somebody has connected."""
        self._programming = self._unlocked = False

    def measured(
        self, found: tuple[int, int, int], at: datetime.datetime, *, irregular: bool = False
    ) -> None:
        """A measurement has come to its end: systolic, diastolic, pulse."""
        systolic, diastolic, pulse = (min(number, _MOST) for number in found)
        self.memory.keep(
            Record(systolic, min(diastolic, 255), min(pulse, 255), DateTime.of(at), irregular=irregular)
        )

    def unlock(self, asked: bytes) -> bytes:
        """What the unlock channel answers."""
        match asked[:1]:
            case b"\x02" if asked == PAIRING_MODE and self.pairing:
                self._programming = True
                return IN_PAIRING_MODE
            case b"\x00" if self._programming and len(asked) == 17:
                self.key, self._programming, self.pairing = asked[1:], False, False
                return KEY_SET
            case b"\x01" if self.key is not None and asked[1:] == self.key:
                self._unlocked = True
                return UNLOCKED
            case _:
                return REFUSED

    def answer(self, raw: bytes) -> bytes:
        """The packet that answers a packet; nothing to one that is damaged, or before it is unlocked."""
        try:
            asked = decode_packet(raw)
        except DeviceMisbehaved:
            return b""
        if self.mute or not self._unlocked:
            return b""
        match asked.type:
            case Type.BEGIN:
                return encode_packet(Packet(Type.BEGIN | _ANSWER, 0, bytes(DEVICE_ID_BYTES)))
            case Type.READ:
                data = self.memory.read(asked.address, raw[5])
                return encode_packet(Packet(Type.READ | _ANSWER, asked.address, data))
            case Type.END:
                return encode_packet(Packet(Type.END | _ANSWER, 0, b""))
            case _:
                return b""
