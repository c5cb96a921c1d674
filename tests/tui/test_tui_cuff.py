"""The key that starts a cuff, and stops it whatever is on the screen."""

import asyncio

import pytest

from edge.localapi.events import DeviceEvent
from edge.ports.caller import CallRefused
from tests.tui.tui_stage import app, settled, text
from tests.tui.tui_world import FakeAgent, device, patient, reading
from tui.hub import Hub
from tui.screens.capture import CaptureScreen
from tui.screens.cuff import ChooseCuff, mode_for

CUFF = device("cuff-2", "suntech-nibp", on_command=True)


def agent_with(*cuffs: str) -> FakeAgent:
    agent = FakeAgent()
    agent.devices = tuple(CUFF.model_copy(update={"key": key}) for key in cuffs)
    return agent


def asked(agent: FakeAgent, *methods: str) -> list[object]:
    return [what for method, what in agent.calls if method in methods]


async def test_one_press_starts_the_cuff_of_an_adult_and_the_next_stops_it() -> None:
    agent = agent_with("cuff-2")
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "F3 mesurer PNI" in text(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert asked(agent, "measure") == [("cuff-2", "adult")]
        assert "cuff-2 mesure (adulte)" in text(pilot)
        assert "F3 ARRÊTER PNI" in text(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert asked(agent, "stop") == ["cuff-2"]
        assert "cuff-2 a confirmé" in text(pilot)
        assert "F3 mesurer PNI" in text(pilot)


async def test_a_result_ends_it_and_none_is_said_with_its_reason() -> None:
    agent = agent_with("cuff-2")
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f3")
        agent.say(reading("cuff-2", {"bp.cuff": "150"}))
        await settled(pilot)
        agent.say(reading("cuff-2", {"bp.sys": "118", "bp.dia": "76"}, finished=True))
        await settled(pilot)
        shown = text(pilot)
        assert "PNI 118/76 mmHg" in shown
        assert "F3 mesurer PNI" in shown
        assert "mesure (adulte)" not in shown
        await pilot.press("f3")
        await settled(pilot)
        failed = reading("cuff-2", {"bp.sys": None, "bp.dia": None}, finished=True, missing="invalid")
        agent.say(failed.model_copy(update={"flags": ("measurement-failed", "cuff-too-loose")}))
        await settled(pilot)
        assert "cuff-2 : mesure sans résultat (brassard lâche)" in text(pilot)


async def test_a_cuff_that_somebody_else_started_is_stopped_from_behind_a_window() -> None:
    agent = agent_with("cuff-2")
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.say(reading("cuff-2", {"bp.cuff": "150"}))
        await settled(pilot)
        for opens in ("f4", "f1", "f6", "t", "f12"):
            await pilot.press(opens)
            await settled(pilot)
            assert not isinstance(screen.screen, CaptureScreen), opens
            agent.calls.clear()
            await pilot.press("f3")
            await settled(pilot)
            assert asked(agent, "stop") == ["cuff-2"], opens
            await pilot.press("escape")
            await settled(pilot)


async def test_a_stop_that_is_not_confirmed_says_so_and_may_be_asked_again() -> None:
    agent = agent_with("cuff-2")
    agent.refuse["stop"] = [CallRefused("Silent.", code="device-not-there")]
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f3")
        await settled(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert "ARRÊT NON CONFIRMÉ" in text(pilot)
        assert "F3 ARRÊTER PNI" in text(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert len(asked(agent, "stop")) == 2


async def test_a_start_that_is_refused_is_no_measurement() -> None:
    agent = agent_with("cuff-2")
    agent.refuse["measure"] = [CallRefused("Gone.", code="device-not-there")]
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert "MESURE NON LANCÉE" in text(pilot)
        assert "F3 mesurer PNI" in text(pilot)


async def test_it_is_stopped_before_it_has_said_that_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, gate = agent_with("cuff-2"), asyncio.Event()
    measure = agent.measure

    async def slowly(device: str, mode: str) -> None:
        await gate.wait()
        await measure(device, mode)

    monkeypatch.setattr(agent, "measure", slowly)
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f3", "f3")
        await settled(pilot)
        assert asked(agent, "stop") == ["cuff-2"]
        gate.set()
        await settled(pilot)
        assert "cuff-2 a confirmé" in text(pilot), "a late yes to the start takes nothing back"


async def test_of_two_cuffs_one_is_chosen_and_escape_pumps_nothing() -> None:
    agent = agent_with("cuff-2", "cuff-4")
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert isinstance(screen.screen, ChooseCuff)
        assert "5  cuff-4  enfant" in text(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert asked(agent, "measure") == []
        await pilot.press("f3", "5")
        await settled(pilot)
        assert asked(agent, "measure") == [("cuff-4", "child")]


async def test_a_cuff_that_is_gone_is_not_started_and_one_that_goes_is_not_called_measuring() -> None:
    agent = agent_with("cuff-2")
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f3")
        await settled(pilot)
        agent.say(DeviceEvent(key="cuff-2", state="gone", code="device-silent"))
        await settled(pilot)
        assert "F3 mesurer PNI" in text(pilot)
        await pilot.press("f3")
        await settled(pilot)
        assert "Aucun brassard ne se lance" in text(pilot)
        assert len(asked(agent, "measure")) == 1


async def test_a_unit_without_such_a_cuff_offers_no_key_for_it() -> None:
    screen = app()
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "F3" not in text(pilot)


@pytest.mark.parametrize(
    ("birth", "mode"),
    [
        ("1978-05-12", "adult"),
        ("2007-10-27", "adult"),
        ("2008", None),
        ("2007-10-28", None),
        ("2019", None),
        (None, None),
    ],
)
def test_whoever_may_be_a_child_is_asked_about(birth: str | None, mode: str | None) -> None:
    from edge.i18n.catalogue import load
    from edge.localapi.events import Heartbeat
    from tests.tui.tui_world import NOW_MS, Ticker
    from tui.glyphs import Level

    hub = Hub(FakeAgent(), load("fr"), Level.BRAILLE, Ticker())
    hub.situation.hear(Heartbeat(wall_ms=NOW_MS), hub.now_s())
    hub.situation.clock_quality = "ntp"
    assert mode_for(patient(1, "A", "B", birth), hub) == mode
    hub.situation.clock_quality = "none"
    assert mode_for(patient(1, "A", "B", birth), hub) is None, "with a wrong clock nobody is an adult"
