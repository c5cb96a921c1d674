"""What the agent tells by itself is on the screen, without a look in between."""

from edge.localapi.events import DeviceEvent, DeviceForgotten, UnitEvent
from edge.localapi.shapes import ClockShown, IdentityShown, PlaceShown
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import NOW_MS, FakeAgent, Ticker, device


def asked(agent: FakeAgent) -> int:
    return sum(method == "status" for method, _ in agent.calls)


def identity(battery: int) -> IdentityShown:
    return IdentityShown(manufacturer="A&D", model="", serial="", firmware="", battery_percent=battery)


def unit(quality: str, off_ms: int | None, *, placed: bool) -> UnitEvent:
    place = PlaceShown(latitude="33.533", longitude="-5.100")
    clock = ClockShown(wall_ms=NOW_MS, quality=quality, off_ms=off_ms)
    return UnitEvent(clock=clock, place=place if placed else None)


async def test_a_better_clock_and_a_place() -> None:
    agent = FakeAgent()
    async with app(agent).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("f6")
        looks = asked(agent)
        agent.say(unit("none", 180_400, placed=False))
        await settled(pilot)
        shown = text(pilot)
        assert "horloge non réglée" in shown
        assert "3 min" in shown
        assert "33.533" not in shown
        agent.say(unit("gnss", 12, placed=True))
        await settled(pilot)
        shown = text(pilot)
        assert "horloge non réglée" not in shown
        assert "3 min" not in shown
        assert "33.533" in shown
        assert asked(agent) == looks


async def test_a_battery_a_new_device_and_one_that_is_given_up() -> None:
    agent, clock = FakeAgent(), Ticker()
    agent.devices = (device("cuff-1", "sig-bp", battery=80),)
    async with app(agent, clock=clock).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        await pilot.press("f6")
        await settled(pilot)
        looks = asked(agent)
        agent.say(
            DeviceEvent(key="cuff-1", state="present", code=None, kind="sig-bp", identity=identity(7)),
            DeviceEvent(key="scale-1", state="starting", code=None, kind="sig-scale"),
            DeviceEvent(key="of-tomorrow", state="present", code=None),
        )
        await settled(pilot)
        clock.s += 1.1  # the page is drawn once a second
        await settled(pilot)
        shown = text(pilot)
        assert "7 %" in shown
        assert "80 %" not in shown
        assert "scale-1" in shown
        assert "of-tomorrow" not in shown, "what its kind is nobody has said"
        agent.say(DeviceForgotten(key="scale-1"))
        await settled(pilot)
        clock.s += 1.1
        await settled(pilot)
        assert "scale-1" not in text(pilot)
        assert asked(agent) == looks
