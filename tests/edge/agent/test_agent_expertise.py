"""Asking a specialist and reading the answer, over the socket of a real agent."""

from pathlib import Path
from typing import Any
from uuid import UUID

import cbor2
import pytest

from edge.ports.caller import CallRefused
from edge.records.fields import Field, Kind, Stream
from sync.wire.keyset import Use
from tests.edge.agent.agent_world import Centre, Nurse, World, until


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, Centre(), [])
    made.make()
    return made


async def agreed(nurse: Nurse, decision: str = "given") -> tuple[str, str]:
    """A patient who has said something about tele-expertise, and their open visit with one value."""
    patient = await nurse.patient()
    if decision:
        await nurse.ask("patient.consent", patient=patient, scope="tele-expertise", decision=decision)
    encounter = str((await nurse.ask("encounter.open", patient=patient))["encounter"])
    await nurse.observe(encounter)
    return patient, encounter


async def asked(nurse: Nurse, patient: str, encounter: str | None, **more: Any) -> str:  # noqa: ANN401  fields
    fields = {"specialty": "cardiology", "question": "Douleur ?\nDepuis hier."} | more
    answer = await nurse.ask("request.ask", patient=patient, encounter=encounter, **fields)
    return str(answer["request"])


async def code_of(nurse: Nurse, method: str, **fields: Any) -> str:  # noqa: ANN401  fields
    with pytest.raises(CallRefused) as refused:
        await nurse.api.call(method, **fields)
    return refused.value.stable_code


def says(world: World, kind: str, *body: Any, use: Use = Use.ADVICE, **options: Any) -> None:  # noqa: ANN401  CBOR
    store = world.store()
    raw = world.centre.says(store, use, kind, list(body), **options)
    store.close()
    world.deliver(raw, "down", f"down-{raw[-8:].hex()}")


async def test_from_the_question_to_what_was_read(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        await nurse.ask("subscribe", topics=["saved"])
        request = await asked(nurse, patient, encounter)
        shown = (await nurse.ask("request.show", request=request))["request"]
        assert (shown["state"], shown["sent"], shown["observations"]) == ("asked", "saved", 1)
        says(world, "accept", UUID(request).bytes, "Dr Leila", "Je regarde.")
        says(world, "reply", UUID(request).bytes, "Dr Leila", "Aspirine 250 mg.\nTransférer.", dseq=2)
        unread = 0
        while unread < 2:
            unread = (await nurse.event("inbox"))["unread"]
        inbox = await nurse.ask("inbox.list")
        assert inbox["unread"] == 2
        assert "text" not in inbox["messages"][0]
        reply = next(each for each in inbox["messages"] if each["kind"] == "reply")
        assert (reply["sender"], reply["request"], reply["read_ms"]) == ("Dr Leila", request, None)
        assert await code_of(nurse, "request.close", request=request) == "request-unread"
        for each in inbox["messages"]:
            whole = await nurse.ask("inbox.read", message=each["message"])
            again = await nurse.ask("inbox.read", message=each["message"])
            assert again == whole
            assert whole["message"]["read_by"] == "amina"
        record = await nurse.ask("request.show", request=request)
        assert (record["request"]["state"], record["request"]["unread"]) == ("answered", 0)
        await nurse.ask("request.close", request=request)
        assert (await nurse.ask("request.list", waiting=True))["requests"] == []
        [listed] = (await nurse.ask("request.list", patient=patient))["requests"]
        assert listed["state"] == "closed"
    store = world.store()
    kinds = [Kind(kind) for (kind,) in store._rows("SELECT kind FROM journal WHERE stream = 1 ORDER BY seq")]
    store.close()
    counted = (kinds.count(Kind.RECEIVED), kinds.count(Kind.READ), kinds.count(Kind.REQUEST_CHANGED))
    assert counted == (2, 2, 1)


async def test_an_urgent_one_leaves_first_and_says_all_it_rests_on(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        await asked(nurse, patient, encounter, urgency="urgent")
        assert len(world.spooled("alert")) >= 1
    store = world.store()
    public = store.identity().sign_public
    store.close()
    entries = world.centre.open_spool(world.outbox, public)[Stream.ALERT]
    [entry] = [each for each in entries.values() if each.kind == Kind.REQUESTED]
    fields = cbor2.loads(entry.payload)
    assert fields[Field.SNAPSHOT][0][:2] == ["temp", [369, -1]]
    assert (fields[Field.SEX], fields[Field.BIRTH]) == ("female", "1961")
    assert len(fields[Field.SALT]) == 32


@pytest.mark.parametrize(
    ("decision", "more", "code"),
    [
        ("", {}, "consent-needed"),
        ("refused", {}, "consent-needed"),
        ("refused", {"urgency": "stat", "emergency": True}, "consent-needed"),
        ("", {"emergency": True}, "consent-needed"),
        ("", {"urgency": "stat", "emergency": True}, None),
        ("given", {"observations": [999]}, "no-observation"),
        ("given", {"recordings": [str(UUID(int=9))]}, "no-observation"),
        ("given", {"question": "a\u202eb"}, "field-refused"),
        ("given", {"question": " "}, "field-refused"),
        ("given", {"urgency": "soon"}, "field-refused"),
    ],
)
async def test_nobody_is_asked_without_consent_or_about_what_is_not_there(
    world: World, decision: str, more: dict[str, Any], code: str | None
) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse, decision)
        fields = {"specialty": "cardiology", "question": "?", "patient": patient, "encounter": encounter}
        if code is None:
            await nurse.ask("request.ask", **fields | more)
            [listed] = (await nurse.ask("request.list"))["requests"]
            assert listed["emergency"]
        else:
            assert await code_of(nurse, "request.ask", **fields | more) == code
            assert (await nurse.ask("request.list"))["requests"] == []


async def test_what_has_ended_ends_once(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request = await asked(nurse, patient, encounter)
        assert await code_of(nurse, "request.close", request=request) == "request-state"
        await nurse.ask("request.withdraw", request=request, reason="parti")
        assert await code_of(nurse, "request.withdraw", request=request) == "request-state"
        assert await code_of(nurse, "request.show", request=str(UUID(int=9))) == "no-request"
        assert await code_of(nurse, "inbox.read", message=str(UUID(int=9))) == "no-message"


async def test_while_the_store_is_locked_what_comes_waits_for_the_next_who_signs_in(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("lock")
        says(world, "message", None, "Centre", "Rentrez avant la neige.")
        await until(lambda: any((world.home / "in").iterdir()))
        await nurse.ask("sign-in", user="amina", pin="482913")
        await until(lambda: not any(each.name.startswith("down") for each in (world.home / "in").iterdir()))
        [message] = (await nurse.ask("inbox.list"))["messages"]
        whole = await nurse.ask("inbox.read", message=message["message"])
        assert whole["text"] == "Rentrez avant la neige."


async def test_who_is_expected_is_found_and_entered_under_their_own_identity(world: World) -> None:
    one, two = UUID(int=21), UUID(int=22)
    people: list[list[Any]] = [
        [one.bytes, "Aït Ali", "Itto", "", "", "female", "1980", [["cin", "AB12"]], "tension"],
        [two.bytes, "Naciri", "Omar", "", "", "male", None, [], ""],
    ]
    async with world.nurse() as nurse:
        says(world, "expect", 2**42, people, [], use=Use.COMMAND)
        says(world, "expect", 5, [[UUID(int=23).bytes, *people[1][1:]]], [], use=Use.COMMAND, dseq=2)
        await until(lambda: not any(each.name.startswith("down") for each in (world.home / "in").iterdir()))
        found = (await nurse.ask("expected.list"))["expected"]
        assert [each["family"] for each in found] == ["Aït Ali", "Naciri"]
        [itto] = (await nurse.ask("expected.list", text="ait"))["expected"]
        assert (itto["patient"], itto["note"]) == (str(one), "tension")
        named = {"family": "Aït Ali", "given": "Itto", "sex": "female"}
        answer = await nurse.ask("patient.register", **named, expected=str(one))
        assert answer["patient"] == str(one)
        assert await code_of(nurse, "patient.register", **named, expected=str(one)) == "not-expected"
        assert await code_of(nurse, "patient.register", **named, expected=str(UUID(int=9))) == "not-expected"
        says(world, "expect", 2**42, [], [two.bytes], use=Use.COMMAND, dseq=3)
        await until(lambda: not any(each.name.startswith("down") for each in (world.home / "in").iterdir()))
        assert (await nurse.ask("expected.list"))["expected"] == []
        assert (await nurse.ask("inbox.list"))["messages"] == []
