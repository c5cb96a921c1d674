"""Entering a patient: names in two scripts, what they agreed to, and who is entered already."""

from typing import Any
from uuid import UUID

import pytest

from edge.localapi.client import AgentUnreachable
from tests.tui.tui_stage import app, settled, text, typed
from tests.tui.tui_world import PATIENTS, FakeAgent
from tui.glyphs import Level, drawable
from tui.screens.capture import CaptureScreen


async def test_register_takes_a_burst_and_keeps_its_request_when_the_answer_is_lost() -> None:
    agent = FakeAgent(open_visit=False)
    agent.refuse["register"] = [AgentUnreachable("No answer.", next_step="")]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f2")
        await typed(pilot, "Aït\nFatima\nf\n12051978\nJB482913\n\n")
        assert "agent ne répond pas" in text(pilot)
        agent.open_visit = True
        await pilot.press("f12")
        await settled(pilot)
        first, second = [what for method, what in agent.calls if method == "register"]
        assert first == second, "the same request with the same id: it is done at most once"
        assert first[1] == {
            "family": "Aït",
            "given": "Fatima",
            "sex": "female",
            "birth": "1978-05-12",
            "identifiers": [{"system": "cnie", "value": "JB482913"}],
        }
        assert isinstance(screen.screen, CaptureScreen)


@pytest.mark.parametrize(
    ("key", "entered", "opened"), [("1", 0, PATIENTS[0].patient), ("f12", 1, PATIENTS[1].patient)]
)
async def test_who_may_be_entered_already_is_shown_before_somebody_is_entered_again(
    key: str, entered: int, opened: UUID
) -> None:
    agent = FakeAgent(open_visit=False)
    agent.alike = [PATIENTS[0]]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f2")
        await typed(pilot, "Aït\nFatima\nf\n12051978\n\n\n")
        await settled(pilot)
        assert "Déjà inscrit" in text(pilot)
        assert PATIENTS[0].family in text(pilot)
        assert not [what for method, what in agent.calls if method == "register"]
        await pilot.press("escape")
        await settled(pilot)
        assert "Nouveau patient" in text(pilot)
        await pilot.press("f12")
        await settled(pilot)
        agent.open_visit = True
        await pilot.press(key)
        await settled(pilot)
        assert len([what for method, what in agent.calls if method == "register"]) == entered
        assert [what[1] for method, what in agent.calls if method == "open"] == [opened]


async def registered(keys: str, *, then: tuple[str, ...] = ()) -> tuple[list[Any], str]:
    """What was given to the agent after typing into the register, and what the screen says."""
    agent = FakeAgent(open_visit=False)
    screen = app(agent, capture=False)
    async with screen.run_test(size=(60, 20)) as pilot:
        await settled(pilot)
        await pilot.press("f2")
        await typed(pilot, keys)
        for key in then:
            await pilot.press(*([key] if key in {"enter", "down", "f12", "2"} else key))
        await settled(pilot)
        return [what[1] for method, what in agent.calls if method == "register"], text(pilot)


async def test_consent_is_a_digit_and_what_was_not_asked_is_not_said() -> None:
    [without], _ = await registered("Aït\nFatima\nf\n1978\n\n\n")
    assert "consents" not in without
    [agreed], _ = await registered("Aït\nFatima\nf\n1978\n\n1\n")
    assert agreed["consents"] == [{"scope": "care", "decision": "given"}]
    [refused], _ = await registered("Aït\nFatima\nf\n1978\n\n2\n")
    assert refused["consents"] == [{"scope": "care", "decision": "refused"}]


async def test_who_spoke_for_a_child_is_asked() -> None:
    nothing, shown = await registered("Aït\nYasmine\nf\n8\n\n1\n")
    assert nothing == []
    assert "Un enfant : qui" in shown
    [said], _ = await registered("Aït\nYasmine\nf\n8\n\n1\n", then=("2", "enter"))
    assert said["consents"] == [{"scope": "care", "decision": "given", "given_by": "parent"}]
    assert said["birth_estimated"] is True


async def test_names_in_both_scripts_and_in_one_of_them() -> None:
    rest = ("down", "آيت لحسن", "enter", "فاطمة", "enter", "0612345678", "enter", "Tizi", "f12")
    [both], _ = await registered("Aït\nFatima\nf\n1978\n\n1", then=rest)
    assert (both["family_arabic"], both["given_arabic"]) == ("آيت لحسن", "فاطمة")
    assert (both["phone"], both["village"]) == ("0612345678", "Tizi")
    [arabic], _ = await registered("\n\nf\n1978\n\n1", then=rest)
    assert (arabic["family"], arabic["given"]) == ("آيت لحسن", "فاطمة")
    assert "family_arabic" not in arabic


async def test_the_register_is_whole_on_the_smallest_screen() -> None:
    _, shown = await registered("Aït\nFatima\nf\n1978")
    for word in ("Qui l", "F12 enregistrer", "12051978, 1978", "D'accord"):
        assert drawable(word, Level.ASCII) in drawable(shown, Level.ASCII), word
