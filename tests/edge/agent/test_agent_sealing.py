"""The spool as a cache of the store: what is missing is sealed, what is small is merged."""

import pytest

from edge.agent.commit import OpenStore
from edge.agent.parts import Pace
from edge.agent.sealing import Sealing
from edge.ports.caller import CallRefused
from edge.records.fields import Field, Kind, Stream
from edge.spool import Outbox, Prepared
from edge.spool.files import SpoolFailed
from tests.edge.agent.agent_world import Card, Nurse, World, state, until


def sealed_seqs(world: World, stream: Stream = Stream.VITALS) -> list[int]:
    """What a centre that holds the sealing key reads out of the spool."""
    store = world.store()
    try:
        return sorted(world.centre.open_spool(world.outbox, store.identity().sign_public)[stream])
    finally:
        store.close()


def tip(world: World, stream: Stream = Stream.VITALS) -> int:
    store = world.store()
    try:
        return store.watermark(stream).tip
    finally:
        store.close()


async def test_before_enrolment_everything_is_kept_and_nothing_sealed(world: World) -> None:
    world.enrolled = False
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        for _ in range(3):
            await nurse.observe(visit)
        assert world.outbox.list() == []
        assert (await nurse.ask("status"))["enrolled"] is False
        world.enrolled = True
        await until(lambda: bool(world.spooled("vitals")))
        await until(lambda: sealed_seqs(world) == list(range(1, tip(world) + 1)))
        assert (await nurse.ask("status"))["enrolled"] is True
        await nurse.observe(visit)
        assert sealed_seqs(world) == list(range(1, tip(world) + 1))


async def test_the_key_message_goes_before_everything_else(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        assert world.outbox.list()[0].word == "key"


async def test_what_a_commit_rests_on_is_in_the_spool_before_it(world: World) -> None:
    world.pace = Pace(mail_s=3600.0)
    async with world.nurse() as nurse:
        await nurse.patient()
        assert sealed_seqs(world) == [1, 2]
        assert all(sealed_seqs(world, each)[:1] == [1] for each in Stream if each is not Stream.AUDIT)


async def test_a_new_bundle_means_a_new_session(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        world.bundle = 2
        await until(lambda: len(world.spooled("key")) == 2)
        await nurse.patient("Idrissi")
        assert sealed_seqs(world) == [1, 2, 3]


async def test_what_the_spool_lost_is_sealed_again_at_the_next_unlock(world: World) -> None:
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        for _ in range(6):
            await nurse.observe(visit)
    names = world.spooled("vitals")
    world.outbox.remove(*names[2:5])
    (world.home / "out" / ".tmp-2-vitals-99-1-0011223344556677").write_bytes(b"torn")
    async with world.nurse():
        await until(lambda: sealed_seqs(world) == list(range(1, tip(world) + 1)))
        assert not list((world.home / "out").glob(".tmp-*"))


async def test_an_older_sessions_key_stays_until_what_it_sealed_has_landed(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
    async with world.nurse() as nurse:
        assert len(world.spooled("key")) == 2
        store = world.store()
        partly = {Stream.VITALS: state(store, Stream.VITALS, 1)}
        world.deliver(world.centre.receipt("landed", store.epoch, partly), "landed")
        await until(lambda: [name.first for name in world.spooled("vitals")] == [2])
        assert len(world.spooled("key")) == 2
        world.deliver(world.receipt_for("landed"), "landed")
        await until(lambda: len(world.spooled("key")) == 1)
        await until(lambda: not world.spooled("vitals"))


async def test_a_new_session_begins_when_the_old_one_is_a_day_old(world: World) -> None:
    world.pace = Pace(mail_s=0.02, session_s=0.2)
    async with world.nurse() as nurse:
        await nurse.patient()
        await until(lambda: len(world.spooled("key")) >= 3)
        await nurse.patient("Idrissi")
        assert sealed_seqs(world) == [1, 2, 3]


async def test_many_small_files_become_few_that_hold_the_same(world: World) -> None:
    world.batch = 50
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        for _ in range(70):
            await nurse.observe(visit)
        await until(lambda: len(world.spooled("vitals")) < 20)
        await until(lambda: sealed_seqs(world) == list(range(1, tip(world) + 1)))
        assert max(name.n for name in world.spooled("vitals")) == 50


def test_what_is_committed_while_a_key_message_waits_is_sealed_after_it(world: World) -> None:
    store = world.store()
    sealing = Sealing(store, world.outbox, batch=200, session_s=1e9, audit_s=1e9)
    enrolled = world.look_pinned()
    assert enrolled is not None
    opened = OpenStore(store, sealing, bytes(32))
    sealing.enrol(enrolled.make_sealer, 0.0)
    while sealing.upkeep(0.0):
        pass
    session = sealing.session
    assert session is not None
    sealing.clean([session])
    assert not world.spooled("key")
    while sealing.upkeep(0.0):
        pass
    sealing.session_needed([session])
    opened.commit(lambda tx: tx.append(Stream.ALERT, Kind.ALERT, {Field.ALERT_CODE: "fall"}))
    assert [name.first for name in world.spooled("alert")] == [1]
    while sealing.upkeep(0.0):
        pass
    assert [name.first for name in world.spooled("alert")] == [1, 2]
    assert len(world.spooled("key")) == 1
    store.close()


async def test_audit_entries_wait_for_their_hour_and_are_sealed_when_somebody_leaves(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        await nurse.ask("patient.list")
        before = sealed_seqs(world, Stream.AUDIT)
        assert tip(world, Stream.AUDIT) not in before
        await nurse.ask("sign-out")
        assert sealed_seqs(world, Stream.AUDIT) == list(range(1, tip(world, Stream.AUDIT) + 1))


async def test_a_spool_that_takes_no_file_keeps_nobody_from_saving(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_outbox: Outbox, _file: object) -> Prepared:
        raise SpoolFailed("The spool takes no file.", next_step="Free space.")

    async with world.nurse() as nurse:
        visit = await nurse.visit()
        with monkeypatch.context() as patched:
            patched.setattr(Outbox, "prepare", full)
            await nurse.observe(visit)
            assert (await nurse.ask("status"))["problem"] == "spool-failed"
            missing = tip(world)
            assert missing not in sealed_seqs(world)
        await until(lambda: missing in sealed_seqs(world))
        for _ in range(100):
            if (await nurse.ask("status"))["problem"] is None:
                break
        assert (await nurse.ask("status"))["problem"] is None


async def test_a_file_that_did_not_get_its_name_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_outbox: Outbox, *_prepared: Prepared) -> None:
        raise SpoolFailed("The spool takes no file.", next_step="Free space.")

    async with world.nurse() as nurse:
        visit = await nurse.visit()
        with monkeypatch.context() as patched:
            patched.setattr(Outbox, "publish", fails)
            assert await nurse.observe(visit)
        await until(lambda: sealed_seqs(world) == list(range(1, tip(world) + 1)))


async def test_nothing_is_in_the_spool_that_is_not_in_the_store(world: World) -> None:
    """A refused transaction leaves neither entry nor file, whatever it had sealed before."""
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        names = world.outbox.list()
        other = await nurse.patient("Idrissi")
        with pytest.raises(CallRefused):
            await nurse.ask("encounter.open", patient=other)
        await nurse.observe(visit)
        assert sealed_seqs(world) == list(range(1, tip(world) + 1))
        assert set(names) < set(world.outbox.list())
        assert not list((world.home / "out").glob(".tmp-*"))


async def test_a_file_gets_its_name_only_when_its_entries_are_committed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    published: list[tuple[int, int]] = []
    genuine = Outbox.publish

    def publish(outbox: Outbox, *prepared: Prepared) -> None:
        last = [each.name.first + each.name.n - 1 for each in prepared if each.name.word == "vitals"]
        published.extend((seq, tip(world)) for seq in last)  # as another connection sees it
        genuine(outbox, *prepared)

    async with world.nurse() as nurse:
        monkeypatch.setattr(Outbox, "publish", publish)
        visit = await nurse.visit()
        await nurse.observe(visit)
    assert {2, 3, 4} <= {seq for seq, _ in published}
    assert all(seq <= committed for seq, committed in published)


async def test_a_commit_that_fails_at_the_end_leaves_no_file(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = Card(monkeypatch)
    async with world.nurse() as nurse:
        visit = await nurse.visit()
        names = world.outbox.list()
        card.full = True
        refused = await until_full(nurse, visit)
        assert refused == "store-full: The disk is full: nothing was saved."
        assert not list((world.home / "out").glob(".tmp-*"))
        assert sealed_seqs(world) == list(range(1, tip(world) + 1))
        card.full = False
        await nurse.observe(visit)
        assert sealed_seqs(world) == list(range(1, tip(world) + 1))
        assert set(names) < set(world.outbox.list())


async def until_full(nurse: Nurse, visit: str) -> str:
    """Fill the store; the refusal."""
    for _ in range(2000):
        try:
            await nurse.observe(visit)
        except CallRefused as error:
            return f"{error.stable_code}: {error.sentence}"
    return ""
