"""What the centre could not open: listed with its reason, and sealed once more when somebody asks."""

import pytest

from edge.ports.caller import CallRefused
from edge.ports.sealing import Nack
from edge.records.fields import Stream
from edge.spool.names import RING_NAME
from tests.edge.agent.agent_world import World, until


async def test_a_nacked_range_is_listed_with_its_reason_until_it_is_opened(world: World) -> None:
    async with world.nurse() as nurse:
        await nurse.patient()
        nacks = [Nack(Stream.VITALS, 1, 2, "decode"), Nack(Stream.AUDIT, 1, 1, "schema")]
        world.deliver(world.receipt_for("landed"), "landed")
        await until(lambda: not world.spooled("vitals"))
        world.deliver(world.receipt_for("opened", streams={}, nacks=nacks), "opened")
        await until(lambda: len(world.spooled("vitals")) == 1)
        answer = await nurse.ask("sync.quarantine")
        assert answer["ranges"] == [
            {"stream": "vitals", "first": 1, "last": 2, "reason": "decode"},
            {"stream": "audit", "first": 1, "last": 1, "reason": "schema"},
        ]
        # what the unit has said of itself since may lie there: it is another entry
        assert not [each for each in world.spooled("audit") if each.first <= 1], "sealed again as it was"
        [before] = world.spooled("vitals")
        world.outbox.remove(before)
        assert await nurse.ask("sync.retry") == {"again": 1, "waiting": 1}
        [after] = world.spooled("vitals")
        assert after.random != before.random
        assert (world.home / "out" / RING_NAME).exists()
    async with world.nurse() as nurse:  # a restart forgets nothing of it
        assert len((await nurse.ask("sync.quarantine"))["ranges"]) == 2
        world.deliver(world.receipt_for("opened"), "opened")
        await until(lambda: not world.spooled("vitals"))
        assert (await nurse.ask("sync.quarantine"))["ranges"] == []
        with pytest.raises(CallRefused) as refused:
            await nurse.ask("sync.retry")
        assert refused.value.stable_code == "nothing-quarantined"


async def test_asked_to_go_on_now_audit_does_not_wait_for_its_hour(world: World) -> None:
    async with world.nurse() as nurse:
        world.deliver(world.receipt_for("landed"), "landed")
        await until(lambda: not world.spooled("audit"))
        await nurse.patient()
        await nurse.ask("sync.now")
        await until(lambda: bool(world.spooled("audit")))
        assert (world.home / "out" / RING_NAME).exists()
