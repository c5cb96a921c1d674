"""The centre's keys change while the agent runs, whether anybody is signed in or not; capture never waits."""

import dataclasses

import pytest

from edge import cbor
from edge.clock import ClockQuality
from edge.ports.keysets import KeysetKeeper
from edge.records.fields import Field, Stream
from sync.boxend.keysets import read_newer
from sync.boxend.pinned import Enrolment
from sync.wire import cose, keys, keyset, sessions
from sync.wire.keyset import Key, Use
from tests.edge.agent.agent_world import UNIT, World, until


class Pinning(KeysetKeeper):
    """Pins in memory what `cli.pinning` writes into a file."""

    def __init__(self, world: World, root: bytes) -> None:
        self.world = world
        self.root = root

    def take(self, raw: bytes) -> int | None:
        present = self.world.centre.keyset
        pinned = Enrolment(UNIT, self.world.realm, (keys.signing_public(self.root),), present, b"", ())
        found = read_newer(raw, pinned)
        if found is None:
            return None
        self.world.centre.keyset = found
        self.world.bundle = found.version
        return found.version


ROOT = keys.make_signing()


pytestmark = pytest.mark.usefixtures("pinning")


@pytest.fixture
def pinning(world: World) -> None:
    world.keysets = Pinning(world, ROOT)


def deliver(world: World, version: int, *more: Key, without: Use | None = None, root: bytes = ROOT) -> None:
    left = tuple(key for key in world.centre.keyset.keys if key.use != without)
    new = dataclasses.replace(world.centre.keyset, version=version, keys=(*more, *left))
    world.deliver(keyset.sign(new, root), "", f"keyset-{version:012d}")


def pinned_in_audit(world: World) -> list[str]:
    store = world.store()
    try:
        found: list[str] = []
        for entry in store.entries(Stream.AUDIT, 1, store.watermark(Stream.AUDIT).tip):
            fields = cbor.decode(entry.payload or b"\xa0")
            assert isinstance(fields, dict)
            if fields.get(Field.ACTION) == "keyset.pinned":
                found.append(str(fields[Field.OBJECT]))
        return found
    finally:
        store.close()


async def test_a_newer_keyset_is_pinned_sealed_to_and_told_to_the_centre(world: World) -> None:
    sealing = keys.make_sealing()
    async with world.nurse() as nurse:
        await nurse.patient()
        deliver(world, 2, Key(keys.sealing_public(sealing), Use.SEAL_TO), without=Use.SEAL_TO)
        await until(lambda: pinned_in_audit(world) == ["1", "2"])
        raws = [world.outbox.read(name) for name in world.spooled("key")]
        assert [keys.kid(keys.sealing_public(sealing))] in [
            sessions.recipients(cose.read(raw).payload) for raw in raws
        ]
        await nurse.patient("Idrissi")
        assert (await nurse.ask("status"))["refusals"] == {}


async def test_it_is_pinned_while_the_store_is_locked_and_told_at_the_next_unlock(world: World) -> None:
    async with world.nurse() as nurse:
        await until(lambda: pinned_in_audit(world) == ["1"])
        await nurse.ask("lock")
        deliver(world, 5)
        await until(lambda: not list((world.home / "in").glob("keyset-*")))
        assert world.centre.keyset.version == 5
        assert pinned_in_audit(world) == ["1"]
        await nurse.ask("sign-in", user="amina", pin="482913")
        await until(lambda: pinned_in_audit(world) == ["1", "5"])


async def test_what_no_root_signed_is_counted_and_the_older_one_stays(world: World) -> None:
    async with world.nurse() as nurse:
        deliver(world, 9, root=keys.make_signing())
        await until(lambda: not list((world.home / "in").glob("keyset-*")))
        assert (await nurse.ask("status"))["refusals"] == {"keyset-kid": 1}
        assert world.centre.keyset.version == 1
        await nurse.patient()


async def test_without_any_key_to_seal_to_everything_is_still_saved(world: World) -> None:
    async with world.nurse() as nurse:
        deliver(world, 2, without=Use.SEAL_TO)
        await until(lambda: pinned_in_audit(world)[-1:] == ["2"])
        encounter = await nurse.visit()
        assert await nurse.observe(encounter)
        status = await nurse.ask("status")
        assert status["streams"]["vitals"]["tip"] >= 4
        assert status["problem"] == "no-recipient"


@pytest.mark.parametrize("locked", [False, True])
async def test_what_was_sealed_to_a_key_that_is_named_no_more_is_sealed_anew(
    world: World, *, locked: bool
) -> None:
    async with world.nurse() as nurse:
        await until(lambda: pinned_in_audit(world) == ["1"])
        await nurse.patient()
        before = {str(name) for name in world.outbox.list() if name.word != "key"}
        assert before
        if locked:
            await nurse.ask("lock")
            before = {str(name) for name in world.outbox.list() if name.word != "key"}
        deliver(world, 2, Key(keys.sealing_public(keys.make_sealing()), Use.SEAL_TO))
        if locked:
            await until(lambda: world.centre.keyset.version == 2)
            await nurse.ask("sign-in", user="amina", pin="482913")
        await until(lambda: pinned_in_audit(world) == ["1", "2"])
        kept = {str(name) for name in world.outbox.list()}
        assert before <= kept, "another key beside it takes nothing back"
        only = keys.make_sealing()
        deliver(world, 3, Key(keys.sealing_public(only), Use.SEAL_TO), without=Use.SEAL_TO)
        await until(lambda: pinned_in_audit(world) == ["1", "2", "3"])
        await until(lambda: bool(world.spooled("vitals") and world.spooled("audit")))
        assert not kept & {str(name) for name in world.outbox.list() if name.word != "key"}
        assert (await nurse.ask("status"))["problem"] is None


@pytest.mark.parametrize("span", [(2**62, None), (0, 1)], ids=["not-yet", "expired"])
@pytest.mark.parametrize("quality", [ClockQuality.NONE, ClockQuality.NTP])
async def test_whatever_the_clock_says_of_the_keys_capture_and_sealing_go_on(
    world: World, span: tuple[int, int | None], quality: ClockQuality
) -> None:
    world.clock_quality = quality
    world.centre.keyset = dataclasses.replace(
        world.centre.keyset,
        keys=tuple(
            dataclasses.replace(key, not_before_ms=span[0], not_after_ms=span[1])
            for key in world.centre.keyset.keys
        ),
    )
    async with world.nurse() as nurse:
        encounter = await nurse.visit()
        assert await nurse.observe(encounter)
        await until(lambda: bool(world.spooled("vitals")))
        assert (await nurse.ask("status"))["problem"] is None
        sealed = world.centre.open_spool(world.outbox, world.store().identity().sign_public)
        assert len(sealed[Stream.VITALS]) >= 4
