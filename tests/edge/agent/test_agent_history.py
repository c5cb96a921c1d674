"""The store goes back in time: it is noticed, another epoch begins, nothing is doubled on the box."""

import asyncio
import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge import cbor
from edge.agent import history
from edge.audit.chain import VISIBLE_HEAD_BYTES
from edge.ports.sealing import StreamReceipt
from edge.records.fields import Field, Kind, Stream
from edge.store.store import Store
from tests.edge.agent.agent_world import PIN, Nurse, World, state, until


class Died(Exception):
    """Stands for a power cut."""


def copy_store(world: World, name: str) -> Path:
    there = world.home / name
    shutil.copytree(world.home / "store", there)
    return there


def put_back(world: World, copy: Path) -> None:
    shutil.rmtree(world.home / "store")
    shutil.copytree(copy, world.home / "store")


def payloads(store: Store, stream: Stream = Stream.VITALS) -> list[dict[int, Any]]:
    found = store.entries(stream, 1, 10_000)
    return [cbor.decode(entry.payload or b"") for entry in found]  # type: ignore[misc]  # maps


def families(world: World) -> list[str]:
    store = world.store()
    try:
        return sorted(each.family for each in store.patients())
    finally:
        store.close()


async def visit_of(nurse: Nurse, family: str) -> str:
    visit = await nurse.visit(family)
    await nurse.observe(visit)
    await nurse.ask("encounter.close", encounter=visit)
    return visit


async def deliver_and_wait(world: World, raw: bytes, level: str = "landed") -> None:
    world.deliver(raw, level)
    await until(lambda: not [path for path in (world.home / "in").iterdir() if path.name != "link"])


async def test_a_store_older_than_its_spool_begins_another_epoch_at_the_unlock(world: World) -> None:
    async with world.nurse() as nurse:
        await visit_of(nurse, "Benali")
    copy = copy_store(world, "copy")
    first = world.store().epoch
    async with world.nurse() as nurse:
        await visit_of(nurse, "Idrissi")
    put_back(world, copy)
    ahead = world.outbox.list()
    async with world.nurse() as nurse:
        status = await nurse.ask("status")
        assert status["forked"]["reason"] == "spool-ahead"
        assert [each["stopped"] for each in status["streams"].values()] == [None] * 5
        saved = (await nurse.ask("snapshot"))["saved"]
        assert saved[0][1] != first.hex(), "its own genesis"
        assert {epoch for _, epoch, stream, _ in saved if stream == "vitals"} >= {first.hex()}
        assert (await nurse.ask("store.verify"))["valid"] is True
        await visit_of(nurse, "Karimi")
    store = world.store()
    assert store.epoch != first
    genesis = payloads(store)[0]
    assert genesis[Field.PARENT] == [first, [0, 0, 0, 0, 0]]
    assert set(map(str, ahead)) <= set(map(str, world.outbox.list())), "they may be the only copy"
    assert families(world) == ["Benali", "Karimi"]
    alerts = payloads(store, Stream.ALERT)
    assert [each[Field.ALERT_TEXT] for each in alerts if each.get(Field.ALERT_CODE) == "forked"] == [
        "spool-ahead"
    ]
    async with world.nurse():
        assert world.store().epoch == store.epoch, "once"


@pytest.mark.parametrize(("through", "reason"), [(2, "head-mismatch"), (50, "beyond-tip")])
async def test_a_receipt_of_another_history_begins_another_epoch_and_is_told(
    world: World, through: int, reason: str
) -> None:
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["streams"])
        visit = await nurse.visit()
        await nurse.observe(visit)
        store = world.store()
        first = store.epoch
        lying = {
            Stream.VITALS: StreamReceipt(through, bytes(VISIBLE_HEAD_BYTES), through),
            Stream.ALERT: state(store, Stream.ALERT, 1),
        }
        before = len(payloads(store))
        await deliver_and_wait(world, world.centre.receipt("landed", first, lying))
        told = await nurse.event("forked")
        assert (told["reason"], told["again"]) == (reason, told["again"])
        shown = (await nurse.ask("status"))["streams"]
        assert (shown["vitals"]["tip"], shown["vitals"]["landed"], shown["vitals"]["stopped"]) == (
            before,
            0,
            None,
        )
        await nurse.observe(visit, "pain", "3")
        listed = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [each["state"] for each in listed] == ["saved", "saved"]
        assert [each["code"] for each in listed] == ["temp", "pain"]
        assert (await nurse.ask("store.verify"))["valid"] is True
        await until(lambda: any(name.first == 1 for name in world.spooled("vitals")))
        spooled = world.store()
        await until(lambda: _sealed(world, spooled.epoch) >= set(range(1, before + 2)))
        await deliver_and_wait(world, world.receipt_for("landed", rseq=1))
        assert (await nurse.ask("status"))["streams"]["vitals"]["landed"] == before + 1


def _sealed(world: World, epoch: bytes) -> set[int]:
    enrolled = world.look_pinned()
    assert enrolled is not None
    recognise = enrolled.make_sealer(epoch, world.store().identity().sign_private).recognise
    seqs: set[int] = set()
    for name in world.outbox.list():
        sealed = recognise(world.outbox.read(name))
        if sealed is not None and sealed.epoch == epoch and sealed.stream is Stream.VITALS:
            seqs |= set(range(sealed.first, sealed.last + 1))
    return seqs


async def test_what_the_centre_has_opened_is_not_journalled_again_and_stays_received(world: World) -> None:
    async with world.nurse() as nurse:
        done = await visit_of(nurse, "Benali")
        await deliver_and_wait(world, world.receipt_for("opened"), "opened")
        await visit_of(nurse, "Idrissi")
        store = world.store()
        opened = store.watermarks()[Stream.VITALS].opened
        lying = {Stream.VITALS: StreamReceipt(opened + 1, bytes(VISIBLE_HEAD_BYTES), opened + 1)}
        uncertain = payloads(store)[opened:]
        await deliver_and_wait(world, world.centre.receipt("landed", store.epoch, lying))
        again = payloads(world.store())
        assert again[0][Field.PARENT][1][Stream.VITALS] == opened
        assert [each[Field.ORIGIN] for each in again[1:]] == [
            [store.epoch, Stream.VITALS, opened + 1 + place] for place in range(len(uncertain))
        ]
        for was, now in zip(uncertain, again[1:], strict=True):
            differ = {Field.ORIGIN, Field.SALT}
            assert {k: v for k, v in was.items() if k not in differ} == {
                k: v for k, v in now.items() if k not in differ
            }
        states = {each["family"]: each["state"] for each in (await nurse.ask("patient.list"))["patients"]}
        assert states == {"Benali": "received", "Idrissi": "saved"}
        (shown,) = (await nurse.ask("encounter.show", encounter=done))["observations"]
        assert shown["state"] == "received"


async def die_with_the_agent(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.event("never")


def cut_before_the_epoch(patched: pytest.MonkeyPatch) -> None:
    def dies(*_words: object) -> None:
        raise Died

    patched.setattr(Store, "begin_epoch", dies)


def cut_between_pieces(patched: pytest.MonkeyPatch) -> None:
    genuine, left = Store.still_to_journal_again, [2]

    def dies(store: Store, limit: int) -> list[int]:
        left[0] -= 1
        if left[0] < 0:
            raise Died
        return genuine(store, limit)

    patched.setattr(history, "PIECE", 3)
    patched.setattr(Store, "still_to_journal_again", dies)


@pytest.mark.parametrize("cut", [cut_before_the_epoch, cut_between_pieces])
async def test_cut_short_anywhere_it_goes_on_at_the_next_unlock(
    world: World, monkeypatch: pytest.MonkeyPatch, cut: Callable[[pytest.MonkeyPatch], None]
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.observe(visit)
        before = len(payloads(world.store()))
    ahead = {Stream.VITALS: StreamReceipt(50, bytes(VISIBLE_HEAD_BYTES), 50)}
    world.deliver(world.centre.receipt("landed", world.store().epoch, ahead), "landed")
    with monkeypatch.context() as patched:
        cut(patched)
        with pytest.raises(ExceptionGroup, match="unhandled"):
            await die_with_the_agent(world)
    async with world.nurse() as nurse:
        assert (await nurse.ask("status"))["forked"]["reason"] == "beyond-tip"
        listed = (await nurse.ask("encounter.show", encounter=visit))["observations"]
        assert [each["code"] for each in listed] == ["temp"]
        assert (await nurse.ask("store.verify"))["valid"] is True
    entries = payloads(world.store())
    origins = [tuple(each[Field.ORIGIN]) for each in entries if Field.ORIGIN in each]
    assert len(origins) == len(set(origins)) == before - 1
    assert len(payloads(world.store(), Stream.ALERT)) == 2  # genesis, and that it went back in time


async def test_files_of_the_epoch_that_was_left_go_once_it_is_opened(world: World) -> None:
    async with world.nurse() as nurse:
        await visit_of(nurse, "Benali")
    copy = copy_store(world, "copy")
    async with world.nurse() as nurse:
        await visit_of(nurse, "Idrissi")
        await nurse.ask("lock")  # the audit trail is sealed, too
    old = world.store()
    first = old.epoch
    streams = {s: state(old, s, mark.tip) for s, mark in old.watermarks().items()}
    less = {s: state(old, s, max(1, mark.tip - 1)) for s, mark in old.watermarks().items()}
    put_back(world, copy)
    left = set(world.outbox.list())
    async with world.nurse() as nurse:
        await deliver_and_wait(world, world.centre.receipt("landed", first, streams))
        assert left <= set(world.outbox.list()), "landed is not opened"
        await deliver_and_wait(world, world.centre.receipt("opened", first, less), "opened")
        kept = left & set(world.outbox.list())
        assert {name.word for name in kept} >= {"key", "vitals"}
        await deliver_and_wait(world, world.centre.receipt("opened", first, streams), "opened")
        assert not left & set(world.outbox.list())
        assert (await nurse.ask("status"))["refusals"] == {}


async def test_a_reading_in_the_tray_can_still_be_given_to_a_patient(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        store = world.store()
        with store.write() as tx:
            tx.append(Stream.VITALS, Kind.OBSERVATION, {Field.CODE: "temp", Field.VALUE: [369, -1]})
        store.close()
    async with world.nurse() as nurse:
        await deliver_and_wait(world, world.receipt_for("opened"), "opened")
        ahead = {Stream.VITALS: StreamReceipt(50, bytes(VISIBLE_HEAD_BYTES), 50)}
        await deliver_and_wait(world, world.centre.receipt("landed", world.store().epoch, ahead))
        (lying,) = (await nurse.ask("tray.list"))["observations"]
        await nurse.ask("tray.assign", encounter=visit, observations=[lying["seq"]], reason="hers")
        assert len((await nurse.ask("encounter.show", encounter=visit))["observations"]) == 1


async def test_a_screen_that_stays_connected_hears_of_it_at_the_unlock(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
    copy = copy_store(world, "copy")
    async with world.nurse() as nurse:
        await nurse.ask("subscribe", topics=["saved"])
        await nurse.patient("Idrissi")
        await nurse.ask("lock")
        put_back(world, copy)
        await nurse.ask("sign-in", user="amina", pin=PIN)
        assert (await nurse.event("forked"))["reason"] == "spool-ahead"


async def test_a_restored_centre_gets_what_it_had_opened_of_earlier_epochs_once_more(world: World) -> None:
    async with world.nurse() as nurse:
        await visit_of(nurse, "Benali")
        await deliver_and_wait(world, world.receipt_for("opened"), "opened")
        first = world.store()
        opened = first.watermarks()[Stream.VITALS].opened
        ahead = {Stream.VITALS: StreamReceipt(50, bytes(VISIBLE_HEAD_BYTES), 50)}
        await deliver_and_wait(world, world.centre.receipt("landed", first.epoch, ahead))
        await deliver_and_wait(world, world.receipt_for("landed", rseq=1))
        await deliver_and_wait(world, world.receipt_for("opened", rseq=1), "opened")
        assert [each for each in payloads(world.store()) if Field.ORIGIN in each] == []
        for _ in range(2):  # a second receipt of the new generation asks for nothing more
            await deliver_and_wait(world, world.receipt_for("landed", streams={}, generation=2))
        again = [each[Field.ORIGIN] for each in payloads(world.store()) if Field.ORIGIN in each]
        assert again == [[first.epoch, Stream.VITALS, seq] for seq in range(2, opened + 1)]
        states = {each["state"] for each in (await nurse.ask("patient.list"))["patients"]}
        assert states == {"saved"}
        assert (await nurse.ask("store.verify"))["valid"] is True


async def test_a_file_of_an_earlier_epoch_says_nothing_of_what_is_sent_in_this_one(world: World) -> None:
    async with world.nurse() as nurse:
        await visit_of(nurse, "Benali")
        left = [str(name) for name in world.spooled("vitals")]
        ahead = {Stream.VITALS: StreamReceipt(50, bytes(VISIBLE_HEAD_BYTES), 50)}
        await deliver_and_wait(world, world.centre.receipt("landed", world.store().epoch, ahead))
        note = {"connected": True, "since_ms": 1, "broker": "here", "sent": left}
        (world.home / "in" / "link").write_text(json.dumps(note))
        with (world.home / "in" / "link").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            await nurse.ask("subscribe", topics=["link"])
            async with asyncio.timeout(30):
                while not (await nurse.ask("status"))["link"]["connected"]:
                    await asyncio.sleep(0.01)
            assert (await nurse.ask("status"))["streams"]["vitals"]["sent"] == 0
