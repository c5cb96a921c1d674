"""A wave that stands still never looks live: behind a box, and when the box has gone."""

from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.tui_stage import app, measuring, settled, text
from tests.tui.tui_world import FakeAgent, Ticker, ecg, pleth, wave
from tui.screens.capture import CaptureScreen
from tui.widgets.wave import WaveView

SIZES = [(80, 24), (120, 36), (160, 48)]
PAUSED = "en pause"
BOXES = ("f4", "f12", "f1")
"""Keys that open one: values by hand, close the visit, help."""
ON_CAPTURE = 2
"""Screens from Textual's own to the capture screen."""
_BRAILLE = range(0x2801, 0x2900)


def waves(pilot: Pilot[Any]) -> list[WaveView]:
    """Those on the screen."""
    screen = next(each for each in pilot.app.screen_stack if isinstance(each, CaptureScreen))
    return [view for view in screen.query(WaveView) if view.display]


def traced(view: WaveView) -> bool:
    """Whether any of its trace would be drawn."""
    return any(
        ord(letter) in _BRAILLE for y in range(1, view.size.height) for letter in view.render_line(y).text
    )


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_behind_a_box_no_wave_stands_still(size: tuple[int, int]) -> None:
    """It says that it is paused; under a box that covers the word there is nothing either."""
    async with app().run_test(size=size) as pilot:
        await measuring(pilot)
        shown = waves(pilot)
        assert all(traced(view) for view in shown)
        for opens in BOXES:
            await pilot.press(opens)
            await settled(pilot)
            assert len(pilot.app.screen_stack) == ON_CAPTURE + 1
            assert waves(pilot) == shown
            for view in shown:
                view.frame()
            assert not any(ord(letter) in _BRAILLE for letter in text(pilot))
            assert all(PAUSED in view.render_line(0).text for view in shown)
            await pilot.press("escape")
            await settled(pilot)
            assert PAUSED not in text(pilot)
            await measuring(pilot)
            assert all(traced(view) for view in shown)


async def test_a_box_that_leaves_the_word_in_sight_shows_it() -> None:
    async with app().run_test(size=(120, 36)) as pilot:
        await measuring(pilot)
        await pilot.press("f12")
        await settled(pilot)
        assert text(pilot).count(PAUSED) == len(waves(pilot))


async def test_after_a_box_the_trace_begins_anew_and_joins_nothing_over_what_was_not_drawn() -> None:
    agent, clock = FakeAgent(), Ticker()
    async with app(agent, clock=clock).run_test(size=(120, 36)) as pilot:
        await measuring(pilot)
        await pilot.press("f4")
        await settled(pilot)
        agent.say(wave("ecg", ecg(390), "130"), wave("pleth", pleth(180), "60"))
        await settled(pilot)
        await pilot.press("escape")
        await settled(pilot)
        for _ in range(10):
            clock.s += 0.1
            for view in waves(pilot):
                view.frame()
        assert not any(traced(view) for view in waves(pilot)), "what came behind the box is not shown late"
        agent.say(wave("ecg", ecg(390), "130"), wave("pleth", pleth(180), "60"))
        await settled(pilot)
        for _ in range(10):
            clock.s += 0.1
            for view in waves(pilot):
                view.frame()
        assert all(traced(view) for view in waves(pilot))
