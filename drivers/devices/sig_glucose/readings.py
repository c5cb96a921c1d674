"""From the records of a glucose meter to what is handed on. Pure: the time of the host is an argument."""

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from drivers.codec import uuids
from drivers.codec.racp import check_record_access
from drivers.codec.record_times import Now
from drivers.codec.sfloat import Special, has_special_mantissa
from drivers.decoding import Chunk, Decoded, decode_values, unknown_characteristic
from drivers.devices.sig_glucose.codec import (
    Context,
    Glucose,
    Health,
    Meal,
    Sample,
    Site,
    Status,
    decode_context,
    decode_features,
    decode_measurement,
)
from edge.vitals.codes import Code
from edge.vitals.conversion import to_stored
from edge.vitals.quantity import Measured, Missing, MissingReason, Unit
from edge.vitals.reading import Mode, Reading

CONTROL_SOLUTION: Final = "control-solution"
CONTEXT_MISSING: Final = "context-missing"
FROM_MEMORY: Final = "from-memory"

_FAULTS: Final = (
    (Status.SENSOR_MALFUNCTION, "sensor-malfunction"),
    (Status.SAMPLE_TOO_SMALL, "sample-too-small"),
    (Status.STRIP_INSERTION, "strip-insertion"),
    (Status.STRIP_TYPE, "wrong-strip"),
    (Status.TOO_HOT, "too-hot"),
    (Status.TOO_COLD, "too-cold"),
    (Status.STRIP_PULLED, "strip-pulled"),
    (Status.DEVICE_FAULT, "device-fault"),
)
"""With any of these the test was none, whatever number stands beside it."""
_FAULT_BITS: Final = sum(bit for bit, _ in _FAULTS)
_BEYOND_BITS: Final = Status.ABOVE_RANGE | Status.BELOW_RANGE
"""Both at once contradict each other, so they say neither."""
_NOTES: Final = ((Status.LOW_BATTERY, "low-battery"), (Status.TIME_FAULT, "device-time-fault"))
_SAMPLES: Final = {
    Sample.CAPILLARY_BLOOD: "capillary-whole-blood",
    Sample.CAPILLARY_PLASMA: "capillary-plasma",
    Sample.VENOUS_BLOOD: "venous-whole-blood",
    Sample.VENOUS_PLASMA: "venous-plasma",
    Sample.ARTERIAL_BLOOD: "arterial-whole-blood",
    Sample.ARTERIAL_PLASMA: "arterial-plasma",
    Sample.UNDETERMINED_BLOOD: "undetermined-whole-blood",
    Sample.UNDETERMINED_PLASMA: "undetermined-plasma",
    Sample.INTERSTITIAL_FLUID: "interstitial-fluid",
}
_SITES: Final = {Site.FINGER: "finger", Site.ALTERNATE: "alternate-site", Site.EARLOBE: "earlobe"}
_MEALS: Final = {
    Meal.BEFORE: "before-meal",
    Meal.AFTER: "after-meal",
    Meal.FASTING: "fasting",
    Meal.CASUAL: "casual",
    Meal.BEDTIME: "bedtime",
}
_HEALTH: Final = {
    Health.MINOR_ISSUES: "minor-illness",
    Health.MAJOR_ISSUES: "major-illness",
    Health.DURING_MENSES: "during-menses",
    Health.UNDER_STRESS: "under-stress",
}


def record(said: Glucose, raw: bytes, context: bytes | None, now: Now) -> Reading:
    """The reading in one record, with what its user told the meter of it.

    Args:
        said: the record, as `decode_measurement` read it from ``raw``.
        raw: the value of 0x2A18.
        context: the value of 0x2A34 that goes with it, or None.
        now: the clocks as it arrived.

    Raises:
        DeviceMisbehaved: the context is shorter than its flags promise.
    """
    reading = _reading(said, raw, context, now.host)
    of_now = now.is_just_taken(reading.at)
    return dataclasses.replace(
        reading,
        flags=reading.flags if of_now else (*reading.flags, FROM_MEMORY),
        record=raw,
        just_taken=of_now and not _is_control(said),
        stored=not of_now,
    )


@dataclasses.dataclass(slots=True)
class _Held:
    said: Glucose
    raw: bytes
    context: bytes | None = None


Make = Callable[[Glucose, bytes, bytes | None], Reading]


class Joiner:
    """Puts records and contexts with the same sequence number together, whichever comes first.

    Readings come out in the order of the records. A record that promises a context waits for it until
    ``HOLDS`` more have come; one that promises none, until the next has come, for there are meters that
    send one all the same. Bounded: what waits longest gives way.
    """

    HOLDS: Final = 32

    def __init__(self, make: Make) -> None:
        self._make = make
        self._held: list[_Held] = []
        self._early: dict[int, bytes] = {}

    def measurement(self, raw: bytes) -> list[Reading]:
        """Take a value of 0x2A18.

        Raises:
            DeviceMisbehaved: it is shorter than its flags promise.
        """
        said = decode_measurement(raw)
        self._held.append(_Held(said, raw, self._early.pop(said.sequence, None)))
        return self._ready()

    def context(self, raw: bytes) -> list[Reading]:
        """Take a value of 0x2A34.

        Raises:
            DeviceMisbehaved: it is shorter than its flags promise.
        """
        sequence = decode_context(raw).sequence
        for held in self._held:
            if held.said.sequence == sequence and held.context is None:
                held.context = raw
                return self._ready()
        self._early[sequence] = raw
        if len(self._early) > self.HOLDS:
            del self._early[next(iter(self._early))]
        return []

    def finish(self) -> list[Reading]:
        """Nothing more comes: give what waits."""
        held, self._held = self._held, []
        self._early.clear()
        return [self._give(one) for one in held]

    def _ready(self) -> list[Reading]:
        given: list[Reading] = []
        while self._held and self._may_go(self._held[0], len(self._held) - 1):
            given.append(self._give(self._held.pop(0)))
        return given

    def _may_go(self, held: _Held, later: int) -> bool:
        return held.context is not None or later >= (self.HOLDS if held.said.context else 1)

    def _give(self, held: _Held) -> Reading:
        return self._make(held.said, held.raw, held.context)


def decode_chunks(chunks: Sequence[Chunk]) -> Decoded:
    """All that some values said, in the order of the records; a context may stand anywhere."""
    records: list[_Held] = []
    contexts: dict[int, list[bytes]] = {}

    def take(characteristic: str, raw: bytes) -> None:
        match characteristic:
            case uuids.GLUCOSE_MEASUREMENT:
                records.append(_Held(decode_measurement(raw), raw))
            case uuids.GLUCOSE_CONTEXT:
                contexts.setdefault(decode_context(raw).sequence, []).append(raw)
            case uuids.GLUCOSE_FEATURE:
                decode_features(raw)
            case uuids.RECORD_ACCESS_CONTROL_POINT:
                check_record_access(raw)
            case _:
                raise unknown_characteristic(raw)

    refused = decode_values(chunks, uuids.GLUCOSE_MEASUREMENT, take)
    readings: list[Reading] = []
    for one in records:
        waiting = contexts.get(one.said.sequence)
        readings.append(_reading(one.said, one.raw, waiting.pop(0) if waiting else None, None))
    return Decoded(tuple(readings), tuple(refused))


def _reading(said: Glucose, raw: bytes, context: bytes | None, host: datetime.datetime | None) -> Reading:
    at = _at(said, host)
    measured = _measured(said)
    converted: tuple[tuple[Code, Decimal, Unit], ...] = ()
    if not isinstance(measured, Missing) and said.concentration is not None:
        assert not isinstance(said.concentration.value, Special)  # noqa: S101  a number came of it
        converted = ((Code.GLUCOSE, said.concentration.value, _unit(said)),)
    about = None if context is None else decode_context(context)
    return Reading(
        ((Code.GLUCOSE, measured),),
        _flags(said, raw, about, at),
        at=at,
        mode=Mode.SPOT,
        converted=converted,
        raw=raw + (context or b""),
    )


def _at(said: Glucose, host: datetime.datetime | None) -> datetime.datetime | None:
    """What the meter's display showed, if that can be believed."""
    if said.time is None or _status(said) & Status.TIME_FAULT:
        return None
    return said.time.plausible(host)


def _status(said: Glucose) -> int:
    return 0 if said.status is None else said.status


def _is_control(said: Glucose) -> bool:
    """Whether it is of the control solution, by which users see whether the meter is well."""
    what = said.concentration
    return what is not None and (what.sample == Sample.CONTROL_SOLUTION or what.site == Site.CONTROL_SOLUTION)


def _unit(said: Glucose) -> Unit:
    return Unit.MOLE_PER_LITRE if said.moles else Unit.KILOGRAM_PER_LITRE


def _measured(said: Glucose) -> Measured:
    value = None if said.concentration is None else said.concentration.value
    reasons = (
        (_is_control(said), MissingReason.TEST),
        (_status(said) & _FAULT_BITS, MissingReason.INVALID),
        (_status(said) & _BEYOND_BITS == _BEYOND_BITS, MissingReason.INVALID),
        (_status(said) & Status.ABOVE_RANGE or value is Special.PLUS_INFINITY, MissingReason.ABOVE_RANGE),
        (_status(said) & Status.BELOW_RANGE or value is Special.MINUS_INFINITY, MissingReason.BELOW_RANGE),
        (value is None, MissingReason.NOT_MEASURED),
        (isinstance(value, Special) or (value is not None and value <= 0), MissingReason.INVALID),
    )
    why = next((why for holds, why in reasons if holds), None)
    if why is not None or value is None or isinstance(value, Special):
        return Missing(why or MissingReason.INVALID)
    stored = to_stored(Code.GLUCOSE, value, _unit(said))
    assert stored is not None  # noqa: S101  both units are accepted
    return stored


def _flags(said: Glucose, raw: bytes, about: Context | None, at: datetime.datetime | None) -> tuple[str, ...]:
    """What the meter said beside the number; each word is explained in this folder's README."""
    what = said.concentration
    words = (
        CONTROL_SOLUTION if _is_control(said) else None,
        _SAMPLES.get(Sample(what.sample)) if what and what.sample in _SAMPLES else None,
        _SITES.get(Site(what.site)) if what and what.site in _SITES else None,
        *(word for bit, word in (*_FAULTS, *_NOTES) if _status(said) & bit),
        *_context_words(about),
        CONTEXT_MISSING if said.context and about is None else None,
        "special-mantissa" if what and has_special_mantissa(_concentration_bytes(said, raw)) else None,
        "device-time-implausible" if _implausible(said, at) else None,
        "extra-bytes" if said.extra or (about and about.extra) else None,
    )
    return tuple(word for word in words if word)


def _context_words(about: Context | None) -> tuple[str | None, ...]:
    if about is None:
        return ()
    meal = _MEALS[Meal(about.meal)] if about.meal in _MEALS else None
    health = _HEALTH[Health(about.health)] if about.health in _HEALTH else None
    return meal, health


def _concentration_bytes(said: Glucose, raw: bytes) -> bytes:
    at = 10 if said.offset_min is None else 12
    return raw[at : at + 2]


def _implausible(said: Glucose, at: datetime.datetime | None) -> bool:
    return said.base.is_known and at is None and not _status(said) & Status.TIME_FAULT
