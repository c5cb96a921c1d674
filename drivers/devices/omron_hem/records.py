"""What stands in the memory of each model: where, how many, and which bits of a record mean what. Pure.

A record of the big-endian models, 14 bytes::

    0   1   diastolic          2   1   year minus 2000
    1   1   systolic minus 25  3   1   pulse
    4   2   15 moved, 14 irregular pulse, 13-10 month, 9-5 day, 4-0 hour     big endian
    6   2   11-6 minute, 5-0 second                                          big endian
    8   6   not known

Of the little-endian models, 16 bytes::

    0   1   systolic minus 25  2   1   pulse
    1   1   diastolic          3   1   5-0 year minus 2000
    4   2   15 moved, 14 irregular pulse, 13-10 month, 9-5 day, 4-0 hour     little endian
    6   2   11-6 minute, 5-0 second                                          little endian
    8   8   not known

A second may read 60 to 63 and means 59. A slot that was never written is all FF.

Sources: userx14/omblepy ``deviceSpecific/hem-7322t.py``, ``hem-7600t.py``, ``hem-7361t.py``,
``sharedDriver.py``; the bits of both are those of records that real cuffs sent (eigger/hass-omron issues
13 and 71).
"""

import dataclasses
import datetime
from typing import Final, Literal, NamedTuple

from drivers.codec.gatt_time import DateTime
from edge.ports.driver import DeviceMisbehaved

BAD_RECORD: Final = "bad-record"
SYSTOLIC_LESS: Final = 25
YEAR_LESS: Final = 2000
LAST_SECOND: Final = 59
LAST_YEAR: Final = 0x3F
"""Six bits in most models; in those with eight the other two are never set in this century."""


class Record(NamedTuple):
    """One measurement as it is kept; pressures in mmHg."""

    systolic: int
    diastolic: int
    pulse: int
    at: DateTime
    moved: bool = False
    irregular: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """How records look.

    Attributes:
        block: how much of the memory is read at once: whole records.
    """

    order: Literal["big", "little"]
    size: int
    block: int


BIG: Final = Layout("big", 14, 56)
LITTLE: Final = Layout("little", 16, 16)


@dataclasses.dataclass(frozen=True, slots=True)
class Model:
    """What is particular about a model.

    Attributes:
        name: as the cuff says it in its model number begins so, and open drivers call it.
        users: where the records of each user begin.
        count: how many records each user has; the memory is a ring, in no order of time.
    """

    name: str
    layout: Layout
    users: tuple[int, ...]
    count: int

    def blocks(self) -> list[int]:
        """Addresses to read, each `Layout.block` bytes."""
        size = self.count * self.layout.size
        return [start + at for start in self.users for at in range(0, size, self.layout.block)]

    def has(self, address: int, length: int) -> bool:
        """Whether these bytes of the memory are whole records of one user."""
        size = self.layout.size
        return not length % size and any(
            start <= address
            and address + length <= start + self.count * size
            and not (address - start) % size
            for start in self.users
        )


MODELS: Final = (
    Model("HEM-7322T", BIG, (0x02AC, 0x0824), 100),
    Model("HEM-7600T", BIG, (0x02AC,), 100),
    Model("HEM-7155T", LITTLE, (0x0098, 0x0458), 60),
    Model("HEM-7361T", LITTLE, (0x0098, 0x06D8), 100),
)


def model_called(name: str) -> Model | None:
    """The model of this name, whatever country it was made for (HEM-7322T-E)."""
    return next((model for model in MODELS if name.upper().startswith(model.name)), None)


def layout_at(address: int, length: int) -> Layout | None:
    """How the records there look, if any model that is known keeps whole ones there.

    No stretch is whole records of both layouts: a block is no multiple of the other's record.
    """
    found = {model.layout for model in MODELS if model.has(address, length)}
    return found.pop() if len(found) == 1 else None


def layout_of(length: int) -> Layout | None:
    """The layout with records of this length."""
    return next((layout for layout in (BIG, LITTLE) if layout.size == length), None)


def decode_record(raw: bytes, layout: Layout) -> Record | None:
    """Read a slot; None of one that was never written.

    Raises:
        DeviceMisbehaved: another length, or a time that no clock shows (``bad-record``).
    """
    if len(raw) != layout.size:
        raise DeviceMisbehaved(f"A record has {layout.size} bytes.", raw=raw, code=BAD_RECORD)
    if raw == b"\xff" * layout.size:
        return None
    if layout is BIG:
        diastolic, systolic, year, pulse = raw[:4]
    else:
        systolic, diastolic, pulse, year = raw[:4]
        year &= LAST_YEAR
    day, minute = (int.from_bytes(raw[at : at + 2], layout.order) for at in (4, 6))
    at = DateTime(
        YEAR_LESS + year,
        day >> 10 & 0x0F,
        day >> 5 & 0x1F,
        day & 0x1F,
        minute >> 6 & 0x3F,
        min(minute & 0x3F, LAST_SECOND),
    )
    if at.as_wall() is None or year > LAST_YEAR:
        raise DeviceMisbehaved("A record has a time that no clock shows.", raw=raw, code=BAD_RECORD)
    return Record(systolic + SYSTOLIC_LESS, diastolic, pulse, at, bool(day & 0x8000), bool(day & 0x4000))


def encode_record(said: Record, layout: Layout) -> bytes:
    """A slot with this measurement, for simulators."""
    year, systolic = said.at.year - YEAR_LESS, said.systolic - SYSTOLIC_LESS
    day = said.moved << 15 | said.irregular << 14 | said.at.month << 10 | said.at.day << 5 | said.at.hour
    minute = said.at.minute << 6 | said.at.second
    if layout is BIG:
        first = bytes((said.diastolic, systolic, year, said.pulse))
    else:
        first = bytes((systolic, said.diastolic, said.pulse, year))
    words = day.to_bytes(2, layout.order) + minute.to_bytes(2, layout.order)
    return (first + words).ljust(layout.size, b"\x00")


def time_of(record: Record) -> datetime.datetime:
    """When it was taken by the cuff's clock."""
    wall = record.at.as_wall()
    assert wall is not None  # noqa: S101  a record without such a time is never read
    return wall
