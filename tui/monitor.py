"""The numbers of the capture screen: which is shown, how old it is, and when it is one no longer. Pure."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Final

from edge.localapi.events import ReadingEvent
from edge.localapi.shapes import ObservationShown, ShownValue
from edge.vitals.codes import VITALS, Code

STREAM_STALE_S: Final = 10.0
SPOT_STALE_S: Final = 15 * 60.0
"""A single measurement older than this is history: it stands in the list of records."""
PUMPING_FOR_S: Final = 3.0
"""A cuff that measures sends its pressure every half second."""
EMPTY_MMHG: Final = 5
"""An empty cuff shows a little; it goes on showing it while nobody measures."""
NOTHING: Final = "--"


class Kind(StrEnum):
    """The tiles; the value is their code in the catalogue."""

    PRESSURE = "pressure"
    OXYGEN = "oxygen"
    PULSE = "pulse"
    HEART = "heart"
    TEMPERATURE = "temperature"
    RESPIRATION = "respiration"
    GLUCOSE = "glucose"
    WEIGHT = "weight"
    HEIGHT = "height"
    PAIN = "pain"


CODES: Final[Mapping[Kind, tuple[Code, ...]]] = {
    Kind.PRESSURE: (Code.SYSTOLIC, Code.DIASTOLIC),
    Kind.OXYGEN: (Code.OXYGEN_SATURATION,),
    Kind.PULSE: (Code.PULSE_OXIMETER, Code.PULSE_CUFF),
    Kind.HEART: (Code.HEART_RATE,),
    Kind.TEMPERATURE: (Code.TEMPERATURE,),
    Kind.RESPIRATION: (Code.RESPIRATORY_RATE,),
    Kind.GLUCOSE: (Code.GLUCOSE,),
    Kind.WEIGHT: (Code.WEIGHT,),
    Kind.HEIGHT: (Code.HEIGHT,),
    Kind.PAIN: (Code.PAIN,),
}
"""What a tile shows: the first that is there; both of a pressure."""
ALWAYS: Final = frozenset({Kind.PRESSURE, Kind.OXYGEN, Kind.PULSE, Kind.HEART})
"""Tiles that are there before there is a number; the others come with their first."""
STREAMED: Final = frozenset(
    {
        Code.OXYGEN_SATURATION,
        Code.PULSE_OXIMETER,
        Code.HEART_RATE,
        Code.RESPIRATORY_RATE,
        Code.PERFUSION_INDEX,
    }
)
"""Codes of displays that go on: what is stored of one says nothing of now."""
OF_THE_HEART: Final = frozenset({"lead-off"})
"""Flags of a reading that say nothing of its other numbers: a board's electrode and its finger sensor."""
UNITS: Final[Mapping[Kind, str]] = {
    Kind.PRESSURE: "mmHg",
    Kind.OXYGEN: "%",
    Kind.PULSE: "/min",
    Kind.HEART: "/min",
    Kind.TEMPERATURE: "°C",
    Kind.RESPIRATION: "/min",
    Kind.GLUCOSE: "mg/dL",
    Kind.WEIGHT: "kg",
    Kind.HEIGHT: "cm",
    Kind.PAIN: "/10",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Tile:
    """What a tile shows.

    Attributes:
        value: the number as text, or `NOTHING`.
        age_s: how old it is; of what is no longer shown too; None when nothing ever came.
        missing: the device's reason why there is no number.
        stale: there was a number and it is too old to be shown.
        settled: the display is steady, so it was or may be kept.
        kept: the number that is stored, or None.
        manual: a person typed it.
        flags: what the device said beside it.
        pumping: what a cuff holds while it measures.
        device: which said it, as long as it is shown.
        running: it is the present moment of a display, not a measurement that is over.
    """

    kind: Kind
    value: str = NOTHING
    age_s: float | None = None
    missing: str | None = None
    stale: bool = False
    settled: bool = False
    kept: str | None = None
    manual: bool = False
    flags: tuple[str, ...] = ()
    pumping: str | None = None
    device: str | None = None
    running: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class _Seen:
    value: str | None
    missing: str | None
    at_s: float
    settled: bool = False
    manual: bool = False
    flags: tuple[str, ...] = ()
    device: str | None = None
    running: bool = False


class Monitor:
    """Follows what devices show and what is stored of one visit."""

    def __init__(self) -> None:
        self._shown: dict[Code, dict[str, _Seen]] = {}
        self._followed: dict[Code, str] = {}
        self._stored: dict[Code, _Seen] = {}

    def hear(self, reading: ReadingEvent, now_s: float) -> None:
        """Take what a device shows now; what comes out of its memory is nobody's present value.

        Of several that show the same, one is followed for as long as it has a number: else a tile would
        change every moment, and a sensor that lies aside would hide the number of the one that is worn.
        """
        if reading.old:
            return
        for value in reading.values:
            code = _code(value.code)
            if code is None:
                continue
            flags = tuple(f for f in reading.flags if f not in OF_THE_HEART or code is Code.HEART_RATE)
            seen = _Seen(
                value.value, value.missing, now_s, reading.settled,
                flags=flags, device=reading.device, running=not reading.finished,
            )  # fmt: skip
            if reading.finished and code is Code.SYSTOLIC:
                self._shown.get(Code.CUFF_PRESSURE, {}).pop(reading.device, None)
            self._shown.setdefault(code, {})[reading.device] = seen
            followed = self._shown[code].get(self._followed.get(code, ""))
            if followed is None or not _is_number(followed, now_s):
                self._followed[code] = reading.device

    def hold(self, observations: Iterable[ObservationShown], now_s: float, wall_ms: int) -> None:
        """Take what is stored of the visit, with each value's age on the box's clock.

        What came out of a device's memory stands in the list of records alone: its time is the device's,
        and a clock that is wrong must not make an old value a present one.
        """
        self._stored = {}
        for each in observations:
            if each.old or each.corrected or each.source == "computed":
                continue
            code = _code(each.code)
            if code is not None:
                age_s = max(0.0, (wall_ms - each.wall_ms) / 1000)
                manual = each.source in {"manual", "late"}
                self._stored[code] = _Seen(each.value, each.missing, now_s - age_s, manual=manual)

    def kinds(self) -> tuple[Kind, ...]:
        """The tiles to show."""
        there = self._stored.keys() | self._shown.keys()
        return tuple(kind for kind in Kind if kind in ALWAYS or there.intersection(CODES[kind]))

    def pumping(self, now_s: float) -> frozenset[str]:
        """Cuffs that hold air now."""
        held = self._shown.get(Code.CUFF_PRESSURE, {})
        return frozenset(device for device, each in held.items() if _holds_air(each, now_s))

    def perfusion(self, now_s: float) -> str | None:
        """How well the finger is perfused, in percent, while a sensor says it."""
        seen = self._seen(Code.PERFUSION_INDEX, now_s)
        if seen is None or not _is_number(seen, now_s) or seen.value is None:
            return None
        return spelled(Code.PERFUSION_INDEX, seen.value)

    def shown_by(self, code: Code, now_s: float) -> str | None:
        """The device whose number stands on the screen, while there is one."""
        seen = self._seen(code, now_s)
        return seen.device if seen is not None and _is_number(seen, now_s) else None

    def tile(self, kind: Kind, now_s: float) -> Tile:
        """What a tile shows now."""
        tiles = [self._one(kind, code, now_s) for code in CODES[kind]]
        if kind is Kind.PRESSURE:
            return dataclasses.replace(_joined(tiles), pumping=self._pumping(now_s))
        return next((tile for tile in tiles if tile.value != NOTHING), tiles[0])

    def _pumping(self, now_s: float) -> str | None:
        held = self._shown.get(Code.CUFF_PRESSURE, {}).values()
        latest = max((each for each in held if _holds_air(each, now_s)), key=lambda e: e.at_s, default=None)
        return None if latest is None or latest.value is None else spelled(Code.CUFF_PRESSURE, latest.value)

    def _seen(self, code: Code, now_s: float) -> _Seen | None:
        """What is shown of a code: by the device that is followed, else what came last."""
        shown = self._shown.get(code, {})
        followed = shown.get(self._followed.get(code, ""))
        if code in STREAMED and followed is not None and _is_number(followed, now_s):
            return followed
        numbers = [each for each in shown.values() if code in STREAMED and _is_number(each, now_s)]
        return max(numbers or shown.values(), key=lambda each: each.at_s, default=None)

    def _one(self, kind: Kind, code: Code, now_s: float) -> Tile:
        shown, stored = self._seen(code, now_s), self._stored.get(code)
        seen = max((s for s in (shown, stored) if s is not None), key=lambda s: s.at_s, default=None)
        if shown is not None and _says_it_now(code, shown, stored, now_s):
            seen = shown  # what the sensor says now, though something was stored a second ago
        if seen is None:
            return Tile(kind)
        age_s = now_s - seen.at_s
        display = seen.running or (seen is stored and code in STREAMED and not seen.manual)
        stale = age_s > (STREAM_STALE_S if display else SPOT_STALE_S)
        return Tile(
            kind,
            NOTHING if stale or seen.value is None else spelled(code, seen.value),
            age_s,
            None if stale else seen.missing,
            stale=stale,
            settled=seen.settled,
            kept=None if stored is None or stored.value is None else spelled(code, stored.value),
            manual=seen.manual,
            flags=() if stale else seen.flags,
            device=None if stale else seen.device,
            running=display,
        )


def _says_it_now(code: Code, shown: _Seen, stored: _Seen | None, now_s: float) -> bool:
    """Whether what a device shows goes before what is stored, though that may be the later.

    What is stored of a display was on the display too, so of these codes only what a person typed is news.
    """
    if shown.running:
        return now_s - shown.at_s <= STREAM_STALE_S
    return code in STREAMED and stored is not None and not stored.manual


def _holds_air(seen: _Seen, now_s: float) -> bool:
    return seen.value is not None and now_s - seen.at_s <= PUMPING_FOR_S and Decimal(seen.value) > EMPTY_MMHG


def _is_number(seen: _Seen, now_s: float) -> bool:
    return seen.value is not None and now_s - seen.at_s <= STREAM_STALE_S


def spelled(code: Code, value: str) -> str:
    """A value with the decimals a screen shows of it."""
    try:
        step = Decimal(1).scaleb(-VITALS[code].decimals)
        return format(Decimal(value).quantize(step, ROUND_HALF_UP), "f")
    except ArithmeticError:
        return value


def measured(value: ShownValue | ObservationShown) -> str:
    """A value as a list shows it."""
    code = _code(value.code)
    if value.value is None:
        return NOTHING
    return value.value if code is None else spelled(code, value.value)


def _joined(tiles: Sequence[Tile]) -> Tile:
    """Systolic and diastolic as one; half a pressure is none."""
    first, second = tiles
    whole = NOTHING not in {first.value, second.value}
    value = f"{first.value}/{second.value}" if whole else NOTHING
    return dataclasses.replace(
        first, value=value, missing=first.missing or second.missing, stale=first.stale or second.stale
    )


def _code(text: str) -> Code | None:
    try:
        return Code(text)
    except ValueError:
        return None
