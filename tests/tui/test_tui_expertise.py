"""Asking a specialist, and what comes back: by name, by consent, whole or not at all."""

import re
from typing import Any
from uuid import UUID

import pytest
from textual.pilot import Pilot
from textual.screen import Screen

from edge import cbor
from edge.agent import payloads
from edge.clock import ClockQuality, Moment
from edge.i18n.catalogue import LANGUAGES
from edge.localapi.client import AgentUnreachable
from edge.localapi.expertise import InboxEvent, Urgency
from edge.localapi.shapes import LinkShown, RecordingShown
from edge.ports.caller import CallRefused
from edge.records.fields import Field
from tests.tui.tui_stage import app, drawn, in_order, settled, text, typed
from tests.tui.tui_world import ENCOUNTER, NOW_MS, PATIENTS, FakeAgent, Ticker
from tui.replies import bytes_of
from tui.screens.ask import AskScreen
from tui.screens.capture import CaptureScreen
from tui.screens.inbox import InboxScreen
from tui.screens.message import MessageScreen
from tui.screens.request import RequestScreen
from tui.typed import inert
from tui.widgets.flow import wrapped

REQUEST = UUID("019a2500-0000-7000-8000-0000000000a1")
OTHER = UUID("019a2500-0000-7000-8000-0000000000a2")
REPLY = UUID("019a2500-0000-7000-8000-0000000000b1")
SAVED: dict[str, Any] = {"saved": ()}


def on(pilot: Pilot[Any], kind: type[Screen[Any]]) -> bool:
    """Whether such a screen is on top."""
    return isinstance(pilot.app.screen, kind)


def consent(decision: str) -> dict[str, Any]:
    return {
        "scope": "tele-expertise", "decision": decision, "operator": "fatima", "wall_ms": NOW_MS,
        "holds": True,
    }  # fmt: skip


def record(*consents: dict[str, Any], patient: int = 0) -> dict[str, Any]:
    return {
        "patient": PATIENTS[patient], "revision": 1, "phone": None, "village": None,
        "consents": consents, "visits": (), "merged": (),
    }  # fmt: skip


def asked(**more: object) -> dict[str, Any]:
    return {
        "request": REQUEST, "patient": PATIENTS[0].patient, "encounter": ENCOUNTER, "specialty": "cardiology",
        "urgency": "stat", "act": "tele-expertise", "question": "ST élevé ?", "emergency": False,
        "operator": "fatima", "wall_ms": NOW_MS - 20 * 60_000, "state": "asked", "sent": "received",
        "observations": 6, "recordings": (), "answers": 0, "unread": 0,
    } | more  # fmt: skip


def came(**more: object) -> dict[str, Any]:
    return {
        "message": REPLY, "kind": "reply", "request": REQUEST, "patient": PATIENTS[0].patient,
        "sender": "Dr Alaoui", "made_ms": NOW_MS - 60_000, "received_ms": NOW_MS - 30_000, "read_ms": None,
        "read_by": None,
    } | more  # fmt: skip


def willing(*consents: dict[str, Any]) -> FakeAgent:
    agent = FakeAgent()
    agent.scripted |= {
        "patient.show": record(*consents),
        "patient.consent": SAVED,
        "request.ask": {"saved": (), "request": OTHER},
        "request.withdraw": SAVED,
        "request.close": SAVED,
        "request.list": {"requests": ()},
        "inbox.list": {"messages": (), "unread": 0},
    }
    return agent


async def test_a_question_is_asked_once_with_the_consent_that_was_given_for_it() -> None:
    """Also when the answer is lost on the way: the same ids, so the agent does nothing twice."""
    agent = willing()
    agent.link = LinkShown(connected=False, since_ms=NOW_MS, broker=None)
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        assert on(pilot, AskScreen)
        await typed(pilot, "121ST à 3 mm en V2 ?\n")
        shown = text(pilot)
        for words in ("Aït Lahcen Fatima", "CNIE JB482901", "cardiologie, urgent", "Pas de liaison"):
            assert words in shown
        assert re.search(r"mesures jointes : 4\b", shown)
        assert agent.asked("request.ask") == []
        agent.refuse["request.ask"] = [AgentUnreachable("Gone.", next_step="")]
        await typed(pilot, "\n")
        assert on(pilot, AskScreen), "the answer is lost: it stays to be sent again"
        await pilot.press("f12")
        await settled(pilot)
        await typed(pilot, "\n")
        assert on(pilot, CaptureScreen)
        assert "Demande enregistrée" in text(pilot)
    consents, questions = agent.asked("patient.consent"), agent.asked("request.ask")
    assert [len({request for request, _ in each}) for each in (consents, questions)] == [1, 1]
    assert consents[0][1] == {
        "patient": str(PATIENTS[0].patient), "scope": "tele-expertise", "decision": "given",
        "given_by": "patient",
    }  # fmt: skip
    assert questions[-1][1] == {
        "patient": str(PATIENTS[0].patient), "encounter": str(ENCOUNTER), "specialty": "cardiology",
        "urgency": "urgent", "question": "ST à 3 mm en V2 ?", "act": "tele-expertise", "recordings": [],
        "emergency": False,
    }  # fmt: skip


async def test_a_consent_that_holds_is_not_asked_for_again_and_what_is_unmarked_stays_behind() -> None:
    agent = willing(consent("given"))
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        assert "déjà donné" in text(pilot)
        await typed(pilot, "21")
        await pilot.press("down")
        await typed(pilot, "Avis 2 ?")
        await pilot.press("down")
        await typed(pilot, "1")
        await pilot.press("escape")
        await settled(pilot)
        assert on(pilot, CaptureScreen)
        await pilot.press("f11")
        await settled(pilot)
        assert "Avis 2 ?" in text(pilot), "what was typed waits"
        await pilot.press("f12", "escape", "up", "up")
        await settled(pilot)
        await pilot.press("f12")
        await settled(pilot)
        await typed(pilot, "\n")
    assert agent.asked("patient.consent") == []
    [(_, fields)] = agent.asked("request.ask")
    assert (fields["specialty"], fields["urgency"], fields["question"]) == (
        "obstetrics",
        "routine",
        "Avis 2 ?",
    )


@pytest.mark.parametrize(
    ("held", "keys", "words", "patient"),
    [
        ((), "11", "Demandez-lui", 0),
        ((), "113", "seulement pour une demande urgente", 0),
        ((consent("withdrawn"),), "13", "rien ne peut être demandé", 0),
        ((consent("refused"),), "133", "une urgence ne passe pas outre", 0),
        ((), "111", "Un enfant", 1),
        ((), "124", "Écrivez la question", 1),
    ],
)
async def test_what_must_not_be_asked_is_not(
    held: tuple[dict[str, Any], ...], keys: str, words: str, patient: int
) -> None:
    agent = willing(*held)
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        capture = screen.screen
        assert isinstance(capture, CaptureScreen)
        if patient:
            capture.patient = PATIENTS[0].model_copy(update={"birth": "2019"})
        await pilot.press("f11")
        await settled(pilot)
        await typed(pilot, keys)
        await pilot.press("f12")
        await settled(pilot)
        assert words in " ".join(text(pilot).split())
    assert agent.asked("request.ask") == []
    assert agent.asked("patient.consent") == []


async def test_a_refusal_is_noted_and_nobody_is_asked() -> None:
    agent = willing()
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        await typed(pilot, "112")
        await pilot.press("f12")
        await settled(pilot)
        assert "Le refus est noté" in text(pilot)
        await typed(pilot, "\n")
        assert on(pilot, CaptureScreen)
    [(_, fields)] = agent.asked("patient.consent")
    assert fields["decision"] == "refused"
    assert agent.asked("request.ask") == []


def with_reply(**more: object) -> FakeAgent:
    agent = willing()
    agent.scripted |= {
        "request.list": {"requests": (asked(request=OTHER, urgency="routine"), asked(**more))},
        "inbox.list": {"messages": (came(),), "unread": 1},
        "request.show": {"request": asked(**more), "messages": (came(),)},
        "inbox.read": {
            "message": came(read_ms=NOW_MS, read_by="fatima"),
            "text": "\n".join(f"Ligne {n} \x1b[2J\u202eévacuez" for n in range(1, 41)),
            "signer": "8a6dd890",
        },
    }
    return agent


async def test_a_reply_is_read_to_its_last_line_with_who_signed_it() -> None:
    screen = app(with_reply(state="answered", answers=1, unread=1), capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        assert "RÉPONSES À LIRE : 1" in text(pilot)
        await pilot.press("f11")
        await settled(pilot)
        assert on(pilot, InboxScreen)
        first = next(line for line in text(pilot).splitlines() if " 1 " in line and "Lahcen" in line)
        assert "cardiologie, tout de suite" in first, "what nobody has read comes first"
        await typed(pilot, "1")
        assert on(pilot, RequestScreen)
        assert "Dr Alaoui" in text(pilot)
        await pilot.press("f12")
        await settled(pilot)
        assert "abord tout ce qui" in text(pilot)
        await typed(pilot, "1")
        assert on(pilot, MessageScreen)
        shown = text(pilot)
        assert "clé 8a6dd890" in shown
        assert "lecture enregistrée (fatima)" in shown
        assert "Ligne 1 ?[2J?évacuez" in shown
        assert "plus bas" in shown
        await pilot.press("end")
        await settled(pilot)
        assert "Ligne 40" in text(pilot)


async def test_a_reply_that_is_not_what_was_signed_is_not_shown_at_all() -> None:
    agent = with_reply(state="answered", answers=1, unread=1)
    agent.refuse["inbox.read"] = [CallRefused("Lost.", code="store-damaged")]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        await typed(pilot, "11")
        assert on(pilot, MessageScreen)
        shown = text(pilot)
        assert "est montré." in shown
        assert "signé" not in shown
        assert "lecture enregistrée" not in shown


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 36)])
async def test_an_answer_that_does_not_come_is_said_on_every_screen(size: tuple[int, int]) -> None:
    clock = Ticker()
    agent = with_reply(wall_ms=NOW_MS - 14 * 60_000)
    agent.scripted["inbox.list"] = {"messages": (), "unread": 0}
    screen = app(agent, clock=clock)
    async with screen.run_test(size=size) as pilot:
        await settled(pilot)
        assert "SANS RÉPONSE" not in text(pilot)
        clock.s += 90
        agent.beat()
        screen.hub.situation.hear(InboxEvent(unread=0), clock.s)
        await settled(pilot)
        assert "SANS RÉPONSE : 1" not in text(pilot), "a beat says what time it is, which has not moved"
        agent.scripted["request.list"] = {"requests": (asked(),)}
        agent.say(InboxEvent(unread=2))
        await settled(pilot)
        shown = text(pilot)
        assert "SANS RÉPONSE : 1" in shown
        assert "F10" in shown


async def test_asked_again_more_urgently_the_first_is_withdrawn_only_then() -> None:
    agent = with_reply(urgency="routine", wall_ms=NOW_MS - 4 * 86_400_000)
    agent.refuse["request.ask"] = [CallRefused("No.", code="consent-needed")]
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        assert "RÉPONSE EN RETARD de 1 j" in text(pilot)
        await pilot.press("f5")
        await settled(pilot)
        await typed(pilot, "\n")
        assert agent.asked("request.withdraw") == []
        await pilot.press("f5")
        await settled(pilot)
        await typed(pilot, "\n")
    order = [method for method, _ in agent.calls if method in {"request.ask", "request.withdraw"}]
    assert order == ["request.ask", "request.ask", "request.withdraw"]
    assert agent.asked("request.ask")[-1][1]["urgency"] == "urgent"
    assert agent.asked("request.withdraw")[0][1]["request"] == str(REQUEST)


async def test_what_was_done_is_told_to_the_centre() -> None:
    agent = with_reply(state="answered", answers=1)
    agent.scripted["request.show"] = {
        "request": asked(state="answered", answers=1),
        "messages": (came(read_ms=NOW_MS, read_by="fatima"),),
    }
    screen = app(agent, capture=False)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        await typed(pilot, "2")
        await pilot.press("f12")
        await settled(pilot)
        await typed(pilot, "\n")
        assert "Écrivez quelques mots" in text(pilot)
        await typed(pilot, "évacuée\n")
    [(_, fields)] = agent.asked("request.close")
    assert fields == {"request": str(REQUEST), "reason": "évacuée"}


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_field_and_key_is_whole_at_every_size(language: str) -> None:
    agent = willing(consent("refused"))
    agent.recordings = [
        RecordingShown(
            waveform=REQUEST, device="strap-1", source="device", code="ecg", leads=("Polar H10 single lead",),
            unit="uV", step="1", rate="130", rate_found=None, rate_uncertainty=None, wall_ms=NOW_MS, chunks=9,
            samples=160_485, seconds="1234.5", recording=False, interrupted=False, received=0, state="saved",
            kept_bytes=123_456,
        )
    ]  # fmt: skip
    screen = app(agent, language=language)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await pilot.press("f11")
        await settled(pilot)
        await typed(pilot, "32")
        await pilot.press("down")
        await typed(pilot, "Quelle dose ?")
        for size in ((60, 20), (80, 24), (120, 36), (160, 48)):
            await pilot.resize_terminal(*size)
            say = screen.hub.say
            words = [f"{key} {say(code)}" for key, code in AskScreen.KEYS]
            words += [say(f"ask.{each}") for each in ("specialty", "urgency", "consent", "attached", "act")]
            words += [
                "Quelle dose ?",
                f"{screen.hub.number('1234.5')} s, 123 {'ko' if language == 'fr' else 'kB'}",
                say("specialty.dermatology"),
                say("urgency.urgent"),
            ]
            words = [in_order(each, language) for each in words]
            shown = await drawn(pilot, words)
            for each in words:
                assert each in shown, (size, each, shown)


def test_words_stand_on_as_many_lines_as_they_need() -> None:
    typed_ = "aa bbbb " + "c" * 11 + "\n\nd  e"
    assert wrapped(typed_, 5) == ["aa", "bbbb", "ccccc", "ccccc", "c", "", "d  e"]
    assert inert("a\x1b\u202e\u200c\tb\r\nc\ud800") == "a??\u200c b\nc?"


@pytest.mark.parametrize(
    ("urgency", "values"), [("routine", 0), ("routine", 12), ("urgent", 1), ("stat", 40)]
)
def test_the_size_that_is_shown_is_about_what_leaves(urgency: Urgency, values: int) -> None:
    moment = Moment(NOW_MS, bytes(8), 10**7, ClockQuality.NTP)
    question = "Douleur thoracique depuis 20 min, ST élevé ?"
    entry = payloads.stamp(moment, "fatima", str(REQUEST), (330000000, -70000000)) | payloads.requested(
        bytes(16),
        encounter=bytes(16),
        said=("cardiology", urgency, "tele-expertise", question, "consent"),
        attached=[(bytes(8), 1, 300 + n) for n in range(values)],
        recordings=(),
        alone={}
        if urgency == "routine"
        else {Field.SNAPSHOT: [["bp.sys", [4, [-2, 1420]], NOW_MS]] * values},
    )
    size = len(cbor.encode(entry))
    assert 0.75 * size <= bytes_of(question, values, urgency) <= 1.34 * size


async def test_an_answer_to_a_question_that_is_lost_is_shown_and_said_to_be() -> None:
    """The store went back in time: neither the question nor the patient is here any more."""
    agent = willing()
    lost = came(patient=None, lost=True)
    agent.scripted |= {
        "inbox.list": {"messages": (lost,), "unread": 1},
        "inbox.read": {"message": lost | {"read_ms": NOW_MS, "read_by": "amina"}, "text": "Aspirine.",
                       "signer": "ab" * 8},
    }  # fmt: skip
    screen = app(agent)
    async with screen.run_test(size=(80, 24)) as pilot:
        await settled(pilot)
        await screen.push_screen(InboxScreen(screen.hub))
        await settled(pilot)
        shown = text(pilot)
        assert "plus ici" in shown
        assert "à une question qui" in shown
        await pilot.press("enter")
        await settled(pilot)
        assert on(pilot, MessageScreen)
        shown = " ".join(text(pilot).split())
        assert "plus sur cette unité" in shown
        assert "Aspirine." in shown
