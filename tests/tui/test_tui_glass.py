"""A technician sees no patient, unless the glass is broken: for a reason, for a while, and in red."""

from edge.ports.caller import CallRefused
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import PIN, FakeAgent, Ticker
from tui.screens.capture import CaptureScreen
from tui.screens.glass import BreakGlass
from tui.screens.patients import PatientsScreen
from tui.screens.technician import TechnicianScreen

TECHNICAL = ("streams", "devices", "link")


def technician() -> FakeAgent:
    agent = FakeAgent()
    agent.role = "technician"
    return agent


async def test_a_technician_sees_the_devices_and_asks_for_no_patient() -> None:
    agent = technician()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert isinstance(screen.screen, TechnicianScreen)
        shown = text(pilot)
        assert "oximeter-1  contec-cms50  présent" in shown
        assert "Lahcen" not in shown
        assert {"patients", "snapshot", "tray", "encounter"}.isdisjoint(method for method, _ in agent.calls)
        assert ("subscribe", TECHNICAL) in agent.calls


async def test_breaking_the_glass_needs_a_reason_and_a_time_and_says_so_until_it_is_over() -> None:
    agent, clock = technician(), Ticker()
    screen = app(agent, clock=clock, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f8")
        await settled(pilot)
        await pilot.press("f12")
        await settled(pilot)
        assert "Écrivez la raison" in text(pilot)
        await pilot.press(*"seul", "enter", "backspace", "backspace", "9", "9", "f12")
        await settled(pilot)
        assert "de 1 à 60" in text(pilot)
        assert not [what for method, what in agent.calls if method == "break-glass"]
        await pilot.press("backspace", "backspace", "2", "0", "f12")
        await settled(pilot)
        [(_, *asked)] = [what for method, what in agent.calls if method == "break-glass"]
        assert asked == ["seul", 20]
        assert isinstance(screen.screen, PatientsScreen)
        assert "URGENCE, rôle infirmier, encore 20 min" in text(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert isinstance(screen.screen, CaptureScreen)
        clock.s += 90
        agent.beat()
        await settled(pilot)
        assert "encore 18 min" in text(pilot)
        await pilot.press("f4")
        await settled(pilot)
        agent.lock("glass-whole")
        await settled(pilot)
        assert isinstance(screen.screen, TechnicianScreen)
        assert len([s for s in screen.screen_stack if isinstance(s, CaptureScreen | PatientsScreen)]) == 0
        shown = text(pilot)
        assert "Lahcen" not in shown
        assert "encore" not in shown
        assert "urgence est finie" in shown
        assert agent.calls[-2:] == [("subscribe", TECHNICAL), ("status", None)]


async def test_a_refusal_opens_nothing() -> None:
    agent = technician()
    agent.refuse["break-glass"] = [CallRefused("No.", code="not-allowed")]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f8", *"seul", "f12")
        await settled(pilot)
        assert any(isinstance(shown, BreakGlass) for shown in screen.screen_stack)
        assert "Votre rôle ne le permet pas" in text(pilot)
        await pilot.press("f12")
        await settled(pilot)
        first, second = [what for method, what in agent.calls if method == "break-glass"]
        assert first[0] != second[0], "one that is repeated is answered, and opens nothing"
        assert isinstance(screen.screen, PatientsScreen)


async def test_a_lock_ends_the_emergency_and_leaves_no_patient_behind_it() -> None:
    agent = technician()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f8", *"seul", "f12")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        await pilot.press("f9")
        await settled(pilot)
        assert screen.hub.situation.glass_until_s is None
        await pilot.press(*PIN, "enter")
        await settled(pilot)
        assert isinstance(screen.screen, TechnicianScreen)
        assert not any(isinstance(s, CaptureScreen | PatientsScreen) for s in screen.screen_stack)


async def test_a_nurse_after_a_technician_begins_with_the_patients() -> None:
    agent = technician()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f9")
        await settled(pilot)
        agent.role = "nurse"
        await pilot.press(*PIN, "enter")
        await settled(pilot)
        assert isinstance(screen.screen, PatientsScreen)
        assert not any(isinstance(s, TechnicianScreen) for s in screen.screen_stack)
