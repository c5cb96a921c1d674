"""The tray: whose readings are is said by a person, by name, and never beforehand."""

import pytest

from edge.ports.caller import CallRefused
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import NOW_MS, FakeAgent, observation
from tui.monitor import Kind
from tui.screens.capture import CaptureScreen
from tui.screens.tray import REASON, TrayScreen

OLD = {"old": True, "flags": ("from-memory",), "device": "cuff-1", "source": "device", "wall_ms": NOW_MS}


def kept_by_a_cuff() -> list[object]:
    return [
        observation(30, "bp.sys", "118", "mm[Hg]", 7, device_time="2026-10-20T07:31:00", **OLD),
        observation(31, "bp.dia", "76", "mm[Hg]", 7, device_time="2026-10-20T07:31:00", **OLD),
        observation(32, "bp.sys", "171", "mm[Hg]", 8, **OLD),
        observation(33, "bp.dia", "99", "mm[Hg]", 8, **OLD),
    ]


def with_tray() -> FakeAgent:
    agent = FakeAgent()
    agent.in_tray = kept_by_a_cuff()  # type: ignore[assignment]  # observations, all of them
    return agent


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)])
async def test_what_waits_is_shown_whole_with_its_own_time(size: tuple[int, int]) -> None:
    screen = app(with_tray())
    async with screen.run_test(size=size) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        assert isinstance(pilot.app.screen, TrayScreen)
        shown = text(pilot)
        for part in ("20/10/2026 07:31 ancien", "118/76 mmHg", "heure ? ancien", "171/99 mmHg", "[ ]"):
            assert part in shown
        assert not any(line.strip(" │") == "enregistré" for line in shown.splitlines())


async def test_only_what_is_marked_is_given_and_only_after_the_name_is_confirmed() -> None:
    agent = with_tray()
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert "Cochez" in text(pilot)
        await pilot.press("2", "1", "1", "enter")
        await settled(pilot)
        asked = text(pilot)
        assert "BENNANI" in asked.upper() or "AÏT LAHCEN" in asked.upper()
        assert "118/76" in asked
        assert "171/99" not in asked.split("Ces mesures")[-1]
        assert not [call for call in agent.calls if call[0] == "assign"]
        await pilot.press("enter")
        await settled(pilot)
        [(_, (_, seqs, reason))] = [call for call in agent.calls if call[0] == "assign"]
        assert (seqs, reason) == ((30, 31), REASON)
        assert "171/99" in text(pilot)
        assert "118/76" not in text(pilot)
        await pilot.press("escape")
        await settled(pilot)
        capture = pilot.app.screen
        assert isinstance(capture, CaptureScreen)
        assert any(each.seq == 30 for each in agent.observations)
        pressure = capture.monitor.tile(Kind.PRESSURE, 0.0)
        assert pressure.value != "118/76"


async def test_no_answer_gives_nothing() -> None:
    agent = with_tray()
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        await pilot.press("space", "enter", "escape", "escape")
        await settled(pilot)
        assert not [call for call in agent.calls if call[0] == "assign"]
        assert isinstance(pilot.app.screen, CaptureScreen)


async def test_a_refusal_is_told_and_the_marks_stay() -> None:
    agent = with_tray()
    agent.refuse["assign"] = [CallRefused("No.", next_step="", code="not-in-tray")]
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        await pilot.press("1", "enter")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert "[x]" in text(pilot)
        assert isinstance(pilot.app.screen, TrayScreen)


async def test_an_empty_tray_says_so() -> None:
    screen = app(FakeAgent())
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("t")
        await settled(pilot)
        assert "chaque mesure appartient" in text(pilot)
