"""Waves leave with their samples: what lies in the spool, how much of it, and what is sealed again."""

from functools import partial
from pathlib import Path

import pytest

from edge import cbor
from edge.agent.parts import Periods
from edge.agent.portions import MESSAGE_BYTES, Portions, Sizes
from edge.audit.chain import Entry
from edge.records.fields import Field, Kind, Stream
from edge.signals import wavecodec
from edge.spool import Outbox
from edge.store.removing import DAY_MS
from sync.uplink.profiles import PROFILES
from sync.wire.batches import WireEntry
from tests.edge.agent.agent_world import ScriptedDriver, World, state, until
from tests.edge.agent.test_agent_recordings import BEAT, ON, frames, recorded, saved

WAVE = Stream.WAVE


def sealed(world: World) -> dict[int, WireEntry]:
    """What a centre that holds the sealing key reads out of the spool."""
    store = world.store()
    try:
        return world.centre.open_spool(world.outbox, store.identity().sign_public)[WAVE]
    finally:
        store.close()


def tip(world: World) -> int:
    store = world.store()
    try:
        return store.watermark(WAVE).tip
    finally:
        store.close()


def samples(entries: dict[int, WireEntry]) -> list[int]:
    chunks = [entry for _, entry in sorted(entries.items()) if entry.kind == Kind.WAVE_CHUNK]
    assert all(entry.named is not None for entry in chunks)
    return [sample for entry in chunks for sample in wavecodec.decode(entry.data or b"")[0]]


async def test_each_chunk_lies_sealed_with_its_samples(world: World, oximeter: ScriptedDriver) -> None:
    async with world.nurse() as nurse:
        await recorded(nurse, await nurse.visit(), oximeter)
        found = sealed(world)
        assert sorted(found) == list(range(1, tip(world) + 1))
        assert samples(found) == BEAT


async def test_what_the_spool_lost_or_the_centre_asks_for_is_sealed_with_its_samples(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await recorded(nurse, await nurse.visit(), oximeter)
    world.outbox.remove(*world.spooled("wave"))
    async with world.nurse():
        await until(lambda: sorted(sealed(world)) == list(range(1, tip(world) + 1)))
        assert samples(sealed(world)) == BEAT
        store = world.store()
        epoch = store.epoch
        store.close()
        before = set(world.spooled("wave"))
        world.deliver(world.centre.receipt("landed", epoch, {}, needed=[b"long ago"]), "landed")
        await until(lambda: bool(set(world.spooled("wave")) - before))
        assert samples(sealed(world)) == BEAT


async def test_only_so_much_lies_ready_and_the_rest_follows_as_it_lands(
    world: World, oximeter: ScriptedDriver
) -> None:
    world.sizes = Sizes(message=1, entries=1, ready=1)
    async with world.nurse() as nurse:
        await recorded(nurse, await nurse.visit(), oximeter)
        seen: dict[int, WireEntry] = {}
        while len(seen) < tip(world):
            await until(partial(_has_more_than, world, seen))
            assert len(world.spooled("wave")) <= 2
            seen |= sealed(world)
            through = max(seen)
            store = world.store()
            try:
                landed = {WAVE: state(store, WAVE, through)}
            finally:
                store.close()
            world.deliver(world.receipt_for("landed", streams=landed), "landed")
            await until(partial(_lacks, world, through))
        assert samples(seen) == BEAT


def _has_more_than(world: World, seen: dict[int, WireEntry]) -> bool:
    return bool(set(sealed(world)) - set(seen))


def _lacks(world: World, seq: int) -> bool:
    return seq not in sealed(world)


async def test_samples_that_were_purged_are_sent_as_gone(world: World, oximeter: ScriptedDriver) -> None:
    """A centre that was put back asks for what it had; the entries are here, their samples are not."""
    async with world.nurse() as nurse:
        await recorded(nurse, await nurse.visit(), oximeter)
        world.deliver(world.receipt_for("landed"), "landed")
        world.deliver(world.receipt_for("opened", centre_ms=DAY_MS), "opened")
        await until(lambda: not world.spooled("wave"))
        later = (1 + Periods().waves) * DAY_MS + DAY_MS
        world.deliver(world.receipt_for("opened", centre_ms=later), "opened")
        await until(lambda: _gone(world) == 2)
        assert (await nurse.ask("store.verify"))["valid"] is True
        world.deliver(world.receipt_for("landed", streams={}, generation=2, rseq=1), "landed")
        await until(lambda: len(sealed(world)) == tip(world))
        chunks = [entry for entry in sealed(world).values() if entry.kind == Kind.WAVE_CHUNK]
        assert [(entry.named is not None, entry.data) for entry in chunks] == [(True, None)] * 2


def _gone(world: World) -> int:
    store = world.store()
    try:
        row = store._row("SELECT count(*) FROM waveform_chunks WHERE data IS NULL")
        assert row is not None
        return int(row[0])
    finally:
        store.close()


async def test_samples_that_are_not_what_was_saved_are_not_sent_as_if_they_were(
    world: World, oximeter: ScriptedDriver
) -> None:
    async with world.nurse() as nurse:
        await recorded(nurse, await nurse.visit(), oximeter)
    world.outbox.remove(*world.spooled("wave"))
    store = world.store()
    store._connection.execute("UPDATE waveform_chunks SET data = zeroblob(50) WHERE number = 2")
    store.close()
    async with world.nurse() as nurse:
        await until(lambda: len(sealed(world)) == tip(world))
        first, second = (entry for entry in sealed(world).values() if entry.kind == Kind.WAVE_CHUNK)
        assert first.data is not None
        assert second.data is None
        assert (await nurse.ask("store.verify"))["damage"] == "samples"


async def test_many_small_files_are_joined_into_messages_of_their_size(
    world: World, oximeter: ScriptedDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        await nurse.ask("subscribe", topics=["saved"])
        oximeter.say(ON, *frames(BEAT * 4))
        for _ in range(5):
            await saved(nurse, "wave")
        await nurse.ask("encounter.close", encounter=visit)
        await until(lambda: len(world.spooled("wave")) > 2)
        monkeypatch.setattr(
            "edge.agent.filling.MERGE_FROM_FILES", 3
        )  # only now: all that can be joined is there
        await until(lambda: len(world.spooled("wave")) <= 2)
        assert samples(sealed(world)) == BEAT * 4


def entry(seq: int, size: int | None, stream: Stream = WAVE) -> Entry:
    payload: dict[int, int] = {} if size is None else {Field.SIZE: size}
    return Entry(stream, seq, Kind.WAVE_CHUNK, cbor.encode(payload), b"", b"")


def test_portions_hold_so_much_and_at_least_one(tmp_path: Path) -> None:
    portions = Portions(Outbox(tmp_path), Sizes(message=100))
    sizes = [None, 40, 60, 1, 250, None, 99, 2]
    cut = portions.cut([entry(seq, size) for seq, size in enumerate(sizes, 1)])
    assert [[each.seq for each in portion] for portion in cut] == [[1, 2, 3], [4], [5, 6], [7], [8]]
    vitals = [entry(seq, 60, Stream.VITALS) for seq in range(1, 5)]
    assert portions.cut(vitals) == [vitals]


def test_a_message_takes_a_thin_link_no_longer_than_an_alert_may_wait() -> None:
    assert MESSAGE_BYTES / (40_000 / 8) < 4


@pytest.mark.parametrize(
    ("profile", "kilobytes"), [("2g", 8), ("satellite", 32_000 / 1024), ("4g", 64), ("wifi", 64)]
)
def test_messages_take_each_link_two_seconds_within_bounds(profile: str, kilobytes: float) -> None:
    assert Sizes.for_rate(PROFILES[profile].rate).message == kilobytes * 1024
