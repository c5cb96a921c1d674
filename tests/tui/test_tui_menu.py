"""Behind F10: what leaves the unit, whom the centre expects, the language, and the end of the day."""

from typing import Any
from uuid import UUID

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from edge.i18n.catalogue import LANGUAGES, load
from edge.localapi.events import StreamsEvent
from edge.localapi.shapes import StreamShown
from tests.tui.tui_stage import app, drawn, in_order, settled, text, typed
from tests.tui.tui_world import NOW_MS, FakeAgent, Ticker, observation, stream
from tui.screens.capture import CaptureScreen
from tui.screens.day import DayScreen, OffScreen
from tui.screens.expected import ExpectedScreen
from tui.screens.patients import PatientsScreen
from tui.screens.register import Register
from tui.screens.settings import SettingsScreen
from tui.screens.sign_in import SignInScreen
from tui.screens.sync import SyncScreen, shares
from tui.screens.technician import TechnicianScreen

KNOWN = UUID("019a2500-0000-7000-8000-0000000000c1")


def on(pilot: Pilot[Any], kind: type[Screen[Any]]) -> bool:
    """Whether such a screen is on top."""
    return isinstance(pilot.app.screen, kind)


async def behind(pilot: Pilot[Any], digit: str) -> str:
    """What the menu leads to."""
    await settled(pilot)
    await pilot.press("f10", digit)
    await settled(pilot)
    return text(pilot)


async def test_every_stream_says_how_many_are_where_and_they_add_up() -> None:
    agent = FakeAgent()
    agent.streams = {"alert": stream(4, 1, 1, 1), "vitals": stream(16, 13, 12, 11, "receipt-head-mismatch")}
    agent.scripted["sync.quarantine"] = {
        "ranges": ({"stream": "vitals", "first": 3, "last": 5, "reason": "schema"},)
    }
    screen = app(agent, capture=False)
    async with screen.run_test(size=(120, 36)) as pilot:
        shown = " ".join((await behind(pilot, "3")).split())
        assert on(pilot, SyncScreen)
        for words in (
            "alertes ● enregistré 3 ↑ envoyé 0 ◆ arrivé 0 ✓ reçu 0",
            "mesures ● enregistré 3 ↑ envoyé 1 ◆ arrivé 1 ✓ reçu 10",
            "ENVOI BLOQUÉ",
            "mesures 3 à 5",
            "ouvrira après sa mise à jour",
            "Lieu : --",
        ):
            assert words in shown, (words, shown)
        assert "F8" not in shown, "a nurse cannot have it sealed again"
        agent.say(StreamsEvent(streams={"alert": stream(4, 4, 4, 4)}))
        screen.hub.now_s.s += 1.1  # type: ignore[attr-defined]  # a ticker
        agent.beat()
        await drawn(pilot, ["reçu 3"])
        await pilot.press("f5")
        await settled(pilot)
        assert agent.asked("sync.now")


@pytest.mark.parametrize(
    "of", [stream(1, 0, 0, 0), stream(9, 2, 5, 7), stream(5, 5, 5, 5), stream(0, 0, 0, 0)]
)
def test_no_entry_is_counted_twice_or_not_at_all(of: StreamShown) -> None:
    found = shares(of)
    assert sum(found.values()) == max(0, of.tip - 1)
    assert min(found.values()) >= 0


async def test_the_day_is_closed_only_without_a_visit_and_says_what_is_left() -> None:
    agent = FakeAgent()
    agent.in_tray = [observation(30, "spo2", "97", "%", 7)]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        shown = await behind(pilot, "5")
        assert on(pilot, DayScreen)
        assert "▲ une visite est ouverte" in shown
        assert "▲ mesures sans patient : 1" in shown
        assert "Patients inscrits" in shown
        await pilot.press("f12")
        await settled(pilot)
        assert "fermez-la" in text(pilot)
        await pilot.press("escape")
        agent.open_visit = False
        await behind(pilot, "5")
        await pilot.press("f12")
        await settled(pilot)
        asked = text(pilot)
        assert "Il reste" in asked
        assert "pas encore au centre : 3" in asked
        agent.open_visit = True  # at another seat, since
        await typed(pilot, "\n")
        assert agent.asked("lock") == []
        assert on(pilot, DayScreen)


async def test_it_may_be_switched_off_once_the_agent_says_that_the_store_is_closed() -> None:
    agent, clock = FakeAgent(open_visit=False), Ticker()
    screen = app(agent, capture=False, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await behind(pilot, "5")
        await pilot.press("f12")
        await settled(pilot)
        await typed(pilot, "\n")
        assert agent.asked("lock")
        assert on(pilot, OffScreen)
        clock.s += 1.1
        await settled(pilot)
        shown = text(pilot)
        assert "NE PAS" in shown
        assert "ON PEUT" not in shown
        assert "Lahcen" not in shown
        agent.locked = True
        clock.s += 1.1
        await settled(pilot)
        await settled(pilot)
        shown = text(pilot)
        assert "ON PEUT" in shown
        assert "Pas encore au centre : 3" in shown
        agent.die()
        await settled(pilot)
        assert "ON PEUT" not in text(pilot), "nobody says so any more"
        await pilot.press("enter")
        await settled(pilot)
        assert on(pilot, SignInScreen)


async def test_the_language_changes_at_once_and_the_visit_stays() -> None:
    screen = app()
    async with screen.run_test(size=(80, 24)) as pilot:
        await behind(pilot, "4")
        assert on(pilot, SettingsScreen)
        await typed(pilot, "2")
        await pilot.press("f12")
        await settled(pilot)
        assert in_order(load("ar")("key.close"), "ar") in text(pilot)
        await behind(pilot, "4")
        await typed(pilot, "3")
        await pilot.press("f12")
        await settled(pilot)
        assert on(pilot, CaptureScreen)
        assert "close visit" in text(pilot)
        assert screen.hub.say.language == "en"
        await behind(pilot, "4")
        await pilot.press("down")
        await typed(pilot, "3")
        await pilot.press("f12")
        await settled(pilot)
        assert screen.hub.level == "ascii"


async def test_whom_the_centre_expects_keeps_the_identity_it_has_there() -> None:
    agent = FakeAgent(open_visit=False)
    agent.scripted["expected.list"] = {
        "expected": (
            {
                "patient": KNOWN, "family": "Tazi", "given": "Laïla", "family_arabic": "التازي",
                "given_arabic": "ليلى", "sex": "female", "birth": "1978-05-12",
                "identifiers": ({"system": "cnie", "value": "JB99"},), "note": "HTA, contrôle",
                "expires_ms": NOW_MS + 86_400_000,
            },
        )
    }  # fmt: skip
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        shown = await behind(pilot, "2")
        assert on(pilot, ExpectedScreen)
        for words in ("Tazi Laïla", "JB99", "HTA, contrôle", "28/10"):
            assert words in shown
        await typed(pilot, "1")
        assert on(pilot, Register)
        agent.open_visit = True  # the one that is opened now
        await typed(pilot, "1\n")
        assert on(pilot, CaptureScreen)
        await pilot.press("escape")
        await settled(pilot)
        assert on(pilot, PatientsScreen)
    [(_, fields)] = [what for method, what in agent.calls if method == "register"]
    assert fields["expected"] == str(KNOWN)
    assert (fields["family"], fields["sex"], fields["birth"]) == ("Tazi", "female", "1978-05-12")
    assert fields["family_arabic"] == "التازي"
    assert fields["consents"] == [{"scope": "care", "decision": "given"}]


async def test_a_technician_gets_no_way_to_a_patient() -> None:
    agent = FakeAgent()
    agent.role = "technician"
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f10")
        await settled(pilot)
        shown = text(pilot)
        assert "Patients attendus" not in shown
        assert "Avis et réponses" not in shown
        await pilot.press("3")
        await settled(pilot)
        assert on(pilot, DayScreen)
        assert "Patients" not in text(pilot)
        await pilot.press("escape")
        await settled(pilot)
        assert on(pilot, TechnicianScreen)
        assert not {"patients", "tray", "inbox.list", "request.list"} & {method for method, _ in agent.calls}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)])
async def test_every_screen_of_the_menu_is_whole_at_every_size(language: str, size: tuple[int, int]) -> None:
    screen = app(FakeAgent(), language=language, capture=False)
    async with screen.run_test(size=size) as pilot:
        say = screen.hub.say
        for digit, name in (("3", "sync"), ("4", "settings"), ("5", "day")):
            await behind(pilot, digit)
            top = pilot.app.screen
            keys = top.keys_now() if isinstance(top, SyncScreen) else top.KEYS  # type: ignore[attr-defined]  # it is ours
            words = [f"{key} {say(code)}" for key, code in keys]
            words += {
                "sync": [say("stream.alert"), say("stream.vitals"), say("devices.no-place")],
                "settings": [say("settings.language"), say("settings.glyphs")],
                "day": [say("day.tray-empty"), say("day.visit-open")],
            }[name]
            words = [in_order(each, language) for each in words]
            shown = await drawn(pilot, words)
            for each in words:
                assert each in shown, (size, each, shown)
            await pilot.press("escape")


async def test_what_a_screen_asks_does_not_make_it_ask_again() -> None:
    """A look at the centre's words or at a request is audited, and an audit moves a stream's tip."""
    agent = FakeAgent()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await behind(pilot, "3")
        before = len(agent.asked("sync.quarantine"))
        agent.say(StreamsEvent(streams={**agent.streams, "audit": stream(40, 0, 0, 0)}))
        await settled(pilot)
        agent.say(StreamsEvent(streams={**agent.streams, "audit": stream(41, 0, 0, 0)}))
        await settled(pilot)
        assert len(agent.asked("sync.quarantine")) <= before + 1
        agent.say(StreamsEvent(streams={**agent.streams, "vitals": stream(15, 15, 15, 15)}))
        await settled(pilot)
        assert len(agent.asked("sync.quarantine")) == before + 2
