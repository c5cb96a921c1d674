"""Photos and documents of a request, over the socket of a real agent: brought, cleaned, saved, sent."""

import base64
import hashlib
from pathlib import Path
from typing import Any
from uuid import UUID

import cbor2
import pytest

from edge.agent.parts import Periods
from edge.agent.portions import Sizes
from edge.attachments.limits import MAX_BYTES
from edge.clock import SystemClock
from edge.localapi.client import connect
from edge.records.fields import Field, Kind, Stream
from edge.store.removing import DAY_MS
from sync.wire.batches import WireEntry
from tests.edge.agent.agent_world import Centre, Nurse, World, until
from tests.edge.agent.test_agent_expertise import agreed, asked, code_of
from tests.edge.attachments.attachment_files import SECRET, bomb, pdf, photo

PHOTO = photo((500, 400))
PIECE = 30_000


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, Centre(), [], sizes=Sizes(message=8192, entries=2))
    made.make()
    return made


async def bring(nurse: Nurse, raw: bytes, piece: int = PIECE) -> dict[str, Any]:
    """All of a file, in pieces."""
    answer: dict[str, Any] = {}
    for first in range(0, len(raw) or 1, piece):
        data = base64.b64encode(raw[first : first + piece]).decode()
        answer = await nurse.ask("attachment.bring", first=first, data=data, last=first + piece >= len(raw))
    return answer


async def attach(nurse: Nurse, request: str, raw: bytes = PHOTO, **more: Any) -> dict[str, Any]:  # noqa: ANN401  fields
    await bring(nurse, raw)
    return dict((await nurse.ask("request.attach", request=request, **more))["attachment"])


async def read(nurse: Nurse, attachment: str) -> bytes:
    found, first = b"", 1
    while first:
        answer = await nurse.ask("attachment.read", attachment=attachment, first=first)
        found, first = found + base64.b64decode(answer["data"]), answer["next"] or 0
    return found


def sealed(world: World) -> dict[Stream, dict[int, WireEntry]]:
    """What a centre that holds the sealing key reads out of the spool."""
    store = world.store()
    try:
        return world.centre.open_spool(world.outbox, store.identity().sign_public)
    finally:
        store.close()


def parts_of(world: World) -> list[bytes | None]:
    return [
        entry.data
        for _, entry in sorted(sealed(world)[Stream.DOC].items())
        if entry.kind == Kind.ATTACHMENT_PART
    ]


def doc_tip(world: World) -> int:
    store = world.store()
    try:
        return store.watermark(Stream.DOC).tip
    finally:
        store.close()


async def test_a_photo_is_cleaned_saved_and_leaves_with_its_request(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request = await asked(nurse, patient, encounter)
        brought = await bring(nurse, PHOTO)
        assert (brought["have"], brought["media"]) == (len(PHOTO), "image/jpeg")
        answer = await nurse.ask("request.attach", request=request, caption="Plaie, jambe gauche")
        shown = answer["attachment"]
        assert len(answer["saved"]) == 1
        assert (shown["media"], shown["caption"], shown["request"]) == (
            "image/jpeg", "Plaie, jambe gauche", request,
        )  # fmt: skip
        assert (shown["size"], shown["received"], shown["state"], shown["kept"]) == (
            brought["size"], 0, "saved", True,
        )  # fmt: skip
        assert shown["parts"] == -(-shown["size"] // 8192) > 3
        whole = await read(nurse, shown["attachment"])
        assert hashlib.sha256(whole).hexdigest() == shown["hash"]
        assert SECRET in PHOTO
        assert SECRET not in whole
        record = (await nurse.ask("request.show", request=request))["request"]
        assert record["attachments"] == [shown]
        await until(lambda: len(parts_of(world)) == shown["parts"])
        assert b"".join(part or b"" for part in parts_of(world)) == whole
        [said] = [each for each in sealed(world)[Stream.VITALS].values() if each.kind == Kind.ATTACHMENT]
        fields = cbor2.loads(said.payload)
        assert (fields[Field.EXPERTISE], fields[Field.COUNT]) == (UUID(request).bytes, shown["parts"])
        assert {name.priority for name in world.outbox.list() if name.word == "doc"} == {3}
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_the_parts_that_the_centre_has_opened_are_counted(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request = await asked(nurse, patient, encounter)
        shown = await attach(nurse, request)
        world.deliver(world.receipt_for("landed"), "landed")
        world.deliver(world.receipt_for("opened", centre_ms=DAY_MS), "opened")
        found: dict[str, Any] = {}
        while found.get("state") != "received":
            [found] = (await nurse.ask("request.show", request=request))["request"]["attachments"]
        assert found["received"] == shown["parts"]
        later = (2 + Periods().attachments) * DAY_MS
        world.deliver(world.receipt_for("opened", centre_ms=later), "opened")
        while found["kept"]:
            [found] = (await nurse.ask("request.show", request=request))["request"]["attachments"]
        assert (
            await code_of(nurse, "attachment.read", attachment=shown["attachment"]) == "attachment-at-centre"
        )
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_what_an_urgent_request_has_with_it_goes_with_the_alerts_and_what_stands_before_it_too(
    world: World,
) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        routine = await asked(nurse, patient, encounter)
        await attach(nurse, routine)
        await until(lambda: doc_tip(world) == max(sealed(world)[Stream.DOC], default=0))
        assert {name.priority for name in world.outbox.list() if name.word == "doc"} == {3}
        urgent = await asked(nurse, patient, encounter, urgency="stat")
        await attach(nurse, urgent, photo((200, 200)))
        through = doc_tip(world)
        await attach(nurse, routine, photo((100, 100)))
        await until(lambda: doc_tip(world) == max(sealed(world)[Stream.DOC], default=0))
        names = [name for name in world.outbox.list() if name.word == "doc"]
        assert {name.priority for name in names if name.first <= through} == {1}
        assert {name.priority for name in names if name.first > through} == {3}
        alert = [each for each in sealed(world)[Stream.ALERT].values() if each.kind == Kind.ATTACHMENT]
        assert len(alert) == 1


async def test_what_the_spool_lost_is_sealed_again_after_weeks(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        shown = await attach(nurse, await asked(nurse, patient, encounter))
    world.outbox.remove(*world.spooled("doc"))
    async with world.nurse() as nurse:
        await until(lambda: len(parts_of(world)) == shown["parts"])
        whole = b"".join(part or b"" for part in parts_of(world))
        assert hashlib.sha256(whole).hexdigest() == shown["hash"]


async def test_the_same_file_is_attached_once_and_a_lost_answer_costs_nothing(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request = await asked(nurse, patient, encounter)
        await bring(nurse, PHOTO)
        id_ = "01997f3e-5d3a-7c41-9a55-0c8be7a2f901"
        first = await nurse.api.call("request.attach", request_id=id_, request=request)
        tip = doc_tip(world)
        assert await nurse.api.call("request.attach", request_id=id_, request=request) == first
        await bring(nurse, PHOTO)
        again = await nurse.ask("request.attach", request=request)
        assert again["saved"] == []
        assert again["attachment"]["attachment"] == first["attachment"]["attachment"]
        assert doc_tip(world) == tip


async def test_nothing_is_attached_that_was_not_brought_whole_and_in_order_by_whom_it_is(
    world: World,
) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request = await asked(nurse, patient, encounter)
        data = base64.b64encode(PHOTO[:900]).decode()
        fields: dict[str, Any] = {"first": 0, "data": data}
        assert await code_of(nurse, "request.attach", request=request) == "attachment-not-brought"
        await nurse.ask("attachment.bring", **fields)
        assert await code_of(nurse, "request.attach", request=request) == "attachment-not-brought"
        for wrong in ({"first": 899}, {"first": 901}, {"first": 900, "data": "AAA"}, {"first": 5}):
            await nurse.ask("attachment.bring", **fields)
            assert await code_of(nurse, "attachment.bring", **(fields | wrong)) == "attachment-not-brought"
        assert await code_of(nurse, "attachment.bring", **(fields | {"data": "!"})) == "field-refused"
        assert (
            await code_of(nurse, "attachment.bring", **(fields | {"data": "A" * 60_001})) == "field-refused"
        )
        for raw, code in ((bomb(), "pixels"), (PHOTO[:-99], "damaged"), (b"MZ", "kind"), (b"", "empty")):
            whole = fields | {"data": base64.b64encode(raw[:40_000]).decode(), "last": True}
            assert await code_of(nurse, "attachment.bring", **whole) == f"attachment-{code}"
        assert await code_of(nurse, "request.attach", request=request) == "attachment-not-brought"
        await bring(nurse, pdf())
        await nurse.ask("sign-in", user="sami", pin="739154")
        assert await code_of(nurse, "request.attach", request=request) == "attachment-not-brought"
        assert doc_tip(world) == 1


async def test_ten_megabytes_and_one_byte_are_too_much(world: World) -> None:
    async with world.nurse() as nurse:
        piece = base64.b64encode(bytes(45_000)).decode()
        first = 0
        while first + 45_000 <= MAX_BYTES:
            first = (await nurse.ask("attachment.bring", first=first, data=piece))["have"]
        rest = base64.b64encode(bytes(MAX_BYTES - first + 1)).decode()
        code = await code_of(nurse, "attachment.bring", first=first, data=rest, last=True)
        assert code == "attachment-too-large"


async def test_only_so_many_bring_files_at_once(world: World) -> None:
    async with world.nurse() as nurse:
        data: dict[str, Any] = {"first": 0, "data": "AAAA"}
        for _ in range(2):
            await nurse.ask("attachment.bring", **data)
        others = [connect(world.socket) for _ in range(3)]
        apis = [await each.__aenter__() for each in others]
        codes = []
        for api in apis:
            await api.call("sign-in", user="sami", pin="739154")
            try:
                await api.call("attachment.bring", **data)
                codes.append("")
            except Exception as error:  # noqa: BLE001  any other would show in what is compared
                codes.append(getattr(error, "stable_code", repr(error)))
        for each in others:
            await each.__aexit__(None, None, None)
        assert codes == ["", "", "attachment-busy"]


async def test_a_request_that_has_ended_or_a_patient_who_said_no_gets_nothing(world: World) -> None:
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request, other = await asked(nurse, patient, encounter), await asked(nurse, patient, encounter)
        await bring(nurse, pdf())
        await nurse.ask("request.withdraw", request=other)
        assert await code_of(nurse, "request.attach", request=other) == "request-state"
        assert await code_of(nurse, "request.attach", request=str(UUID(int=9))) == "no-request"
        assert await code_of(nurse, "attachment.read", attachment=str(UUID(int=9))) == "no-attachment"
        await nurse.ask("patient.consent", patient=patient, scope="tele-expertise", decision="withdrawn")
        assert await code_of(nurse, "request.attach", request=request) == "consent-needed"
        assert doc_tip(world) == 1


async def test_a_file_of_ten_megabytes_is_saved_without_sealing_all_of_it_at_once(world: World) -> None:
    """What is sealed while the commit waits is a message or two; upkeep seals the rest."""
    async with world.nurse() as nurse:
        patient, encounter = await agreed(nurse)
        request = await asked(nurse, patient, encounter)
        await bring(nurse, photo((1200, 900)))
        began = SystemClock().monotonic_s()
        await nurse.ask("request.attach", request=request)
        assert len(world.spooled("doc")) < doc_tip(world) // 2
        assert SystemClock().monotonic_s() - began < 30
        await until(lambda: doc_tip(world) == max(sealed(world)[Stream.DOC], default=0))
