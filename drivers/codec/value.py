"""Reading the value of a characteristic, field after field, whole or not at all.

Flags in a value's first byte say which fields follow. A value too short for them is refused whole: a
prefix read silently would take one field for another. Bytes beyond the last field are kept and counted,
because later versions of a profile append fields.
"""

from drivers.codec.gatt_time import DATE_TIME_BYTES, DateTime, decode_date_time
from drivers.codec.sfloat import MedicalFloat, decode_float, decode_sfloat
from edge.ports.driver import DeviceMisbehaved

TOO_SHORT = "frame-too-short"


class Value:
    """A value and how far it has been read; little endian.

    Each method raises `DeviceMisbehaved` (``frame-too-short``) when the value ends too early.
    """

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._raw):
            raise DeviceMisbehaved(
                f"{len(self._raw)} bytes, and at least {end} were promised.", raw=self._raw, code=TOO_SHORT
            )
        taken = self._raw[self._at : end]
        self._at = end
        return taken

    def unsigned(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def sfloat(self) -> MedicalFloat:
        return decode_sfloat(self.take(2))

    def float(self) -> MedicalFloat:
        return decode_float(self.take(4))

    def date_time(self) -> DateTime:
        return decode_date_time(self.take(DATE_TIME_BYTES))

    def rest(self) -> bytes:
        """Whatever is left, however much."""
        return self.take(len(self._raw) - self._at)
