"""Screens on a made-up agent, with a clock that stands still."""

from collections.abc import Sequence
from typing import Any

from textual.pilot import Pilot

from edge.i18n.catalogue import load
from tests.tui.tui_world import ENCOUNTER, PATIENTS, PIN, USER, FakeAgent, Ticker, ecg, pleth, reading, wave
from tui.app import QafilaApp
from tui.arabic import in_cells
from tui.glyphs import Level
from tui.hub import Hub
from tui.screens.capture import CaptureScreen
from tui.screens.patients import PatientsScreen
from tui.widgets.wave import WaveView


def on_capture(hub: Hub) -> CaptureScreen:
    return CaptureScreen(hub, PATIENTS[0], str(ENCOUNTER))


def app(
    agent: FakeAgent | None = None,
    *,
    language: str = "fr",
    level: Level = Level.BRAILLE,
    signed_in: bool = True,
    capture: bool = True,
    clock: Ticker | None = None,
    shapes_arabic: bool = True,
) -> QafilaApp:
    """An application that is signed in at once, on the capture screen or on the list."""
    return QafilaApp(
        agent or FakeAgent(),
        load(language),
        level,
        shapes_arabic=shapes_arabic,
        person=(USER, PIN) if signed_in else None,
        now_s=clock or Ticker(),
        first=on_capture if capture else PatientsScreen,
    )


async def settled(pilot: Pilot[Any]) -> None:
    """Until messages, workers and layout have come to rest."""
    for _ in range(3):
        await pilot.pause(0.03)
    app_ = pilot.app
    app_.tick()  # type: ignore[attr-defined]  # it is ours
    await pilot.pause(0.01)
    for _ in range(200):  # the tick may have put another screen on top, which is drawn when its turn comes
        if text(pilot).strip():
            break
        await pilot.pause(0.01)


async def drawn(pilot: Pilot[Any], words: Sequence[str]) -> str:
    """The screen once all words stand on it and two looks in turn are the same, or after ten seconds.

    After a change of size a busy machine draws some parts a moment after the others.
    """
    before = shown = ""
    for _ in range(200):
        await pilot.pause(0.05)
        before, shown = shown, text(pilot)
        if shown == before and all(each in shown for each in words):
            break
    return shown


async def measuring(pilot: Pilot[Any], seconds: float = 8.5) -> None:
    """Numbers on the tiles and both waves drawn; nothing moves any more."""
    await settled(pilot)
    agent: FakeAgent = pilot.app.hub.agent  # type: ignore[attr-defined]  # it is ours
    agent.say(
        reading("oximeter-1", {"spo2": "97", "pulse.spo2": "74"}),
        reading("strap-1", {"hr": "73"}),
        wave("ecg", ecg(1), "130"),
        wave("pleth", pleth(1), "60"),
    )
    await settled(pilot)
    screen = pilot.app.screen
    screen.query_one("#ecg", WaveView).draw(ecg(int(seconds * 130)), 130)
    screen.query_one("#pleth", WaveView).draw(pleth(int(seconds * 60)), 60)
    await settled(pilot)


def text(pilot: Pilot[Any]) -> str:
    """All that is on the screen, as plain text."""
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(line.text for line in lines)


def in_order(words: str, language: str) -> str:
    """Words as they stand on a screen in a language."""
    return in_cells(words, begins_right=language == "ar")


async def typed(pilot: Pilot[Any], keys: str) -> None:
    """Keys one after the other without a pause, as a burst."""
    await pilot.press(*["enter" if key == "\n" else key for key in keys])
    await settled(pilot)
