"""Of two devices that send the same signal, that one is drawn whose number is on the screen."""

from edge.localapi.events import WaveEvent
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import FakeAgent, Ticker, pleth, reading
from tui.widgets.wave import WaveView

FLAT = (0,) * 60


def sent(device: str, samples: tuple[int, ...]) -> WaveEvent:
    return WaveEvent(device=device, code="pleth", lead=None, rate="60", samples=samples)


def rows(view: WaveView) -> int:
    """On how many rows something is drawn, beside the calibration bar."""
    return sum(view.render_line(y).text[2:].strip() != "" for y in range(1, view.size.height))


async def test_an_oximeter_without_a_finger_does_not_put_its_flat_line_under_anothers_number() -> None:
    agent, clock = FakeAgent(), Ticker()
    async with app(agent, clock=clock).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        view = pilot.app.screen.query_one("#pleth", WaveView)
        pulse = tuple(pleth(600))
        for second in range(6):
            agent.say(
                sent("oximeter-1", FLAT),
                reading("oximeter-1", {"spo2": None}),
                reading("oximeter-2", {"spo2": "97", "pulse.spo2": "71"}),
                sent("oximeter-2", pulse[60 * second : 60 * second + 60]),
            )
            await settled(pilot)
            for _ in range(10):
                clock.s += 0.1
                view.frame()
        assert rows(view) > 3, "the pulse of the second is drawn"


async def test_the_flat_line_of_electrodes_that_are_off_is_never_drawn() -> None:
    """A board sends zeroes then; drawn they would be an asystole."""
    agent, clock = FakeAgent(), Ticker()
    async with app(agent, clock=clock).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        view = pilot.app.screen.query_one("#ecg", WaveView)

        async def second(event: WaveEvent) -> None:
            agent.say(event)
            await settled(pilot)
            for _ in range(10):
                clock.s += 0.1
                view.frame()
            await settled(pilot)

        def of(device: str, samples: tuple[int, ...], *, off: bool = False) -> WaveEvent:
            lead = f"lead of {device}"
            return WaveEvent(device=device, code="ecg", lead=lead, rate="125", samples=samples, off=off)

        heart = tuple(1200 if n % 100 < 4 else 0 for n in range(125))
        for _ in range(4):
            await second(of("board-1", heart))
        assert rows(view) > 3
        for _ in range(4):
            await second(of("board-1", (0,) * 125, off=True))
            assert rows(view) == 0
            assert "board-1  capteur ôté" in text(pilot)
        await second(of("strap-1", heart))
        await second(of("board-1", (0,) * 125, off=True))
        assert rows(view) > 3, "one that is worn is drawn at once"
        assert "lead of strap-1  capteur ôté" not in text(pilot)


async def test_the_first_is_drawn_while_nobody_shows_a_number() -> None:
    agent, clock = FakeAgent(), Ticker()
    async with app(agent, clock=clock).run_test(size=(120, 36)) as pilot:
        await settled(pilot)
        view = pilot.app.screen.query_one("#pleth", WaveView)
        pulse = tuple(pleth(600))
        for second in range(6):
            agent.say(sent("oximeter-1", FLAT), sent("oximeter-2", pulse[60 * second : 60 * second + 60]))
            await settled(pilot)
            for _ in range(10):
                clock.s += 0.1
                view.frame()
        assert rows(view) == 1
