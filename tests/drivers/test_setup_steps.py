"""Steps: what need not succeed, what has to, who it is, asking and telling; on a link in memory."""

import dataclasses
import datetime
from typing import Final

import pytest

from drivers.codec import uuids
from drivers.codec.gatt_time import DateTime, encode_date_time
from drivers.kinds import DriverContext
from drivers.setup import steps as steps_module
from drivers.setup.ear import Ear
from drivers.setup.known import Known, Skipped
from drivers.setup.session import SetUpDriver
from drivers.setup.steps import (
    Ask,
    AskForRecords,
    Bond,
    LookAtClock,
    Read,
    ReadBattery,
    ReadIdentity,
    Require,
    SetClock,
    SetDateTime,
    Step,
    Subscribe,
    Write,
)
from edge.ports.driver import (
    DeviceError,
    DeviceMisbehaved,
)
from edge.vitals.identity import Identity
from edge.vitals.reading import Reading
from tests.drivers.radio_fake import FakeRadio
from tests.drivers.setup_gauge import (
    CONTROL,
    LISTEN,
    NOW,
    PORT,
    VALUE,
    GaugeEar,
    GaugeLink,
    driver_of,
    gauge,
    heard_by,
    numbers,
)

# ── What need not succeed ────────────────────────────────────────────────────────────────────────

OPTIONAL: Final[list[tuple[Step, str]]] = [
    (Read(uuids.BLOOD_PRESSURE_FEATURE), uuids.BLOOD_PRESSURE_FEATURE),
    (ReadIdentity(), uuids.MODEL_NUMBER),
    (ReadBattery(), uuids.BATTERY_LEVEL),
    (LookAtClock(), uuids.DATE_TIME),
    (SetDateTime(), uuids.DATE_TIME),
    (SetClock(CONTROL, lambda wall: bytes([wall.hour])), CONTROL),
    (Subscribe(CONTROL, optional=True), CONTROL),
    (Write(CONTROL, b"\x01", optional=True), CONTROL),
    (AskForRecords(CONTROL, b"\x01\x01", abort=b"\x03\x00", optional=True), CONTROL),
    (Ask("who", b"?", lambda _: True, CONTROL, within_s=0.02, optional=True), CONTROL),
]


@pytest.mark.parametrize(("step", "channel"), OPTIONAL, ids=lambda value: type(value).__name__)
@pytest.mark.parametrize("how", ["refuses", "ignores", "lacks"])
async def test_what_is_optional_never_stops_a_reading(
    monkeypatch: pytest.MonkeyPatch, step: Step, channel: str, how: str
) -> None:
    monkeypatch.setattr(steps_module, "OPTIONAL_WITHIN_S", 0.02)
    link = GaugeLink(b"\x48", values={channel: b"\x00" * 7})
    if how == "lacks":
        del link.values[channel]
        link.notifying = (VALUE,)
    else:
        getattr(link, how).add(channel)
    driver = driver_of(link, gauge(step, LISTEN), NOW)
    assert numbers(await heard_by(driver)) == [0x48]
    assert driver.known is not None
    codes = {skipped.code for skipped in driver.known.skipped}
    expected = {"refuses": "ble-refused", "ignores": "device-silent", "lacks": "ble-characteristic-missing"}
    assert codes <= {expected[how]}
    assert codes or how == "lacks"


async def test_what_a_device_may_lack_it_may_not_refuse() -> None:
    may_lack = Subscribe(CONTROL, if_there=True)
    link = GaugeLink(b"\x48")
    link.refuses.add(CONTROL)
    with pytest.raises(DeviceMisbehaved):
        await heard_by(driver_of(link, gauge(may_lack, LISTEN)))
    lacking = GaugeLink(b"\x48")
    lacking.values.clear()
    lacking.notifying = (VALUE,)
    assert numbers(await heard_by(driver_of(lacking, gauge(may_lack, LISTEN)))) == [0x48]


async def test_what_was_skipped_is_told_by_name_and_code() -> None:
    link = GaugeLink(values={uuids.BATTERY_LEVEL: b"\x50"})
    link.refuses.add(uuids.BATTERY_LEVEL)
    driver = driver_of(link, gauge(ReadBattery(), Subscribe(uuids.CURRENT_TIME, optional=True), LISTEN))
    await heard_by(driver)
    assert driver.known is not None
    assert driver.known.skipped == [
        Skipped("ReadBattery", "ble-refused"),
        Skipped("Subscribe", "ble-characteristic-missing"),
    ]


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (Require(uuids.GLUCOSE_MEASUREMENT, "measures no glucose"), "device-not-understood"),
        (Read(uuids.GLUCOSE_FEATURE, lacks="measures no glucose", optional=False), "device-not-understood"),
        (Read(CONTROL, accept=lambda _: False, lacks="is none", optional=False), "device-not-understood"),
        (Subscribe(uuids.GLUCOSE_MEASUREMENT), "ble-characteristic-missing"),
        (Write(uuids.GLUCOSE_MEASUREMENT, b"\x01"), "ble-characteristic-missing"),
        (AskForRecords(uuids.GLUCOSE_MEASUREMENT, b"\x01"), "ble-characteristic-missing"),
        (Ask("who", b"?", lambda _: True, CONTROL, within_s=0.02), "device-silent"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_has_to_be_done_ends_the_session_with_a_code(step: Step, code: str) -> None:
    with pytest.raises(DeviceError) as ended:
        await heard_by(driver_of(GaugeLink(b"\x48"), gauge(step, LISTEN)))
    assert ended.value.stable_code == code
    if code.startswith("device-"):
        assert ended.value.next_step


# ── Who it is, and its clock ─────────────────────────────────────────────────────────────────────

ABOUT: Final = {uuids.MODEL_NUMBER: b"G-1", uuids.SERIAL_NUMBER: b"7", uuids.BATTERY_LEVEL: b"\x09"}


async def test_every_reading_says_which_device_it_was_and_that_its_battery_is_low() -> None:
    link = GaugeLink(b"\x48", b"\x49", values=dict(ABOUT))
    for event in await heard_by(driver_of(link, gauge(ReadIdentity(), ReadBattery(), LISTEN))):
        assert isinstance(event, Reading)
        assert event.identity == Identity(model="G-1", serial="7", battery_percent=9)
        assert event.flags == ("low-battery",)


async def test_a_device_that_says_nothing_of_itself_has_no_identity() -> None:
    (event,) = await heard_by(driver_of(GaugeLink(b"\x48"), gauge(ReadIdentity(), ReadBattery(), LISTEN)))
    assert isinstance(event, Reading)
    assert (event.identity, event.flags) == (None, ())


async def test_who_is_asked_once_for_each_address() -> None:
    links = [GaugeLink(b"\x48", values=dict(ABOUT)) for _ in range(3)]
    links[2].address = "F0:F1:F2:F3:F4:F6"
    for serial, link in zip((b"7", b"8", b"9"), links, strict=True):
        link.values[uuids.SERIAL_NUMBER] = serial
    driver = SetUpDriver(
        DriverContext("gauge-1", PORT, FakeRadio(*links)), gauge(ReadIdentity(), ReadBattery(), LISTEN)
    )
    serials = []
    for _ in links:
        await heard_by(driver)
        serials.append(driver.identity.serial)
    assert serials == ["7", "7", "9"]


@pytest.mark.parametrize(("slow_s", "wall", "off_s"), [(90, NOW, -90.0), (0, NOW, 0.0), (90, None, None)])
async def test_how_far_the_clock_was_off_is_told_as_it_was_before_it_was_set(
    slow_s: int, wall: datetime.datetime | None, off_s: float | None
) -> None:
    clock = encode_date_time(DateTime.of(NOW - datetime.timedelta(seconds=slow_s)))
    link = GaugeLink(b"\x48", values={uuids.DATE_TIME: clock})
    (event,) = await heard_by(driver_of(link, gauge(LookAtClock(), SetDateTime(), LISTEN), wall))
    assert isinstance(event, Reading)
    assert event.clock_off_s == off_s
    set_to = [data for uuid, data, _ in link.written if uuid == uuids.DATE_TIME]
    assert set_to == ([] if wall is None else [encode_date_time(DateTime.of(wall))])


async def test_a_clock_that_nobody_ever_set_is_not_taken_for_one_that_is_off() -> None:
    link = GaugeLink(b"\x48", values={uuids.DATE_TIME: bytes.fromhex("E3070101000000")})
    (event,) = await heard_by(driver_of(link, gauge(LookAtClock(), LISTEN), NOW))
    assert isinstance(event, Reading)
    assert event.clock_off_s is None


# ── Asking and telling ───────────────────────────────────────────────────────────────────────────


async def test_a_question_is_asked_again_and_what_else_comes_is_kept_in_order() -> None:
    link = GaugeLink(b"\x48", b"\x49", hangs_up=False)
    asked: list[bytes] = []

    def answer(data: bytes) -> bytes | None:
        asked.append(data)
        return b"me" if len(asked) == 3 else None

    link.answer = answer
    who = Ask("who", b"?", lambda raw: raw == b"me", CONTROL, within_s=0.05, tries=3)
    driver = driver_of(link, gauge(Subscribe(CONTROL), LISTEN, who))
    assert numbers(await heard_by(driver)) == [0x48, 0x49]
    assert asked == [b"?", b"?", b"?", b"bye"]
    assert driver.known is not None
    assert driver.known.answers == {"who": b"me"}


async def test_an_answer_may_tell_who_it_is() -> None:
    def learn(known: Known, raw: bytes) -> None:
        known.identity = Identity(serial=raw.decode())

    link = GaugeLink(b"\x48")
    link.answer = lambda _: b"S-12"
    who = Ask("who", b"?", lambda raw: raw[:1] == b"S", CONTROL, learn=learn, within_s=5)
    (event,) = await heard_by(driver_of(link, gauge(Subscribe(CONTROL), who, LISTEN)))
    assert isinstance(event, Reading)
    assert event.identity == Identity(serial="S-12")


async def test_a_control_point_at_work_for_somebody_else_is_told_to_abort_and_asked_again() -> None:
    link = GaugeLink(b"\x48")
    link.refuses.add(CONTROL)

    def answer(data: bytes) -> None:
        raise AssertionError(data)

    link.answer = answer

    async def write(uuid: str, data: bytes, *, response: bool) -> None:
        link.written.append((uuid, data, response))
        if data == b"\x01\x01" and len(link.written) == 1:
            raise DeviceMisbehaved("In progress.", code="ble-refused")

    link.write = write  # type: ignore[method-assign]  # this one refuses the first time alone
    family = gauge(LISTEN, AskForRecords(CONTROL, b"\x01\x01", abort=b"\x03\x00"))
    await heard_by(driver_of(link, dataclasses.replace(family, ear=_silent_goodbye)))
    assert [data for _, data, _ in link.written] == [b"\x01\x01", b"\x03\x00", b"\x01\x01"]


def _silent_goodbye(known: Known) -> Ear:
    ear = GaugeEar(known)
    ear.goodbye = tuple  # type: ignore[method-assign]  # nothing to say
    return ear


async def test_what_is_written_may_follow_from_what_is_known() -> None:
    link = GaugeLink(values={uuids.BATTERY_LEVEL: b"\x50"}, hangs_up=False)
    family = gauge(
        ReadBattery(),
        Write(CONTROL, lambda known: bytes([known.identity.battery_percent or 0])),
        Write(CONTROL, lambda _: None),
        LISTEN,
    )
    await heard_by(driver_of(link, family))
    assert [data for _, data, _ in link.written] == [b"\x50", b"bye"]


@pytest.mark.parametrize("bond", [True, False])
async def test_a_bond_is_asked_of_the_radio(bond: bool) -> None:
    radio = FakeRadio(GaugeLink())
    family = gauge(*([Bond()] if bond else []), LISTEN)
    await heard_by(SetUpDriver(DriverContext("gauge-1", PORT, radio), family))
    assert [wanted.bond for wanted in radio.wanted] == [bond]
