"""Receipts as they come through ``spool/in``, true and false, into the running agent."""

import asyncio
import fcntl
import json
from collections.abc import Callable
from typing import Any

import pytest

from edge import cbor
from edge.agent import rivals
from edge.localapi.client import connect
from edge.ports.sealing import Nack
from edge.records.fields import Field, Stream
from sync.wire import batches, keys
from sync.wire.cose import Purpose
from tests.edge.agent.agent_world import Centre, Nurse, World, until


async def streams(nurse: Nurse) -> dict[str, dict[str, Any]]:
    return dict((await nurse.ask("status"))["streams"])


def waiting(world: World) -> list[str]:
    return [path.name for path in (world.home / "in").iterdir() if path.name != "link"]


async def until_taken(world: World) -> None:
    await until(lambda: not waiting(world))


async def refusals(nurse: Nurse) -> dict[str, int]:
    return dict((await nurse.ask("status"))["refusals"])


def other_key(world: World) -> bytes:
    return world.receipt_for("landed", private=keys.make_signing())


def wrong_use(world: World) -> bytes:
    return world.receipt_for("landed", private=world.centre.opened)


def bent(world: World) -> bytes:
    raw = bytearray(world.receipt_for("landed"))
    raw[-1] ^= 1
    return bytes(raw)


def other_realm(world: World) -> bytes:
    return world.receipt_for("landed", realm="production")


def other_unit(world: World) -> bytes:
    return world.receipt_for("landed", unit="van-08")


def other_epoch(world: World) -> bytes:
    return world.centre.receipt("landed", bytes(8), {})


def unknown_generation(world: World) -> bytes:
    return world.receipt_for("landed", generation=9)


def rubbish(_world: World) -> bytes:
    return b"\x01rubbish"


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (other_key, "receipt-kid"),
        (wrong_use, "receipt-signature"),
        (bent, "receipt-signature"),
        (other_realm, "receipt-realm"),
        (other_unit, "receipt-unit"),
        (other_epoch, "receipt-other-epoch"),
        (unknown_generation, "receipt-unknown-generation"),
        (rubbish, "receipt-form"),
    ],
)
async def test_a_receipt_that_may_not_be_believed_moves_nothing_and_is_counted(
    world: World, forge: Callable[[World], bytes], code: str
) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        world.deliver(forge(world), "landed")
        await until_taken(world)
        assert await refusals(nurse) == {code: 1}
        assert all(each["landed"] == 0 == each["opened"] for each in (await streams(nurse)).values())
        assert world.spooled("vitals")
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_a_lower_rseq_is_refused_and_a_true_one_still_moves(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        world.deliver(world.receipt_for("landed", rseq=5), "landed")
        await until_taken(world)
        landed = (await streams(nurse))["vitals"]["landed"]
        assert landed == 2
        await nurse.patient("Idrissi")
        world.deliver(world.receipt_for("landed", rseq=4), "landed")
        await until_taken(world)
        assert (await refusals(nurse)) == {"receipt-old-rseq": 1}
        assert (await streams(nurse))["vitals"]["landed"] == 2
        world.deliver(world.receipt_for("landed", rseq=6), "landed")
        await until_taken(world)
        assert (await streams(nurse))["vitals"]["landed"] == 3


async def test_a_locked_agent_leaves_what_has_come_until_somebody_signs_in(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        receipt = world.receipt_for("landed")
        await nurse.ask("lock")
        world.deliver(receipt, "landed")
        async with connect(world.socket) as api:
            for _ in range(10):
                await Nurse(api).ask("status")
        assert len(waiting(world)) == 1
        await nurse.ask("sign-in", user="amina", pin="482913")
        await until_taken(world)
        assert (await streams(nurse))["vitals"]["landed"] == 2


async def test_what_is_no_receipt_is_counted_and_cleared_away(world: World) -> None:
    async with world.nurse() as nurse:
        world.deliver(b"hello", "", "down-0011")
        (world.home / "in" / "landed-x-1-000000000001").symlink_to("/etc/hostname")
        world.deliver(b"x" * 300_000, "", "landed-y-1-000000000001")
        await until_taken(world)
        assert await refusals(nurse) == {"order-version": 1, "mail-unreadable": 2}


async def test_a_higher_generation_takes_back_and_everything_is_sealed_again(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        world.deliver(world.receipt_for("landed"), "landed")
        await until_taken(world)
        world.deliver(world.receipt_for("opened"), "opened")
        await until_taken(world)
        assert not world.spooled("vitals")
        assert (await streams(nurse))["vitals"]["opened"] == 2
        world.deliver(world.receipt_for("landed", generation=2, rseq=1, streams={}), "landed", "landed-z")
        await until_taken(world)
        await until(lambda: bool(world.spooled("vitals")))
        shown = (await streams(nurse))["vitals"]
        assert (shown["landed"], shown["opened"]) == (0, 0)
        sealed = world.centre.open_spool(world.outbox, world.store().identity().sign_public)
        assert list(sealed[Stream.VITALS]) == [1, 2]


async def test_a_nacked_range_is_sealed_again_once_and_stays_until_it_is_opened(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        session = None
        world.deliver(world.receipt_for("landed"), "landed")
        await until_taken(world)
        assert not world.spooled("vitals")
        for _ in range(3):
            nacks = [Nack(Stream.VITALS, 1, 2, "key")]
            world.deliver(world.receipt_for("opened", streams={}, nacks=nacks), "opened")
            await until_taken(world)
            await nurse.ask("status")
            names = world.spooled("vitals")
            assert [(name.first, name.n) for name in names] == [(1, 2)]
            assert session in {None, names[0].random}
            session = names[0].random
        world.deliver(world.receipt_for("landed"), "landed")
        await until_taken(world)
        assert world.spooled("vitals")
        world.deliver(world.receipt_for("opened"), "opened")
        await until(lambda: not world.spooled("vitals"))


async def test_the_key_message_goes_once_the_centre_holds_it_and_comes_back_when_it_lacks_it(
    world: World,
) -> None:
    async with world.nurse() as nurse:
        [key] = world.spooled("key")
        signed = world.outbox.read(key)
        sign_public = world.store().identity().sign_public
        session = batches.verify(signed, sign_public, "training", Purpose.KEY).session_id
        world.deliver(world.receipt_for("landed", holds=[session]), "landed")
        await until(lambda: not world.spooled("key"))
        world.deliver(world.receipt_for("opened", streams={}, needed=[session]), "opened")
        await until(lambda: len(world.spooled("key")) == 1)
        assert world.outbox.read(world.spooled("key")[0]) == signed
        assert await refusals(nurse) == {}


async def test_batches_of_a_session_whose_key_is_lost_are_sealed_again(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        world.deliver(world.receipt_for("landed"), "landed")
        await until_taken(world)
    for name in world.spooled("key"):
        world.outbox.remove(name)
    async with world.nurse() as nurse:
        world.deliver(world.receipt_for("opened", streams={}, needed=[bytes(8)]), "opened")
        await until(lambda: bool(world.spooled("vitals")))
        sealed = world.centre.open_spool(world.outbox, world.store().identity().sign_public)
        assert list(sealed[Stream.VITALS]) == [1, 2]


async def test_the_keyset_of_another_centre_is_not_believed(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        true_centre, world.centre = world.centre, Centre()
        world.deliver(world.receipt_for("landed"), "landed")
        await until_taken(world)
        assert await refusals(nurse) == {"receipt-kid": 1}
        world.centre = true_centre
        world.deliver(world.receipt_for("landed"), "landed")
        await until_taken(world)
        assert (await streams(nurse))["vitals"]["landed"] == 2


async def test_what_was_refused_stands_in_the_audit_trail_and_a_flood_in_few_entries(world: World) -> None:
    def told() -> list[tuple[str, str]]:
        store = world.store()
        try:
            payloads = [
                entry.payload for entry in store.entries(Stream.AUDIT, 1, store.tips().seqs[Stream.AUDIT])
            ]
        finally:
            store.close()
        found = [fields for raw in payloads if raw and isinstance(fields := cbor.decode(raw), dict)]
        return [
            (str(fields[Field.ACTION]), str(fields[Field.OBJECT]))
            for fields in found
            if str(fields.get(Field.ACTION, "")).startswith("mail.refused")
        ]

    async with world.nurse() as nurse:
        world.deliver(bent(world), "landed")
        await until(lambda: told() == [("mail.refused:receipt-signature", "1")])
        for number in range(120):
            world.deliver(bent(world), "", f"landed-{0:016d}-1-{number:012d}")
        await until_taken(world)
        await until(lambda: len(told()) >= 2)
        assert await refusals(nurse) == {"receipt-signature": 121}
        assert len(told()) <= 3
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_somebody_else_under_our_name_is_said_to_the_centre_and_not_again_and_again(
    world: World,
) -> None:
    """The uplink's note is a hint that nobody signs: what it makes us say is bounded."""
    note: dict[str, Any] = {"connected": True, "since_ms": 1, "broker": "5", "code": rivals.TAKEN_OVER}
    link = world.home / "in" / "link"
    async with world.nurse() as nurse:
        before = (await streams(nurse))["alert"]["tip"]
        with link.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)  # the uplink lives
            json.dump(note, held)
            held.flush()
            async with asyncio.timeout(30):
                while (await streams(nurse))["alert"]["tip"] == before:
                    await asyncio.sleep(0.01)
            for ms in (2, 3):
                link.write_text(json.dumps(note | {"since_ms": ms}))
                async with asyncio.timeout(30):
                    while (await nurse.ask("status"))["link"]["since_ms"] != ms:
                        await asyncio.sleep(0.01)
                await asyncio.sleep(3 * world.pace.mail_s)
            assert (await streams(nurse))["alert"]["tip"] == before + 1
        [alert] = world.store().alerts(1)
        assert (alert.code, alert.patient) == (rivals.SECOND_SESSION, None)


async def test_other_worries_of_the_link_are_not_said_to_the_centre(world: World) -> None:
    async with world.nurse() as nurse:
        before = (await streams(nurse))["alert"]["tip"]
        link = world.home / "in" / "link"
        with link.open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            json.dump({"connected": True, "since_ms": 1, "broker": "5", "code": "certificate-due"}, held)
            held.flush()
            async with asyncio.timeout(30):
                while (await nurse.ask("status"))["link"]["code"] != "certificate-due":
                    await asyncio.sleep(0.01)
            await asyncio.sleep(3 * world.pace.mail_s)
        assert (await streams(nurse))["alert"]["tip"] == before


@pytest.mark.parametrize("locked", [False, True])
async def test_an_uplink_that_has_ended_is_not_connected_any_more(world: World, *, locked: bool) -> None:
    async with world.nurse() as nurse:
        if locked:
            await nurse.ask("lock")
        for connected in (True, False):
            with (world.home / "in" / "link").open("w") as held:
                if connected:
                    fcntl.flock(held, fcntl.LOCK_EX)  # it lives
                json.dump({"connected": True, "since_ms": 1, "broker": "5"}, held)
                held.flush()
                async with asyncio.timeout(30):
                    while (await nurse.ask("status"))["link"]["connected"] is not connected:
                        await asyncio.sleep(0.01)
