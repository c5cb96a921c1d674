"""People type ahead: each key goes where it would have gone had they waited, whatever happens meanwhile."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from edge.localapi.answers import EncounterOpened, SignedIn
from edge.localapi.client import AgentUnreachable
from tests.tui.tui_stage import app, settled, text, typed
from tests.tui.tui_world import PATIENTS, PIN, FakeAgent, Ticker
from tui.screens.capture import CaptureScreen
from tui.screens.patients import PatientsScreen
from tui.screens.register import Register
from tui.screens.sign_in import SignInScreen
from tui.situation import SILENT_AFTER_S

ABSENT = "AGENT ABSENT"
RUB_OUT = ["backspace"] * len("fatima")


def at_once(pilot: Pilot[Any], *keys: str) -> None:
    """All of them in the queue before the first is taken, as a terminal gives them."""
    for key in keys:
        event = Key(key, key if len(key) == 1 else None)
        event.set_sender(pilot.app)
        pilot.app.post_message(event)


def on_top(pilot: Pilot[Any]) -> type[Screen[Any]]:
    return type(pilot.app.screen)


async def entered(pilot: Pilot[Any]) -> tuple[str, str]:
    screen = pilot.app.screen
    assert isinstance(screen, SignInScreen)
    return screen.query_one("#user", Input).value, screen.query_one("#pin", Input).value


async def test_backspaces_take_what_stood_there_and_not_what_was_typed_behind_them() -> None:
    agent = FakeAgent()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f9")
        await settled(pilot)
        at_once(pilot, "up", *RUB_OUT, *"taric", "backspace", *"q", "enter", *"12", "backspace", "3")
        await settled(pilot)
        assert await entered(pilot) == ("tariq", "13")
        at_once(pilot, "home", "delete", "delete", *PIN, "enter")
        await settled(pilot)
        assert ("sign-in", "tariq") in agent.calls
        assert on_top(pilot) is PatientsScreen


async def test_a_number_corrected_in_haste_is_the_corrected_one() -> None:
    agent = FakeAgent()
    async with app(agent).run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        at_once(pilot, "f4", "1", *"143", "backspace", "2", "enter", *"19", "left", "backspace", "end", "1")
        at_once(pilot, "enter")
        await settled(pilot)
        (observed,) = [what for method, what in agent.calls if method == "observe"]
        assert observed[1] == {"bp.sys": "142", "bp.dia": "91"}


async def test_a_sex_corrected_in_haste_is_the_corrected_one() -> None:
    screen = app(FakeAgent(), capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        at_once(pilot, "f2", "a", "enter", "b", "enter", "f", "backspace", "3", "enter", *"1978")
        await settled(pilot)
        assert on_top(pilot) is Register
        assert screen.screen.query_one("#sex", Input).value == "3"
        assert screen.screen.query_one("#birth", Input).value == "1978"


async def test_a_pin_typed_behind_the_key_that_locks_chooses_no_patient() -> None:
    agent = FakeAgent(open_visit=False)
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        at_once(pilot, "f9", *PIN, "enter")
        await settled(pilot)
        assert [method for method, _ in agent.calls].count("sign-in") == 2
        assert not [call for call in agent.calls if call[0] == "open"]
        assert on_top(pilot) is PatientsScreen


async def test_a_pin_typed_before_the_sign_in_has_its_lines_waits_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A busy machine takes its time to put a screen there that the agent has asked for."""
    mount = SignInScreen.on_mount

    async def late(screen: SignInScreen) -> None:
        await asyncio.sleep(0.3)
        mount(screen)

    monkeypatch.setattr(SignInScreen, "on_mount", late)
    agent = FakeAgent()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.lock()
        while on_top(pilot) is not SignInScreen:
            await asyncio.sleep(0)
        at_once(pilot, *PIN, "enter")
        for _ in range(100):
            if on_top(pilot) is PatientsScreen:
                break
            await pilot.pause(0.05)
        assert on_top(pilot) is PatientsScreen


@pytest.mark.parametrize("happens", ["beat", "lock", "anew"])
async def test_what_is_typed_survives_whatever_the_agent_says_meanwhile(happens: str) -> None:
    agent = FakeAgent()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.lock()
        await settled(pilot)
        assert on_top(pilot) is SignInScreen
        seen: list[str] = []
        for key in ("up", *RUB_OUT, *"leila", "enter", *PIN):
            at_once(pilot, key)
            if happens == "beat":
                agent.beat()
            elif happens == "lock":
                agent.lock()
            else:  # as an agent that executes itself again: the next look finds it there
                agent.die()
                agent.there = True
            await pilot.pause(0.02)
            seen.append(text(pilot))
        assert await entered(pilot) == ("leila", PIN)
        assert not [shown for shown in seen if ABSENT in shown or "ne répond pas" in shown]
        at_once(pilot, "enter")
        await pilot.pause(0.6)
        await settled(pilot)
        assert ("sign-in", "leila") in agent.calls
        assert on_top(pilot) is PatientsScreen


async def test_an_agent_that_stays_away_is_said_to_be_away() -> None:
    agent, clock = FakeAgent(), Ticker()
    screen = app(agent, capture=False, clock=clock)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        agent.lock()
        await settled(pilot)
        agent.die()
        await settled(pilot)
        assert ABSENT not in text(pilot)
        clock.s += SILENT_AFTER_S
        await settled(pilot)
        assert ABSENT in text(pilot)
        assert "ne répond pas" in text(pilot)
        clock.s += 100
        await pilot.pause(0.6)
        await settled(pilot)
        assert ABSENT in text(pilot), "no attempt that fails begins the wait again"


class Leaving(FakeAgent):
    """Goes away over the first sign-ins."""

    def __init__(self, times: int) -> None:
        super().__init__(open_visit=False)
        self.times = times
        self.tried = 0

    async def sign_in(self, user: str, pin: str) -> SignedIn:
        self.tried += 1
        if self.tried <= self.times:
            self.die()
            self.there = True
            raise AgentUnreachable("The agent closed the connection.", next_step="")
        return await super().sign_in(user, pin)


async def test_a_pin_that_was_given_to_an_agent_as_it_left_is_given_to_the_next() -> None:
    agent = Leaving(2)
    screen = app(agent, signed_in=False, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, f"fatima\n{PIN}\n")
        for _ in range(100):
            if on_top(pilot) is PatientsScreen:
                break
            await pilot.pause(0.1)
        assert on_top(pilot) is PatientsScreen
        assert agent.tried == 3


async def test_an_agent_that_leaves_over_every_pin_is_not_given_it_for_ever() -> None:
    agent = Leaving(1000)
    screen = app(agent, signed_in=False, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await typed(pilot, f"fatima\n{PIN}\n")
        for _ in range(100):
            if agent.tried == 4 and "ne répond pas" in text(pilot):
                break
            await pilot.pause(0.1)
        await pilot.pause(1)
        assert agent.tried == 4
        assert await entered(pilot) == ("fatima", "")


class Slow(FakeAgent):
    """Is locked while it opens a visit."""

    def __init__(self) -> None:
        super().__init__(open_visit=False)
        self.opens = asyncio.Event()

    async def open_encounter(self, request: str, patient: UUID) -> EncounterOpened:
        self.lock()
        await self.opens.wait()
        self.open_visit = True
        return await super().open_encounter(request, patient)


async def test_a_visit_that_opens_behind_a_lock_uncovers_nobody() -> None:
    agent = Slow()
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        at_once(pilot, "1", "enter")
        await settled(pilot)
        assert on_top(pilot) is SignInScreen
        agent.opens.set()
        await settled(pilot)
        assert on_top(pilot) is SignInScreen
        assert PATIENTS[0].family not in text(pilot)
        await typed(pilot, f"{PIN}\n")
        for _ in range(100):
            if on_top(pilot) is CaptureScreen:
                break
            await pilot.pause(0.05)
        assert on_top(pilot) is CaptureScreen
