"""What a test of a device comes to: step after step, with the hint where it fails. Pure.

A device fails at its weakest point and says why with one code; the code tells which step that was. All
steps before it were passed, and of those after it nothing is known.
"""

import dataclasses
from enum import StrEnum
from typing import Final

from edge.errors import QafilaError
from edge.vitals.identity import Identity
from edge.vitals.place import NoPosition, Place
from edge.vitals.quantity import Missing, Quantity
from edge.vitals.reading import Reading

CLOCK_OFF_S: Final = 600.0
LOW_BATTERY_PERCENT: Final = 10
NOT_HEARD: Final = "not-heard"
NO_VALUE: Final = "no-value"


class Step(StrEnum):
    """What is tested, in order."""

    WAY = "way"
    """The port, or the Bluetooth adapter."""
    THERE = "there"
    """It is heard in the air, or answers on its cable."""
    PAIRED = "paired"
    UNDERSTOOD = "understood"
    """It is met, and is what the configuration says."""
    BATTERY = "battery"
    CLOCK = "clock"
    VALUE = "value"
    """It says a value, or why it has none."""


class Result(StrEnum):
    """How a step came out."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Not reached, or the device does not tell."""


@dataclasses.dataclass(frozen=True, slots=True)
class Checked:
    """One step and how it came out; ``code``, ``sentence`` and ``hint`` where there is something to say."""

    step: Step
    result: Result
    code: str | None = None
    sentence: str = ""
    hint: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of the device during the test.

    Attributes:
        bluetooth: how it is reached.
        ready: whether it was met and set up.
        error: how the last session ended, if by an error.
        reading: the last one, or None.
        place: the last one that a satellite receiver said, or None.
    """

    bluetooth: bool
    ready: bool
    error: QafilaError | None
    identity: Identity | None
    reading: Reading | None
    place: Place | None = None


_WAY: Final = frozenset(
    {"port-missing", "port-denied", "port-busy", "port-unusable", "port-stuck", "radio-missing", "radio-down"}
)
_THERE: Final = frozenset({"device-silent", "device-unplugged", "ble-unreachable", "ble-quarantined"})
_PAIRED: Final = frozenset({"ble-not-paired", "ble-pairing-failed", "bond-lost", "ble-keys-refused"})


def step_of(code: str) -> Step:
    """At which step a device that ends with this code failed."""
    if code in _WAY:
        return Step.WAY
    if code in _THERE:
        return Step.THERE
    return Step.PAIRED if code in _PAIRED else Step.UNDERSTOOD


def judged(seen: Seen) -> tuple[Checked, ...]:
    """Every step of the test, in order."""
    met = seen.ready or seen.reading is not None or seen.place is not None
    failed = None if met else _failed(seen)
    checked: list[Checked] = []
    for step in Step:
        if step is Step.PAIRED and not seen.bluetooth:
            continue
        if failed is not None:
            if step is failed.step:
                checked.append(failed)
            else:
                before = list(Step).index(step) < list(Step).index(failed.step)
                checked.append(Checked(step, Result.PASSED if before else Result.UNKNOWN))
            continue
        checked.append(_met(step, seen))
    return tuple(checked)


def passed(checked: tuple[Checked, ...]) -> bool:
    """Whether the device can be used: no step failed, and it was met."""
    results = {each.step: each.result for each in checked}
    return Result.FAILED not in results.values() and results[Step.UNDERSTOOD] is Result.PASSED


def _failed(seen: Seen) -> Checked:
    if seen.error is None:
        hint = (
            "switch it on near the box, or press its start button, and test again."
            if seen.bluetooth
            else "see that it is switched on and its cable sits firmly, and test again."
        )
        return Checked(
            Step.THERE, Result.FAILED, NOT_HEARD, "The device was not heard during the test.", hint
        )
    error = seen.error
    return Checked(
        step_of(error.stable_code), Result.FAILED, error.stable_code, error.sentence, error.next_step
    )


def _met(step: Step, seen: Seen) -> Checked:
    match step:
        case Step.BATTERY:
            return _battery(None if seen.identity is None else seen.identity.battery_percent)
        case Step.CLOCK:
            return _clock(None if seen.reading is None else seen.reading.clock_off_s)
        case Step.VALUE:
            return _value(seen.reading) if seen.place is None else _place(seen.place)
        case _:
            return Checked(step, Result.PASSED)


def _battery(percent: int | None) -> Checked:
    if percent is None:
        return Checked(Step.BATTERY, Result.UNKNOWN, sentence="The device does not tell.")
    sentence = f"{percent} %"
    if percent > LOW_BATTERY_PERCENT:
        return Checked(Step.BATTERY, Result.PASSED, sentence=sentence)
    return Checked(Step.BATTERY, Result.FAILED, "low-battery", sentence, "change or charge its batteries.")


def _clock(off_s: float | None) -> Checked:
    if off_s is None:
        return Checked(Step.CLOCK, Result.UNKNOWN, sentence="The device does not tell.")
    if abs(off_s) <= CLOCK_OFF_S:
        return Checked(Step.CLOCK, Result.PASSED, sentence=f"{off_s:+.0f} s")
    return Checked(
        Step.CLOCK,
        Result.FAILED,
        "clock-off",
        f"Its clock is {_span(off_s)} {'ahead' if off_s > 0 else 'behind'}.",
        "set its clock by its own menu; what it has stored is dated by it.",
    )


def _value(reading: Reading | None) -> Checked:
    if reading is None:
        return Checked(
            Step.VALUE,
            Result.UNKNOWN,
            NO_VALUE,
            "It said no value during the test.",
            "to see one, measure with it while the test runs.",
        )
    if any(isinstance(value, Quantity) for _, value in reading.values):
        return Checked(Step.VALUE, Result.PASSED)
    why = next((value.why.value for _, value in reading.values if isinstance(value, Missing)), "")
    return Checked(Step.VALUE, Result.PASSED, why or None, f"No number now: {why}." if why else "")


def _place(place: Place) -> Checked:
    if not isinstance(place.position, NoPosition):
        return Checked(Step.VALUE, Result.PASSED)
    why = place.position.value
    return Checked(
        Step.VALUE,
        Result.PASSED,
        why,
        f"No position now: {why}.",
        "give its antenna a free view of the sky for some minutes.",
    )


def _span(seconds: float) -> str:
    whole = abs(round(seconds))
    if whole < 7200:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 172_800 else f"{whole // 86_400} days"
