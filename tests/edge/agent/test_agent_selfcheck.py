"""What a test of a device comes to. Pure."""

import dataclasses
from decimal import Decimal

import pytest

from edge.agent.selfcheck import Checked, Result, Seen, Step, judged, passed
from edge.ports.driver import DeviceUnavailable
from edge.vitals.codes import Code
from edge.vitals.identity import Identity
from edge.vitals.quantity import Missing, MissingReason, Quantity, Unit
from edge.vitals.reading import Reading

MEASURED = Reading(((Code.PULSE_CUFF, Quantity(Decimal(70), Unit.PER_MINUTE)),))
NOTHING = Seen(bluetooth=True, ready=False, error=None, identity=None, reading=None)


def failing(code: str) -> Seen:
    return dataclasses.replace(NOTHING, error=DeviceUnavailable("No.", next_step="Do.", code=code))


def results(checked: tuple[Checked, ...]) -> str:
    return "".join({"passed": "+", "failed": "!", "unknown": "?"}[each.result.value] for each in checked)


@pytest.mark.parametrize(
    ("code", "in_the_air"),
    [
        ("radio-down", "!??????"),
        ("radio-missing", "!??????"),
        ("port-missing", "!??????"),
        ("ble-unreachable", "+!?????"),
        ("device-silent", "+!?????"),
        ("bond-lost", "++!????"),
        ("ble-not-paired", "++!????"),
        ("device-not-understood", "+++!???"),
        ("a-code-of-a-later-driver", "+++!???"),
    ],
)
def test_a_device_fails_at_the_step_its_code_names(code: str, in_the_air: str) -> None:
    checked = judged(failing(code))
    assert [each.step for each in checked] == list(Step)
    assert results(checked) == in_the_air
    [failed] = [each for each in checked if each.result is Result.FAILED]
    assert (failed.code, failed.sentence, failed.hint) == (code, "No.", "Do.")
    assert not passed(checked)


def test_on_a_cable_nothing_is_paired() -> None:
    checked = judged(dataclasses.replace(failing("device-silent"), bluetooth=False))
    assert Step.PAIRED not in {each.step for each in checked}
    assert results(checked) == "+!????"


@pytest.mark.parametrize("bluetooth", [True, False])
def test_a_device_that_is_never_heard_says_what_to_do(bluetooth: bool) -> None:
    checked = judged(dataclasses.replace(NOTHING, bluetooth=bluetooth))
    [failed] = [each for each in checked if each.result is Result.FAILED]
    assert (failed.step, failed.code) == (Step.THERE, "not-heard")
    assert failed.hint
    assert not passed(checked)


def test_a_device_that_is_met_can_be_used_though_it_says_no_value() -> None:
    checked = judged(dataclasses.replace(NOTHING, ready=True))
    assert results(checked) == "++++???"
    assert checked[-1].hint
    assert passed(checked)


def test_what_was_met_counts_more_than_how_it_ended() -> None:
    """A cuff hangs up when it has spoken; that is no failure."""
    checked = judged(dataclasses.replace(failing("ble-gone"), reading=MEASURED))
    assert results(checked) == "++++??+"
    assert passed(checked)


@pytest.mark.parametrize(
    ("percent", "off_s", "shown", "usable"),
    [
        (90, 3.0, "+++++++", True),
        (11, 600.0, "+++++++", True),
        (10, 0.0, "++++!++", False),
        (90, -601.0, "+++++!+", False),
        (None, None, "++++??+", True),
    ],
)
def test_battery_and_clock(percent: int | None, off_s: float | None, shown: str, usable: bool) -> None:
    reading = dataclasses.replace(MEASURED, clock_off_s=off_s)
    seen = dataclasses.replace(
        NOTHING, ready=True, identity=Identity(battery_percent=percent), reading=reading
    )
    checked = judged(seen)
    assert (results(checked), passed(checked)) == (shown, usable)
    assert all(each.hint for each in checked if each.result is Result.FAILED)


def test_no_number_is_told_with_its_reason() -> None:
    off = Reading(((Code.OXYGEN_SATURATION, Missing(MissingReason.SENSOR_OFF)),))
    value = judged(dataclasses.replace(NOTHING, reading=off))[-1]
    assert (value.result, value.code) == (Result.PASSED, "sensor-off")
    assert "sensor-off" in value.sentence


@pytest.mark.parametrize(
    ("off_s", "words"), [(-3660, "61 min behind"), (7200, "2 h ahead"), (-200_000, "2 days behind")]
)
def test_how_far_a_clock_is_off_in_words(off_s: float, words: str) -> None:
    seen = dataclasses.replace(NOTHING, reading=dataclasses.replace(MEASURED, clock_off_s=off_s))
    clock = next(each for each in judged(seen) if each.step is Step.CLOCK)
    assert words in clock.sentence
